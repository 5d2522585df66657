//! Bad input gets one clear line, and leaves nothing behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{STARTS, clone, entries, fails, folder, new, repository, xtask, xtask_of};

const NAME: &str = "notify-backend-demo";

#[test]
fn destination_is_missing() {
    let parent = folder("missing");
    refuses(new(NAME, &parent.join("nowhere")), &parent, &["nowhere does not exist; create it"]);
}

#[test]
fn destination_is_a_file() {
    let parent = folder("file");
    fs::write(parent.join("file"), "").unwrap();
    refuses(new(NAME, &parent.join("file")), &parent, &["file is not a folder"]);
}

#[test]
fn destination_is_in_this_repository() {
    let src = repository().join("src");
    refuses(new(NAME, &src), &src, &["is inside this repository", "--destination"]);
}

#[test]
fn crate_exists_already() {
    let parent = folder("there");
    fs::create_dir(parent.join(NAME)).unwrap();
    refuses(
        new(NAME, &parent),
        &parent,
        &["notify-backend-demo already exists; choose another name"],
    );
}

#[test]
#[cfg(unix)]
fn crate_is_a_dangling_link() {
    let parent = folder("link");
    std::os::unix::fs::symlink("nowhere", parent.join(NAME)).unwrap();
    refuses(
        new(NAME, &parent),
        &parent,
        &["notify-backend-demo already exists; choose another name"],
    );
}

#[test]
fn unknown_start() {
    let parent = folder("start");
    let choices = format!("choose one of {}", STARTS.join(", "));
    for arguments in [["--start", "dnotify"], ["-d", "start=dnotify"], ["--start", ""]] {
        let mut command = new(NAME, &parent);
        command.args(arguments);
        refuses(command, &parent, &["is not valid for start (from ", &choices]);
    }
}

#[test]
fn unknown_key() {
    let parent = folder("key");
    let mut command = new(NAME, &parent);
    command.args(["-d", "descripton=A typo"]);
    refuses(
        command,
        &parent,
        &["descripton", "the template asks for start, description, repository, license, ci"],
    );
}

#[test]
fn no_value() {
    let parent = folder("value");
    let mut command = new(NAME, &parent);
    command.args(["-d", "description"]);
    refuses(command, &parent, &[r#"-d "description" is not of the form KEY=VALUE"#]);
}

#[test]
fn description_is_not_one_line() {
    let parent = folder("description");
    for answer in ["description=", "description=one\ntwo", "description=\u{7}"] {
        let mut command = new(NAME, &parent);
        command.args(["-d", answer]);
        refuses(command, &parent, &["is not valid for description"]);
    }
}

#[test]
fn repository_is_not_an_address() {
    let parent = folder("repository-bad");
    for answer in [
        "ada/acme",
        "a--b",
        "-ada",
        "größe",
        "🦀",
        "{{ x }}",
        "http://github.com/ada/acme",
        "https://github.com/",
        "https://github.com//acme",
        "https://github.com/ada/acme/",
        "https://github.com/ada/../..",
        "https://github.com/ada/a\"b",
        "https://github.com/ada/a\\b",
        "https://ada:secret@github.com/ada/acme",
        "ada\n",
    ] {
        let mut command = new(NAME, &parent);
        command.args(["-d", &format!("repository={answer}")]);
        refuses(command, &parent, &["is not valid for repository", "Where will the source live?"]);
    }
}

#[test]
fn unknown_licence() {
    let parent = folder("licence-bad");
    for answer in ["license=", "license=mit", "license=MIT/Apache-2.0"] {
        let mut command = new(NAME, &parent);
        command.args(["-d", answer]);
        refuses(command, &parent, &["is not valid for license", "choose one of Apache-2.0, MIT,"]);
    }
}

#[test]
fn ci_is_not_a_boolean() {
    let parent = folder("ci-bad");
    for answer in ["ci=", "ci=yes", "ci=True"] {
        let mut command = new(NAME, &parent);
        command.args(["-d", answer]);
        refuses(command, &parent, &["is not valid for ci (from -d): it must be true or false"]);
    }
}

#[test]
fn values_file_is_not_one() {
    let parent = folder("values-bad");
    let file = parent.join("values.toml");
    let refused = |part: &str| {
        let mut command = new(NAME, &parent);
        command.arg("--values-file").arg(&file);
        refuses(command, &parent, &["values.toml", part]);
    };
    refused("cannot read");
    for (text, part) in [
        ("start = 'skeleton'", "in the table [values]"),
        ("[values]\nci = 1", "values.toml): it must be a string, true or false"),
    ] {
        fs::write(&file, text).unwrap();
        refused(part);
    }
}

/// A failure that cannot be foreseen happens after the folder was created, and removes it.
#[test]
fn failed_generation() {
    let clone = clone("failed-clone");
    fs::write(clone.join("template/pre.rhai"), "abort(`It fails.`);").unwrap();
    let parent = folder("failed");
    let temporary = folder("failed-temporary");
    let mut command = xtask_of(&clone, ["new", NAME, "--destination", parent.to_str().unwrap()]);
    assert!(fails(command.env("TMPDIR", &temporary)).contains("It fails."));
    assert!(listing(&parent).is_empty());
    assert!(listing(&temporary).is_empty());
}

#[test]
fn no_name() {
    assert!(fails(&mut xtask(["new"])).contains("<NAME>"));
}

/// Checks that the command fails with one line that contains all of `parts`, and leaves `parent` unchanged.
#[track_caller]
pub(crate) fn refuses(mut command: Command, parent: &Path, parts: &[&str]) {
    let before = listing(parent);
    let said = fails(&mut command);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("error: "), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    assert_eq!(listing(parent), before);
}

fn listing(folder: &Path) -> Vec<PathBuf> {
    entries(folder).into_iter().map(walkdir::DirEntry::into_path).collect()
}
