//! Compares the guide's statements about other files with those files. rustdoc tests its code, and the template's
//! tests its walk-through.
#![allow(clippy::unwrap_used, reason = "a missing text has to fail the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
};

/// Every page of the guide.
const PAGES: [&str; 9] = [
    include_str!("../src/guide/index.md"),
    include_str!("../src/guide/1_getting_started.md"),
    include_str!("../src/guide/2_base_code_explainer.md"),
    include_str!("../src/guide/3_testing_and_testing.md"),
    include_str!("../src/guide/4_walk_through.md"),
    include_str!("../src/guide/5_the_details.md"),
    include_str!("../src/guide/6_platform_notes.md"),
    include_str!("../src/guide/7_finishing_up.md"),
    include_str!("../src/guide/8_for_frontends.md"),
];

const INDEX: &str = PAGES[0];
const GETTING_STARTED: &str = PAGES[1];
const BASE_CODE: &str = PAGES[2];
const TESTING: &str = PAGES[3];
const WALK_THROUGH: &str = PAGES[4];
const DETAILS: &str = PAGES[5];

/// Returns each text between `start` and the next `end`.
fn between<'a>(text: &'a str, start: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0))
}

/// Returns the texts between two marks, between the next two, and so on.
fn quoted(text: &str, mark: char) -> impl Iterator<Item = &str> {
    text.split(mark).skip(1).step_by(2)
}

/// Returns the text of each Rust file of the library.
fn sources() -> Vec<String> {
    let mut texts = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

#[test]
fn titles_in_messages_are_headings() {
    let lines = PAGES.iter().flat_map(|page| page.lines());
    let headings: BTreeSet<_> = lines.filter_map(|line| Some(line.split_once("# ")?.1)).collect();
    let mut named = BTreeSet::new();
    for text in sources() {
        let text = text.replace("\\\"", "\"");
        for start in ["guide: \"", "guide, \"", "guide \"", "section \""] {
            named.extend(between(&text, start, "\"").map(str::to_owned));
        }
    }
    assert!(named.remove("Writing a Backend"), "nothing names the guide itself");
    assert!(named.contains("Base code explainer") && named.contains("Being a stream"), "{named:?}");
    let missing: Vec<_> = named.iter().filter(|title| !headings.contains(title.as_str())).collect();
    assert!(missing.is_empty(), "no heading of the guide is {missing:?}");
}

#[test]
fn details_list_the_groups_of_cases() {
    let mut groups = BTreeMap::<String, BTreeSet<String>>::new();
    for text in sources() {
        if let Some((_, group)) = text.split_once("const GROUP: Group = Group {") {
            let field = |start| between(group, start, "\"").next().unwrap().to_owned();
            groups.entry(field("guide: \"")).or_default().insert(field("name: \""));
        }
    }
    let rows = DETAILS.lines().filter_map(|line| line.strip_prefix("| [")?.split_once("](#"));
    let names = |row| quoted(row, '`').map(str::to_owned).collect();
    let listed: BTreeMap<_, _> = rows.map(|(title, row)| (title.to_owned(), names(row))).collect();
    assert_eq!(listed, groups);
}

#[test]
fn base_code_is_the_skeleton() {
    let skeleton = include_str!("../template/src/skeleton/lib.rs");
    let (skeleton, _) = skeleton.split_once("//~").unwrap();
    let listing = between(BASE_CODE, "```rust\n", "```\n").next().unwrap();
    let shown = listing.lines().filter(|line| !line.starts_with("# "));
    let shown: String = shown.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(shown, skeleton.replace(" {%- capture source %}", ""));
}

#[test]
fn callouts_of_the_skeleton_are_explained() {
    let skeleton = include_str!("../template/src/skeleton/lib.rs");
    for number in 1..=4 {
        let callout = format!("({number})");
        let marks = skeleton.lines().filter(|line| {
            line.split_once("// ").is_some_and(|(_, comment)| comment.ends_with(&callout))
        });
        assert_eq!(marks.count(), 1, "{callout} in the skeleton");
        assert_eq!(BASE_CODE.matches(&format!("\n## {callout} ")).count(), 1, "{callout}");
    }
    assert!(!skeleton.contains("(5)") && !BASE_CODE.contains("\n## (5)"));
}

/// Both files are read at run time, since the snapshot may just have been updated.
#[test]
fn failure_is_one_that_the_suite_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let snapshot = root.join("tests/compliance_mutants/snapshots/no_rescan.snap");
    let page = root.join("src/guide/3_testing_and_testing.md");
    let message = fs::read_to_string(snapshot).unwrap();
    let message = message.splitn(3, "---\n").nth(2).unwrap();
    let text = fs::read_to_string(&page).unwrap();
    let shown = between(&text, "```text\ncase:", "```\n").next().unwrap();
    let shown = format!("case:{shown}");
    if env::var_os("UPDATE_GUIDE").is_some() {
        fs::write(&page, text.replacen(&shown, message, 1)).unwrap();
    } else {
        assert!(
            shown == message,
            "the suite writes\n{message}\nTo have it in the guide: .ci/update"
        );
    }
}

/// Cases are named by their numbers, such as `REC03`, or their names, such as `recursion::new_folder_race`.
#[test]
fn named_cases_exist() {
    let catalogue = include_str!("../src/compliance/catalogue.md");
    let listed = catalogue.lines().filter_map(|line| line.split_once("** `")?.1.split_once("::"));
    let groups: BTreeSet<_> = listed.map(|(group, _)| group).collect();
    let is_number = |word: &str| {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        word.len() == letters.len() + 2
            && letters.len() > 1
            && letters.bytes().all(|letter| letter.is_ascii_uppercase())
    };
    // A type's path may begin like a case's name.
    let is_name = |word: &str| {
        let (group, name) = word.split_once("::").unwrap_or_default();
        groups.contains(group) && name.starts_with(|c: char| c.is_ascii_lowercase())
    };
    let not_in_a_word = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':');
    let words = PAGES.iter().flat_map(|page| page.split(not_in_a_word));
    let words = words.map(|word| word.trim_end_matches(':'));
    let named: BTreeSet<_> = words.filter(|word| is_number(word) || is_name(word)).collect();
    assert!(named.contains("REC03") && named.contains("recursion::new_folder_race"), "{named:?}");
    let is_missing = |word: &&&str| {
        let marks = [format!("**{word}** "), format!(" `{word}` ")];
        marks.iter().all(|mark| !catalogue.contains(mark))
    };
    let missing: Vec<_> = named.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "the guide names cases that do not exist: {missing:?}");
}

#[test]
fn every_part_of_a_profile_is_listed() {
    let profile = include_str!("../src/compliance/rules/profile.rs");
    let parts: Vec<_> = between(profile, "pub fn ", "(mut self").collect();
    assert!(!parts.is_empty());
    for part in parts {
        assert!(TESTING.contains(&format!("\n| `{part}")), "the guide has no row for {part}");
    }
}

#[test]
fn every_starting_point_is_listed() {
    let configuration = include_str!("../cargo-generate.toml");
    let choices = between(configuration, "choices = [", "]").next().unwrap();
    assert_ne!(quoted(choices, '"').count(), 0);
    for start in quoted(choices, '"') {
        let row = format!("\n| `{start}` | ");
        assert!(GETTING_STARTED.contains(&row), "the guide has no row for --start {start}");
    }
}

/// The snapshot is of a generated project.
#[test]
fn files_of_a_new_project_are_listed() {
    let snapshot =
        include_str!("../xtask/tests/template/snapshots/template__generated__skeleton.snap");
    let generated = snapshot.splitn(3, "---\n").nth(2).unwrap().lines();
    let tree = between(GETTING_STARTED, "notify-backend-acme/\n", "```").next().unwrap();
    let mut folder = "";
    let mut listed = BTreeSet::new();
    for line in tree.lines() {
        let indented = !line.starts_with(['├', '└']);
        let name = line.trim_start_matches(['├', '└', '─', ' ']).split("  ").next().unwrap();
        match name.strip_suffix('/') {
            Some(name) => folder = name,
            None if indented => drop(listed.insert(format!("{folder}/{name}"))),
            None => drop(listed.insert(name.into())),
        }
    }
    assert_eq!(listed, generated.map(str::to_owned).collect());
}

#[test]
fn numbers_match_the_code() {
    let manifest = include_str!("../Cargo.toml");
    let readme = include_str!("../README.md");
    let template = include_str!("../cargo-generate.toml");
    let convergence = include_str!("../src/compliance/cases/convergence.rs");
    let profile = include_str!("../src/compliance/rules/profile.rs");
    let numbers = [
        (manifest, "rust-version = \"", "\"", GETTING_STARTED, "a stable Rust with Cargo, ", " or"),
        (template, "_version = \">=", "\"", GETTING_STARTED, "cargo-generate/), ", " or newer"),
        (manifest, "rust-version = \"", "\"", readme, "build with Rust ", ","),
        (template, "_version = \">=", "\"", readme, "cargo-generate/), ", " or newer"),
        (convergence, "SEEDS: u64 = ", ";", DETAILS, "", " seeds are tried"),
        (profile, "patience: Duration::from_secs(", ")", WALK_THROUGH, "not arrive within ", "s*"),
    ];
    for (code, start, end, page, before, after) in numbers {
        let number = between(code, start, end).next().unwrap();
        let text = format!("{before}{number}{after}");
        assert!(page.contains(&text), "the guide does not say {text:?}");
    }
}

#[test]
fn numbers_in_words_match_the_code() {
    let variants = |code: &'static str, name: &'static str| {
        let lines = between(code, name, "\n}").next().unwrap().lines();
        lines.filter(|line| line.starts_with("    ") && line.ends_with(',')).count()
    };
    let modes = variants(include_str!("../src/compliance/record/mode.rs"), "enum Mode {");
    let levels = variants(include_str!("../src/compliance/case.rs"), "enum Level {");
    let backend = include_str!("../src/contract/backend.rs");
    let backend = between(backend, "pub trait Backend:", "\n}\n").next().unwrap();
    let provided = backend.lines().filter(|line| *line == "    }").count();
    let required = backend.lines().filter(|line| line.starts_with("    fn ")).count() - provided;
    let kinds = include_str!("../src/contract/event/kinds.md").lines();
    let columns = kinds.filter(|line| line.starts_with("| kind | meaning | "));
    let facilities = columns.map(|line| line.matches(" | ").count()).sum::<usize>() - 1;
    let steps = WALK_THROUGH.matches("\n## Step ").count() - 1;

    let words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    for (number, page, before, after) in [
        (modes, TESTING, "Many cases run ", " times"),
        (levels, TESTING, "Cases have ", " levels"),
        (required, BASE_CODE, "has ", " functions that you must write"),
        (provided, BASE_CODE, "must write, and ", " that you may"),
        (facilities, DETAILS, "it on each of ", " facilities"),
        (steps, WALK_THROUGH, "It takes ", " steps"),
        (steps, INDEX, "an inotify backend in ", " steps"),
    ] {
        let text = format!("{before}{}{after}", words[number]);
        assert!(page.contains(&text), "the guide does not say {text:?}");
    }
}
