//! Folders, `xtask` and cargo for the tests.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use walkdir::{DirEntry, WalkDir};

/// The starting points.
pub(crate) const STARTS: [&str; 3] = ["inotify", "poll", "skeleton"];

/// The root of this repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// An empty folder that no other test uses. Its path is the same in each run, so that cargo builds
/// again what has changed, and nothing else.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A path for what one run may leave to the next.
pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("template").join(name)
}

/// All files and folders below `folder`, sorted; git's are left out.
pub(crate) fn entries(folder: &Path) -> Vec<DirEntry> {
    let entries = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
    entries.filter_entry(|entry| entry.file_name() != ".git").map(Result::unwrap).collect()
}

/// The text of each file below `folder`, with its path, `/` between the parts.
pub(crate) fn files(folder: &Path) -> Vec<(String, String)> {
    let files = entries(folder).into_iter().filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).unwrap();
            let parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap()).collect();
            (parts.join("/"), read(entry.path()))
        })
        .collect()
}

#[track_caller]
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
pub(crate) fn manifest(project: &Path) -> toml::Table {
    toml::from_str(&read(&project.join("Cargo.toml"))).unwrap()
}

/// `cargo xtask` with these arguments, for an author named Ada, without a terminal.
pub(crate) fn xtask<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).stdin(Stdio::null());
    command.env("CARGO_NAME", "Ada").env("CARGO_EMAIL", "ada@example.org");
    command
}

/// `cargo xtask new` into `parent`.
pub(crate) fn new(name: &str, parent: &Path) -> Command {
    xtask(["new", name, "--destination", parent.to_str().unwrap()])
}

/// A crate generated into `parent`, with answers of the form `KEY=VALUE`.
#[track_caller]
pub(crate) fn generate(name: &str, parent: &Path, answers: &[&str]) -> PathBuf {
    let mut command = new(name, parent);
    passes(command.args(answers.iter().flat_map(|answer| ["-d", answer])));
    parent.join(name)
}

/// cargo in a folder of ours. All of them share one target folder: what they depend on is built
/// once, in the versions of this repository.
pub(crate) fn cargo(project: &Path, arguments: &[&str]) -> Command {
    let lock = project.join("Cargo.lock");
    if !lock.exists() {
        fs::copy(repository().join("Cargo.lock"), lock).unwrap();
    }
    let mut command = Command::new(env::var_os("CARGO").unwrap());
    command
        .args(arguments)
        .current_dir(project)
        .stdin(Stdio::null())
        .env("CARGO_TARGET_DIR", scratch("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// The files that cargo would publish, one a line.
pub(crate) fn package_list(project: &Path) -> String {
    let output = cargo(project, &["package", "--list", "--allow-dirty"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must succeed; returns all that it printed.
#[track_caller]
pub(crate) fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{command:?} failed:\n{text}");
    text
}

/// Runs a command that must fail; returns all that it printed.
#[track_caller]
pub(crate) fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = text(&output);
    assert!(!output.status.success(), "{command:?} should have failed, and printed:\n{text}");
    text
}

pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}
