//! Follows the guide's walk-through step by step: its code compiles, and as many cases pass as it says.
//!
//! The page counts MUST cases only; no others are promised to pass. After a step, the test runs the cases
//! that may pass now and have not passed yet. Another test runs the whole suite at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{cargo, fails, files, folder, generate, passes, read, repository, text};

const PAGE: &str = "src/guide/4_walk_through.md";

/// A part of the page that the reader acts on.
enum Part {
    /// A new file, and its text.
    File(String, String),
    /// A file, and the text to append to it.
    End(String, String),
    /// A file, the old lines in it, and the new lines that replace them.
    Change(String, String, String),
    /// The arguments of `cargo add`.
    Add(Vec<String>),
    /// The line with the number of passing cases, and the filter of the run; empty for all cases.
    Score(String, String),
}

/// Returns the parts of the page, from top to bottom.
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

/// Parses a listing of Rust. Its first line, which is hidden from the reader, names the file.
fn listing(block: &[&str]) -> Part {
    let place = block[0].strip_prefix("# // ").unwrap();
    let shown = block.iter().filter(|line| **line != "#" && !line.starts_with("# "));
    let code: String = shown.flat_map(|line| [line, "\n"]).collect();
    match place.strip_prefix("end of ") {
        Some(file) => Part::End(file.into(), code),
        None => Part::File(place.into(), code),
    }
}

/// Parses the changes in a diff, each below a line that names its file.
fn changes(block: &[&str]) -> Vec<Part> {
    let starts = block.iter().enumerate().filter(|(_, line)| line.starts_with("@@ "));
    let starts: Vec<_> = starts.map(|(start, _)| start).chain([block.len()]).collect();
    assert_eq!(starts[0], 0, "no file is named above {:?}", block[0]);
    let change = |range: &[usize]| {
        let lines = &block[range[0] + 1..range[1]];
        let side = |mark: &str| {
            let kept = lines.iter().filter_map(|line| match line.strip_prefix([' ', '-', '+']) {
                Some(code) => (line.starts_with(' ') || line.starts_with(mark)).then_some(code),
                // An empty line of context.
                None => Some(*line),
            });
            kept.flat_map(|code| [code, "\n"]).collect::<String>()
        };
        Part::Change(block[range[0]].replacen("@@ ", "", 1), side("-"), side("+"))
    };
    starts.windows(2).map(change).collect()
}

/// Applies the parts before the next score, and returns the score.
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
                // This repository has the same dependency, so it can be added offline.
                let mut add = cargo(project, &["add", "--quiet", "--offline"]);
                passes(add.args(arguments));
            }
            Part::Score(line, cases) => return Some((line, cases)),
        }
    }
    None
}

/// A MUST case that only root can run, which readers are not.
const ROOT_ONLY: &str = "META04";

/// The crate that the reader writes.
struct Project {
    folder: PathBuf,
    /// The lints of its builds, as arguments of clippy's compiler.
    lints: &'static str,
}

impl Project {
    fn new(name: &str) -> Self {
        let folder = generate("notify-backend-demo", &folder(name), &["start=skeleton"]);
        Self { folder, lints: "-Dwarnings" }
    }

    /// Returns the command that runs its compliance tests with these arguments.
    fn compliance(&self, arguments: &[&str]) -> Command {
        let mut command = cargo(&self.folder, &["test", "--test", "compliance", "--"]);
        command.args(arguments).env("CLIPPY_ARGS", self.lints);
        command
    }
}

/// Returns the names of the MUST cases in the output of `--list`.
fn must_cases(list: &str) -> BTreeSet<String> {
    let catalogue = read(&repository().join("src/compliance/catalogue.md"));
    let is_must = |id: &str, name: &str| {
        let entry = format!("- **{id}** `{name}` (");
        let (_, level) = catalogue.split_once(&entry).unwrap_or_else(|| panic!("no {entry}"));
        level.starts_with("MUST")
    };
    let cases = list
        .lines()
        .filter_map(|line| line.strip_prefix('[')?.strip_suffix(": test")?.split_once("] "));
    let cases = cases.filter(|(id, name)| *id != ROOT_ONLY && is_must(id, name));
    cases.map(|(_, name)| name.to_owned()).collect()
}

/// Returns the MUST cases that the declared capabilities require.
fn due(project: &Project) -> BTreeSet<String> {
    let list = |arguments: &[&str]| {
        // For nextest, the list of ignored cases has those that the suite would ignore.
        let list = passes(project.compliance(arguments).env("NEXTEST", "1"));
        must_cases(&list)
    };
    let (all, ignored) = (list(&["--list"]), list(&["--list", "--ignored"]));
    all.difference(&ignored).cloned().collect()
}

/// Runs these cases; returns those that passed, and those that were ignored.
fn run(project: &Project, cases: &BTreeSet<String>) -> (BTreeSet<String>, BTreeSet<String>) {
    let list = passes(&mut project.compliance(&["--list"]));
    let others =
        list.lines().filter_map(|line| Some(line.strip_suffix(": test")?.split_once("] ")?.1));
    let others = others.filter(|name| !cases.contains(*name));
    let skipped: Vec<_> = others.flat_map(|name| ["--skip", name]).collect();
    let arguments = [&["--exact"][..], &skipped].concat();
    let said = text(&project.compliance(&arguments).output().unwrap());
    println!("{said}");
    let verdict = |line: &str| {
        let (name, verdict) =
            line.strip_prefix("test [")?.split_once("] ")?.1.split_once(" ... ")?;
        Some((name.trim().to_owned(), verdict.to_owned()))
    };
    let verdicts: BTreeMap<_, _> = said.lines().filter_map(verdict).collect();
    assert_eq!(verdicts.keys().cloned().collect::<BTreeSet<_>>(), *cases, "{said}");
    let with = |start: &str| {
        let those = verdicts.iter().filter(|(_, verdict)| verdict.starts_with(start));
        those.map(|(name, _)| name.clone()).collect()
    };
    (with("ok"), with("ignored"))
}

/// Returns the text of a file without its `//!` lines.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("//!")).flat_map(|line| [line, "\n"]).collect()
}

/// What the starting point adds to the code of the page: the closing of written files can be requested.
const CLOSES: [(&str, &str); 6] = [
    (
        "    descriptor: Descriptor,\n",
        "    descriptor: Descriptor,\n    // The events that are requested for every folder.\n    changes: WatchFlags,\n",
    ),
    (
        "    pub(crate) fn new() -> io::Result<Self>",
        "    /// Creates an instance that reports, if `closes`, the closing of written files in every folder.\n    \
         pub(crate) fn new(closes: bool) -> io::Result<Self>",
    ),
    (
        "        Ok(Self { descriptor, fence,",
        "        let changes = if closes { CHANGES | WatchFlags::CLOSE_WRITE } else { CHANGES };\n        \
         Ok(Self { descriptor, changes, fence,",
    ),
    (
        "if access { CHANGES | ACCESSES } else { CHANGES }",
        "if access { self.changes | ACCESSES } else { self.changes }",
    ),
    ("let flags = CHANGES | ACCESSES |", "let flags = self.changes | ACCESSES |"),
    ("add_watch(folder, CHANGES)", "add_watch(folder, self.changes)"),
];

#[test]
fn walk_through() {
    let page = repository().join(PAGE);
    let mut written = read(&page);
    let mut project = Project::new("walk-through");
    let said = fails(&mut project.compliance(&[]));
    let (_, first) = written.split_once("```text\n").unwrap();
    let (first, _) = first.split_once("\n```").unwrap();
    assert!(said.contains(first), "{said}");
    // Without namespaces, this machine cannot run every case.
    let is_complete = said.contains("namespaces: yes");

    let mut steps = 0;
    let mut passing = BTreeSet::new();
    let mut parts = parts(&written).into_iter();
    while let Some((line, cases)) = follow(&mut parts, &project.folder) {
        steps += 1;
        passes(&mut cargo(&project.folder, &["fmt", "--check"]));
        // The page says that the first step leaves an unread field.
        project.lints = match steps {
            1 => "-Dwarnings__CLIPPY_HACKERY__-Adead-code",
            _ => "-Dwarnings",
        };
        let mut to_pass = due(&project);
        to_pass.retain(|name| name.contains(&cases));
        passing.retain(|name| to_pass.contains(name));
        let before = passing.len();
        let (passed, silent) = run(&project, &to_pass.difference(&passing).cloned().collect());
        passing.extend(passed);
        to_pass.retain(|name| !silent.contains(name));
        let (passed, all) = (passing.len(), to_pass.len());
        assert!(passed > before, "step {steps}: {passed} cases pass, and before it {before}");
        let (command, _) = line.split_once(": ").unwrap();
        let right = format!("{command}: {passed} of {all} MUST cases pass.");
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
    assert_eq!(steps, 5);
    // Lints the targets that the suite does not build.
    passes(&mut cargo(&project.folder, &["build", "--all-targets"]));
    let sources = files(&project.folder.join("src")).into_iter();
    let lines: usize = sources.map(|(_, source)| source.lines().count()).sum();
    let lines = format!("about {} lines", (lines + 50) / 100 * 100);
    assert!(written.contains(&lines), "the backend has {lines}");
    assert_eq!(written.matches("\n## Step ").count(), steps + 1, "steps of the page");

    let start: PathBuf =
        generate("notify-backend-demo", &folder("walk-through-start"), &["start=inotify"]);
    // Only the loop of the stream: the rest of that file has settings.
    let loops = |source: &str| source.split_once("        loop {").unwrap().1.to_owned();
    let [outcome, start] = [&project.folder, &start].map(|project| {
        let [kernel, lib] = ["src/kernel.rs", "src/lib.rs"].map(|file| read(&project.join(file)));
        [code(&kernel), loops(&lib)]
    });
    let [mut kernel, loops] = outcome;
    for (taught, further) in CLOSES {
        assert_eq!(kernel.matches(taught).count(), 1, "{taught}");
        kernel = kernel.replace(taught, further);
    }
    for (finished, start) in [kernel, loops].iter().zip(&start) {
        let lines = finished.lines().zip(start.lines());
        for (number, (finished, start)) in lines.enumerate() {
            assert_eq!(
                finished, start,
                "line {number} of the crate with one more step, and of the starting point"
            );
        }
        assert_eq!(finished.len(), start.len(), "the end of the two");
    }
}

/// After each step, the page links to the files as they are then.
#[test]
fn files_after_each_step() {
    let page = read(&repository().join(PAGE));
    let project =
        generate("notify-backend-demo", &folder("walk-through-files"), &["start=skeleton"]);
    let mut parts = parts(&page).into_iter();
    let mut steps = 0;
    while follow(&mut parts, &project).is_some() {
        steps += 1;
        let mut right = format!("# The files after step {steps}\n");
        for (name, code) in files(&project.join("src")) {
            right += &["\n## src/", &name, "\n\n````rust,ignore\n", &code, "````\n"].concat();
        }
        let file = repository().join(format!("src/guide/4_walk_through/step_{steps}.md"));
        if env::var_os("UPDATE_GUIDE").is_some() {
            fs::write(&file, &right).unwrap();
        }
        assert!(
            read(&file) == right,
            "{}: .ci/update -p xtask --test template files_after_each_step",
            file.display()
        );
        let link = format!("[crate::guide::_4_walk_through::step_{steps}]");
        assert!(page.contains(&link), "no link to the files after step {steps}");
    }
    assert_eq!(steps, 5);
}

/// At the end, no case fails, and as many pass as the page says.
#[test]
#[ignore = "takes long, and the other test runs each case after its step"]
fn whole_suite() {
    let page = read(&repository().join(PAGE));
    let project = Project::new("walk-through-whole");
    let mut parts = parts(&page).into_iter();
    let scores = std::iter::from_fn(|| follow(&mut parts, &project.folder));
    let (last, _) = scores.last().unwrap();

    let said = passes(&mut project.compliance(&[]));
    let sum = said.lines().find_map(|line| line.strip_prefix("  all ")).unwrap();
    let passed: usize = sum.split_whitespace().next().unwrap().parse().unwrap();
    let as_root = format!("test [{ROOT_ONLY}] ");
    let as_root = said.lines().filter(|line| line.starts_with(&as_root) && line.ends_with(" ok"));
    let passed = passed - as_root.count();
    let right = format!("> `cargo test`: {passed} of {passed} MUST cases pass.");
    assert!(last == right || !said.contains("namespaces: yes"), "{last}\n{said}");
}
