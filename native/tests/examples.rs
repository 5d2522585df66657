//! The programs in `examples/` run, and print what happens.
#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

/// Starts an example for a new folder, waits until it watches, makes a file, and waits until it is printed.
#[track_caller]
fn prints(example: &str, arguments: &[&str], printed: &str) {
    let folder = tempfile::tempdir().unwrap();
    let of_tests = env::current_exe().unwrap();
    let program = of_tests.ancestors().nth(2).unwrap().join("examples").join(example);
    let mut process = Command::new(&program)
        .args(arguments)
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo build --examples` builds it", program.display())
        });
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("watching") || line.contains("\"ready\":true")));
    fs::write(folder.path().join("new"), "").unwrap();
    let found = lines.find(|line| line.contains(printed));
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(found.is_some(), "{example} ends without printing {printed:?}");
}

#[test]
fn watch() {
    prints("watch", &["--json"], "\"kind\":\"create/");
}

#[test]
fn recommended() {
    prints("recommended", &[], "Create(");
}
