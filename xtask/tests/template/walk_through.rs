//! The walk-through of the guide, followed step by step: what it shows compiles, and makes as many
//! cases pass as it says.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::support::{cargo, fails, files, folder, generate, passes, read, repository, text};

const PAGE: &str = "src/guide/4_walk_through.md";

/// A part of the page that a reader does something with.
enum Part {
    /// The whole text of a new file.
    File(String, String),
    /// What goes to the end of a file.
    End(String, String),
    /// What changes in a file: the old lines, and the new ones in their place.
    Change(String, String, String),
    /// The arguments of `cargo add`.
    Add(Vec<String>),
    /// The line that says how many cases pass, and the name of those that are run; empty for all.
    Score(String, String),
}

/// The parts of the page, from top to bottom.
fn parts(page: &str) -> Vec<Part> {
    let mut parts = vec![];
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            match language {
                "rust" => parts.push(listing(&block)),
                "diff" => parts.extend(changes(&block)),
                "sh" => parts.extend(block.iter().filter_map(|line| {
                    let added = line.strip_prefix("cargo add ")?;
                    Some(Part::Add(added.split(' ').map(Into::into).collect()))
                })),
                _ => {}
            }
        } else if let Some(command) = line.strip_prefix("> `cargo test") {
            let (cases, _) = command.split_once('`').unwrap();
            parts.push(Part::Score(line.into(), cases.trim().into()));
        }
    }
    parts
}

/// A listing of Rust. Its first line, which the reader does not see, says where it goes.
fn listing(block: &[&str]) -> Part {
    let place = block[0].strip_prefix("# // ").unwrap();
    let shown = block.iter().filter(|line| **line != "#" && !line.starts_with("# "));
    let code: String = shown.flat_map(|line| [line, "\n"]).collect();
    match place.strip_prefix("end of ") {
        Some(file) => Part::End(file.into(), code),
        None => Part::File(place.into(), code),
    }
}

/// The changes of a listing, each below a line that names its file.
fn changes(block: &[&str]) -> Vec<Part> {
    let starts = block.iter().enumerate().filter(|(_, line)| line.starts_with("@@ "));
    let starts: Vec<_> = starts.map(|(start, _)| start).chain([block.len()]).collect();
    assert_eq!(starts[0], 0, "no file is named above {:?}", block[0]);
    let change = |range: &[usize]| {
        let lines = &block[range[0] + 1..range[1]];
        let side = |mark: &str| {
            let kept = lines.iter().filter_map(|line| match line.strip_prefix([' ', '-', '+']) {
                Some(code) => (line.starts_with(' ') || line.starts_with(mark)).then_some(code),
                // An empty line that was there before.
                None => Some(*line),
            });
            kept.flat_map(|code| [code, "\n"]).collect::<String>()
        };
        Part::Change(block[range[0]].replacen("@@ ", "", 1), side("-"), side("+"))
    };
    starts.windows(2).map(change).collect()
}

/// Does what the parts before the next score say, and returns that.
fn follow(parts: &mut impl Iterator<Item = Part>, project: &Path) -> Option<(String, String)> {
    let change = |file: &str, change: &dyn Fn(String) -> String| {
        let path = project.join(file);
        fs::write(&path, change(read(&path))).unwrap();
    };
    for part in parts {
        match part {
            Part::File(file, code) => fs::write(project.join(file), code).unwrap(),
            Part::End(file, code) => change(&file, &|text| format!("{text}\n{code}")),
            Part::Change(file, old, new) => change(&file, &|text| {
                let places = text.matches(&old).count();
                assert_eq!(places, 1, "places in {file} for:\n{new}");
                text.replacen(&old, &new, 1)
            }),
            Part::Add(arguments) => {
                // What it adds is a dependency of this repository too.
                let mut add = cargo(project, &["add", "--quiet", "--offline"]);
                passes(add.args(arguments));
            }
            Part::Score(line, cases) => return Some((line, cases)),
        }
    }
    None
}

/// What came out of a run of cases.
struct Score {
    passed: usize,
    failed: usize,
    /// Whether this machine offers all that cases may need.
    is_complete: bool,
}

fn run(project: &Path, cases: &str) -> Score {
    // Cases that fail wait for long, so that more of them at a time take no longer.
    let arguments = ["test", "--test", "compliance", cases, "--", "--test-threads", "8"];
    let said = text(&cargo(project, &arguments).output().unwrap());
    let result = said.lines().rfind(|line| line.starts_with("test result: "));
    let result = result.unwrap_or_else(|| panic!("no result:\n{said}"));
    let number = |what: &str| {
        let (before, _) = result.split_once(what).unwrap();
        before.trim_end().rsplit(' ').next().unwrap().parse::<usize>().unwrap()
    };
    // A case that only root can run, which readers are not.
    let as_root = said.lines().filter(|line| line.starts_with("test [META04]"));
    let as_root = as_root.filter(|line| line.ends_with(" ok")).count();
    println!("{said}");
    Score {
        passed: number("passed;") - as_root,
        failed: number("failed;"),
        is_complete: said.contains("namespaces: yes"),
    }
}

#[test]
fn walk_through() {
    let page = repository().join(PAGE);
    let mut written = read(&page);
    let project: PathBuf =
        generate("notify-backend-demo", &folder("walk-through"), &["start=skeleton"]);
    let said = fails(&mut cargo(&project, &["test"]));
    let (_, first) = written.split_once("```text\n").unwrap();
    let (first, _) = first.split_once("\n```").unwrap();
    assert!(said.contains(first), "{said}");

    let mut steps = 0;
    let mut before = 0;
    let mut parts = parts(&written).into_iter();
    while let Some((line, cases)) = follow(&mut parts, &project) {
        steps += 1;
        passes(&mut cargo(&project, &["fmt", "--check"]));
        let mut clippy = cargo(&project, &["clippy", "--quiet", "--all-targets", "--"]);
        // The page says that the first step leaves a field which nobody reads.
        let dead_code = if steps == 1 { "--allow" } else { "--deny" };
        passes(clippy.args(["--deny", "warnings", dead_code, "dead-code"]));

        let Score { passed, failed, is_complete } = run(&project, &cases);
        assert!(passed > before, "step {steps}: {passed} cases pass, and before it {before}");
        before = passed;
        let (command, _) = line.split_once(": ").unwrap();
        let failing = if failed == 0 { "none fails".into() } else { format!("{failed} fail") };
        let right = format!("{command}: {passed} cases pass, {failing}.");
        if is_complete && line != right {
            let update = env::var_os("UPDATE_GUIDE").is_some();
            assert!(
                update,
                "step {steps}: the page says\n{line}\nand that should be\n{right}\nTo have it \
                 written there: .ci/update -p xtask --test template walk_through"
            );
            written = written.replacen(&format!("\n{line}\n"), &format!("\n{right}\n"), 1);
            fs::write(&page, &written).unwrap();
        }
    }
    assert_eq!(steps, 7);
    let sources = files(&project.join("src")).into_iter();
    let lines: usize = sources.map(|(_, source)| source.lines().count()).sum();
    let lines = format!("about {} lines", (lines + 50) / 100 * 100);
    assert!(written.contains(&lines), "the backend has {lines}");
    assert_eq!(written.matches("\n## Step ").count(), steps + 1, "steps of the page");
}
