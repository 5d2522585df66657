//! Folders, `xtask` and cargo for the tests.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use walkdir::WalkDir;

/// The root of this repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// An empty folder that no other test uses. Its path is the same in each run, so that cargo builds
/// again what has changed, and nothing else.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The paths of the files below `folder`, `/` between their parts, sorted; git's are left out.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    entries
        .filter_entry(|entry| entry.file_name() != ".git")
        .map(Result::unwrap)
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).unwrap();
            path.components()
                .map(|it| it.as_os_str().to_str().unwrap())
                .collect::<Vec<_>>()
                .join("/")
        })
        .collect()
}

/// `cargo xtask` with these arguments, without a terminal.
pub(crate) fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A crate generated into `parent`.
pub(crate) fn new(name: &str, start: &str, parent: &Path) -> PathBuf {
    let parent_text = parent.to_str().unwrap();
    passes(xtask(&["new", name, "--start", start, "--destination", parent_text]));
    parent.join(name)
}

/// cargo in a generated crate. All of them share one target folder: what they depend on is built
/// once.
pub(crate) fn cargo(project: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap());
    command
        .args(arguments)
        .current_dir(project)
        .stdin(Stdio::null())
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// Runs a command that must succeed; returns all it printed.
#[track_caller]
pub(crate) fn passes(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{command:?} failed:\n{text}");
    text
}

/// What a command printed, on both of its outputs.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}
