//! The programs in `examples/` run, and print what they promise.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

/// A running example that watches its own folder.
struct Example {
    process: Child,
    printed: Lines<BufReader<ChildStdout>>,
    folder: TempDir,
}

impl Example {
    /// Starts an example, and waits until it says that it watches.
    fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let of_tests = env::current_exe().unwrap();
        let program = of_tests.ancestors().nth(2).unwrap().join("examples").join(name);
        let mut process = Command::new(&program)
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo build --examples` builds it", program.display())
            });
        let printed = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut example = Self { process, printed, folder };
        example.prints(&format!("watching {}", example.folder.path().display()));
        example
    }

    /// Waits until the example prints a line that contains `text`.
    fn prints(&mut self, text: &str) {
        let found = self.printed.find(|line| line.as_ref().unwrap().contains(text));
        assert!(found.is_some(), "it ends without printing {text:?}");
    }

    fn write(&self, name: &str) {
        fs::write(self.folder.path().join(name), "").unwrap();
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn minimal_backend() {
    let mut example = Example::start("minimal_backend");
    let folder = example.folder.path().display().to_string();
    example.prints(&format!("any {folder}"));
}

#[test]
fn stream() {
    let mut example = Example::start("stream");
    example.write("new");
    example.prints("create/file");
}

#[test]
fn through_notify() {
    let mut example = Example::start("through_notify");
    example.write("new");
    example.prints("Create(File)");
}

#[test]
fn fallback() {
    let mut example = Example::start("fallback");
    example.write("new");
    example.prints("create/file");
}
