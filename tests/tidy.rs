//! The rules of this repository that no other tool checks.
#![allow(clippy::unwrap_used, reason = "a rule that cannot be checked has to fail")]

use std::{fmt::Write as _, fs, path::Path};

/// A text file of the repository.
struct File {
    /// The path from the repository's root, separated by `/`.
    name: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        Path::new(&self.name).extension().is_some_and(|extension| extension == "rs")
    }

    fn is_test(&self) -> bool {
        self.name.split('/').any(|part| ["tests", "tests.rs", "test-packages"].contains(&part))
    }
}

/// Returns every text file, without build results.
fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = entry.file_name();
            if entry.file_type().unwrap().is_dir() {
                if name != "target" && name != ".git" {
                    folders.push(path);
                }
            } else if is_text(&path) {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                files.push(File { name, text });
            }
        }
    }
    assert!(files.iter().any(|file| file.name == "tests/tidy.rs"), "the walk went astray");
    files
}

fn is_text(path: &Path) -> bool {
    let kinds = ["liquid", "md", "rhai", "rs", "sh", "toml", "yml"];
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| kinds.contains(&extension)) || path.ends_with(".ci/run")
}

/// Fails with every line that is `wrong`, under the rule's name.
#[track_caller]
fn check(rule: &str, wrong: impl Fn(&File, &str) -> bool) {
    let mut found = String::new();
    for file in files() {
        for (number, line) in (1..).zip(file.text.lines()) {
            if wrong(&file, line) {
                write!(found, "\n{}:{number}: {line}", file.name).unwrap();
            }
        }
    }
    assert!(found.is_empty(), "{rule}:{found}");
}

/// Returns whether `line` calls the macro or function of that name, given in two parts, so that this file does not
/// find itself.
fn calls(line: &str, first: &str, second: &str) -> bool {
    line.contains(&format!("{first}{second}"))
}

/// `cargo xtask` is often the first command that runs here, and needs none of these packages. An update of all
/// dependencies brings them back; CONTRIBUTING.md says which versions to hold.
#[test]
fn lock_file_has_no_slow_packages() {
    let lock =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let slow = [("icu_normalizer", ""), ("idna_mapping", ""), ("stacker", ""), ("zerocopy", "0.8")];
    for (package, version) in slow {
        let is_there = lock.contains(&format!("\nname = \"{package}\"\nversion = \"{version}"));
        assert!(!is_there, "Cargo.lock has {package} {version}");
    }
}

#[test]
fn every_source_file_says_what_it_is_for() {
    // A file of `mistakes` is an author's code; its name says what is wrong with it.
    let bare = |file: &File| {
        file.is_rust()
            && !file.text.starts_with("//! ")
            && !file.name.starts_with("test-packages/compiler/tests/mistakes/")
    };
    let bare: Vec<_> = files().into_iter().filter(bare).map(|file| file.name).collect();
    assert!(bare.is_empty(), "the first line has to be a `//!` sentence in {bare:?}");
}

#[test]
fn no_line_ends_in_white_space() {
    check("white space at the end of a line", |_, line| line.trim_end() != line);
}

#[test]
fn every_file_ends_in_one_line_break() {
    let wrong = |file: &File| !file.text.ends_with('\n') || file.text.ends_with("\n\n");
    let wrong: Vec<_> = files().into_iter().filter(wrong).map(|file| file.name).collect();
    assert!(wrong.is_empty(), "no line break, or an empty line, at the end of {wrong:?}");
}

#[test]
fn nothing_is_left_to_do() {
    check("a place holder or a trace of debugging", |file, line| {
        let words = [("todo", "!("), ("unimplemented", "!("), ("dbg", "!(")];
        file.is_rust() && words.into_iter().any(|(first, second)| calls(line, first, second))
    });
}

#[test]
fn tests_wait_for_something_and_not_for_time() {
    check("a test that sleeps: wait for an event, with a deadline", |file, line| {
        let words = [("thread::", "sleep"), ("time::", "sleep")];
        file.is_rust()
            && file.is_test()
            // Some broken backends are slow on purpose.
            && !file.name.starts_with("tests/compliance_mutants/")
            && words.into_iter().any(|(first, second)| calls(line, first, second))
    });
}

/// Words that make an English reader stumble, with a better choice. CONTRIBUTING.md has the rules; this list has
/// only words that are never right in this repository.
const WORDS: &[(&str, &str)] = &[
    ("all the same", "anyway; or, of equal things, identical"),
    ("be it", "whether"),
    ("no matter if", "it does not matter whether; or say what happens"),
    ("such a one", "name it again"),
    ("whoever", "the program, consumer, backend or user; anyone who, of people"),
    // A function returns.
    ("` answers", "returns"),
    ("answers `", "returns"),
    ("answers whether", "returns whether"),
    // A platform sends events, a backend reports them.
    ("kernel's reports", "the kernel's events"),
    ("platform's reports", "the platform's events"),
    ("raw reports", "raw events"),
    ("tells of", "reports"),
    ("what is told", "the events, or what is reported"),
    ("what was told", "the events, or what was reported"),
    // "What is …" is no noun.
    ("for what is watched", "for the watched paths"),
    ("of what is watched", "of the watched paths"),
    // Of a rate.
    ("object a line", "object per line"),
    ("one a line", "one per line"),
    ("path an event", "path per event"),
    ("process a case", "process per case"),
];

/// Further words to avoid, in the places of [`SOURCES`].
const WORDS_OF_SOURCES: &[(&str, &str)] = &[
    // A program is not a person.
    ("everybody", "name the programs, threads or tasks"),
    ("everyone", "name the programs, threads or tasks"),
    ("nobody", "no task, thread, process or consumer"),
    ("somebody", "a task, thread, process or consumer"),
    ("whom", "name the program, thread or task"),
    // A backend reports; what it has reported is known.
    ("are told", "are reported, or get"),
    ("be said", "be reported"),
    ("be told", "be reported, or known"),
    ("hear of", "get events about, or notice"),
    ("hears of", "gets events about, or notices"),
    ("is said", "is reported"),
    ("is told", "is reported, or gets"),
    ("no news", "old, or known"),
    ("told apart", "distinguished"),
    ("told of", "given reports about"),
    ("was said", "was reported"),
    ("was told", "was reported, or got"),
    // Constructions of another language.
    ("for want of", "because … is missing"),
    ("hangs nowhere", "has no place"),
    ("what becomes of", "what happens to"),
];

/// The places in which [`WORDS_OF_SOURCES`] must not occur.
const SOURCES: &[&str] = &[
    "benches/",
    "examples/",
    "src/compliance",
    "src/consumers/",
    "src/contract/",
    "src/lib.rs",
    "src/parts/",
    "src/random.rs",
    "template/src/",
    "xtask/",
];

/// Returns whether `text`, in lower case, contains `words` with no letter next to them.
fn has_words(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(start, _)| {
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let (before, after) = (&text[..start], &text[start + words.len()..]);
        !is_letter(before.chars().next_back()) && !is_letter(after.chars().next())
    })
}

#[test]
fn words_are_plain_english() {
    let mut found = String::new();
    for file in files().iter().filter(|file| file.name != "tests/tidy.rs") {
        let is_source = SOURCES.iter().any(|source| file.name.starts_with(source));
        let words = WORDS.iter().chain(WORDS_OF_SOURCES.iter().filter(|_| is_source));
        for (number, line) in (1..).zip(file.text.lines()) {
            let text = line.to_lowercase();
            for (words, better) in words.clone().filter(|(words, _)| has_words(&text, words)) {
                write!(found, "\n{}:{number}: {words:?}: write {better:?}", file.name).unwrap();
            }
        }
    }
    assert!(found.is_empty(), "not plain English:{found}");
}

/// A sentence that begins with "Who" and is not a question usually has a program as its subject.
#[test]
fn programs_are_not_persons() {
    let openings = ["/ Who ", "! Who ", ". Who ", "; who ", ": who "];
    check("\"who\" as a subject: name the consumer, backend or thread", |file, line| {
        let is_question = line.contains('?');
        let opens = line.starts_with("Who ") || openings.iter().any(|who| line.contains(who));
        opens && !is_question && file.name != "tests/tidy.rs"
    });
}

/// In an editor's pop-up, "Whether it is a root" is half a sentence.
#[test]
fn documentation_of_a_function_starts_with_a_verb() {
    let is_checked = |name: &str| {
        ["src/", "xtask/src/", "benches/"].iter().any(|folder| name.starts_with(folder))
    };
    let mut found = String::new();
    for file in
        files().iter().filter(|file| file.is_rust() && !file.is_test() && is_checked(&file.name))
    {
        let mut before = "";
        let mut opening = None;
        for (number, line) in (1..).zip(file.text.lines().map(str::trim)) {
            if line.starts_with("///") && !before.starts_with("///") {
                opening = Some((number, line));
            }
            let is_function = line.contains("fn ") && line.contains('(');
            if let Some((number, opening)) = opening.take_if(|_| is_function)
                && ["Whether ", "How ", "Which "].iter().any(|w| opening[3..].trim().starts_with(w))
            {
                write!(found, "\n{}:{number}: {opening}", file.name).unwrap();
            }
            if !line.starts_with("//") && !line.starts_with('#') {
                opening = None;
            }
            before = line;
        }
    }
    assert!(found.is_empty(), "begin with a verb, such as \"Returns whether\":{found}");
}

/// Returns the lines of the root manifest's tables whose name ends in `table`, each with the line before.
fn entries(table: &str) -> Vec<(&'static str, &'static str)> {
    let lines: Vec<_> = include_str!("../Cargo.toml").lines().collect();
    let mut inside = false;
    let mut entries = vec![];
    for pair in lines.windows(2) {
        if let Some(head) = pair[1].strip_prefix('[') {
            inside = head.trim_end_matches(']').ends_with(table);
        } else if inside && pair[1].starts_with(|c: char| c.is_ascii_lowercase()) {
            entries.push((pair[0], pair[1]));
        }
    }
    assert!(!entries.is_empty(), "no table is named {table}");
    entries
}

#[test]
fn every_dependency_and_feature_has_its_reason_above_it() {
    for (before, entry) in entries("dependencies").into_iter().chain(entries("features")) {
        assert!(before.starts_with("# "), "Cargo.toml: say above it what it is for: {entry}");
    }
}

#[test]
fn every_feature_is_on_the_front_page() {
    for (_, entry) in entries("features") {
        let (name, _) = entry.split_once(' ').unwrap();
        let row = format!("//! - `{name}`: ");
        assert!(include_str!("../src/lib.rs").contains(&row), "src/lib.rs: no line {row:?}");
    }
}

/// A failure names a case by its number, so the numbers order the cases in a file, and the list there.
#[test]
fn cases_are_sorted_by_number() {
    let mut count = 0;
    for file in files().iter().filter(|file| file.name.starts_with("src/compliance/cases/")) {
        let Some((_, list)) = file.text.split_once("cases: &[") else { continue };
        let list = list.split_once(']').unwrap().0;
        let listed: Vec<_> = list.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
        let cases = file.text.split("const ").skip(1).filter_map(|rest| {
            let (name, rest) = rest.split_once(": Case = Case {\n    id: \"")?;
            Some((name, rest.split_once('"')?.0))
        });
        let cases: Vec<_> = cases.collect();
        let numbers: Vec<_> = cases.iter().map(|(_, number)| number).collect();
        assert!(numbers.is_sorted(), "{}: {numbers:?}", file.name);
        let names: Vec<_> = cases.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, names, "{}: the list is not in that order", file.name);
        count += names.len();
    }
    assert!(count > 100, "only {count} cases were found");
}
