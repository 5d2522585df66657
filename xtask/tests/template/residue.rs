//! No trace of the template is left in a crate, whatever the answers.

use std::{collections::BTreeSet, fs, path::Path, thread};

use saphyr::{LoadableYamlNode, Yaml};

use crate::{
    generated::all_files,
    support::{STARTS, clone, entries, files, folder, passes, type_name, xtask_of},
};

const NAME: &str = "notify-backend-demo";

/// The licences, and the files with their texts.
const LICENCES: [(&str, &[&str]); 5] = [
    ("Apache-2.0", &["LICENSE-APACHE"]),
    ("MIT", &["LICENSE-MIT"]),
    ("MIT OR Apache-2.0", &["LICENSE-APACHE", "LICENSE-MIT"]),
    ("MPL-2.0", &["LICENSE-MPL"]),
    ("none", &[]),
];

/// The kinds of repositories, each with a description that looks like a template.
const REPOSITORIES: [(&str, &str); 4] = [
    ("", "{{ x }}"),
    ("ada", "{% x"),
    ("https://github.com/ada/acme.git", "}}"),
    ("https://git.example.org/ada", "${{ y }}"),
];

#[test]
fn some_answers_together() {
    thread::scope(|scope| {
        for start in STARTS.iter() {
            scope.spawn(|| some_answers(start));
        }
    });
}

#[test]
#[ignore = "takes long, and the other tests here combine every two answers"]
fn every_combination() {
    for start in STARTS.iter() {
        answers(start, &[true, false]);
    }
}

/// Generates crates with each licence and each kind of repository together, and each of the two with and
/// without CI.
fn some_answers(start: &str) {
    answers(start, &[true]);
}

/// Generates a crate for each licence and each kind of repository, with and without CI alternately, in each
/// of these orders.
fn answers(start: &str, orders: &[bool]) {
    let template = clone(&format!("residue-{start}-clone"));
    for (i, (license, texts)) in LICENCES.into_iter().enumerate() {
        for (j, (repository, description)) in REPOSITORIES.into_iter().enumerate() {
            for order in orders {
                let ci = ((i + j) % 2 == 0) == *order;
                let parent = folder(&format!("residue-{start}"));
                let mut new = xtask_of(&template, ["new", NAME, "--destination"]);
                new.arg(&parent);
                let answers = [
                    format!("start={start}"),
                    format!("license={license}"),
                    format!("ci={ci}"),
                    format!("repository={repository}"),
                    format!("description={description}"),
                ];
                passes(new.args(answers.iter().flat_map(|answer| ["-d", answer])));
                check(&parent.join(NAME), &expected(start, texts, ci), description);
            }
        }
    }
}

/// Returns the files of a crate, without those that the answers exclude.
fn expected(start: &str, licences: &[&str], ci: bool) -> BTreeSet<String> {
    let is_open = !licences.is_empty();
    let is_made = |path: &str| match path {
        _ if path.starts_with("LICENSE") => false,
        ".github/workflows/release.yml" => ci && is_open,
        "PUBLISHING.md" => is_open,
        _ => ci || !path.starts_with(".github/"),
    };
    let all = all_files(start).into_iter().filter(|path| is_made(path));
    all.chain(licences.iter().map(|licence| String::from(*licence))).collect()
}

fn check(project: &Path, expected: &BTreeSet<String>, description: &str) {
    let files = files(project);
    let paths: BTreeSet<_> = files.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(&paths, expected);
    for (path, text) in files {
        check_syntax(&path, &text);
        check_text(&path, &text.replace(description, "text").replace("${{", ""));
    }
    for folder in entries(project).iter().filter(|entry| entry.file_type().is_dir()) {
        let mut inside = fs::read_dir(folder.path()).unwrap();
        assert!(inside.next().is_some(), "{} is empty", folder.path().display());
    }
}

fn check_syntax(path: &str, text: &str) {
    match path.rsplit('.').next() {
        Some("toml") => drop(toml::from_str::<toml::Table>(text).unwrap()),
        Some("yml") => assert_eq!(Yaml::load_from_str(text).unwrap().len(), 1, "{path}"),
        _ => {}
    }
}

fn check_text(path: &str, text: &str) {
    let marks = ["{{", "{%", "%}", "//~", "#~"].map(String::from).into_iter();
    let names = STARTS.iter().flat_map(|it| [format!("notify_backend_{it}"), type_name(it)]);
    for mark in marks.chain(names) {
        assert!(!text.contains(&mark), "{mark} in {path}");
    }
    assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "end of {path}");
    // The licences have their official texts.
    let is_told = !path.starts_with("LICENSE");
    assert!(!is_told || !text.contains("\n\n\n"), "two empty lines in {path}");
    let is_trimmed = text.lines().all(|line| line.trim_end() == line);
    assert!(!is_told || is_trimmed, "a space at an end in {path}");
    for address in text.split("https://").skip(1).filter(|_| is_told) {
        let address = address.split([')', '"', '>', ' ', '\n']).next().unwrap();
        assert!(!address.is_empty() && !address.contains("//"), "{address:?} in {path}");
    }
}
