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

/// Every two answers together: each starting point with each licence and each kind of repository, these two with each
/// other, and all of them with and without CI.
#[test]
fn some_answers_together() {
    let template = clone("residue-clone");
    let mut pairs = BTreeSet::new();
    for (i, start) in STARTS.iter().enumerate() {
        for (j, licence) in LICENCES.into_iter().enumerate() {
            let repository = REPOSITORIES[(i + j) % REPOSITORIES.len()];
            let ci = i.div_ceil(2) % 2 == j % 2;
            check_answers(&template, "residue", start, licence, repository, ci);
            let ci = if ci { "with CI" } else { "without CI" };
            let answers = [start, licence.0, repository.0, ci];
            pairs.extend(answers.map(|one| answers.map(|other| (one, other))).concat());
        }
    }
    let answers: [Vec<&str>; 4] = [
        STARTS.iter().map(String::as_str).collect(),
        LICENCES.map(|(licence, _)| licence).into(),
        REPOSITORIES.map(|(repository, _)| repository).into(),
        vec!["with CI", "without CI"],
    ];
    for (i, some) in answers.iter().enumerate() {
        for (one, other) in some
            .iter()
            .flat_map(|one| answers[i + 1..].iter().flatten().map(move |other| (*one, *other)))
        {
            assert!(pairs.contains(&(one, other)), "{one:?} and {other:?} are not combined");
        }
    }
}

#[test]
#[ignore = "takes long, and the other test here combines every two answers"]
fn every_combination() {
    thread::scope(|scope| {
        for start in STARTS.iter() {
            scope.spawn(move || {
                let name = format!("residue-{start}");
                let template = clone(&format!("{name}-clone"));
                for licence in LICENCES {
                    for repository in REPOSITORIES {
                        for ci in [true, false] {
                            check_answers(&template, &name, start, licence, repository, ci);
                        }
                    }
                }
            });
        }
    });
}

/// Generates a crate with these answers into the folder `name`, and checks it.
fn check_answers(
    template: &Path,
    name: &str,
    start: &str,
    (license, texts): (&str, &[&str]),
    (repository, description): (&str, &str),
    ci: bool,
) {
    let parent = folder(name);
    let mut new = xtask_of(template, ["new", NAME, "--destination"]);
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
