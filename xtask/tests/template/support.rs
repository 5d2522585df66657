//! Folders, `xtask` and cargo for the tests.

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::LazyLock,
};

use walkdir::{DirEntry, WalkDir};

/// The starting points: the folders of `template/src`, sorted by name.
pub(crate) static STARTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folders = fs::read_dir(repository().join("template/src")).unwrap();
    let mut names: Vec<_> =
        folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
});

/// The name that stands for the type in the sources of a starting point.
pub(crate) fn type_name(start: &str) -> String {
    let source = read(&repository().join("template/src").join(start).join("lib.rs"));
    let (before, _) = source.split_once("\", type_name").unwrap();
    before.rsplit_once('"').unwrap().1.into()
}

/// What a starting point says of itself.
pub(crate) fn about(start: &str) -> toml::Table {
    let file = repository().join("template/src").join(start).join("start.toml");
    toml::from_str(&read(&file)).unwrap()
}

/// The root of this repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A repository with all that git would take of this one's files that make the template, changes
/// that are not committed included, as a clone on a machine that prefers other line endings has them.
pub(crate) fn clone(name: &str) -> PathBuf {
    let origin = folder(&format!("{name}-origin"));
    copy_files(&[".gitattributes", "cargo-generate.toml", "template"], &origin);
    passes(git(&origin).args(["init", "--quiet"]));
    commit(&origin);
    let clone = folder(name);
    let mut command = git(&clone);
    passes(command.args(["clone", "--quiet", "-c", "core.autocrlf=true"]).arg(&origin).arg("."));
    clone
}

/// Copies all that git would take of these parts of the repository.
pub(crate) fn copy_files(parts: &[&str], to: &Path) {
    let mut listed = git(repository());
    listed.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]);
    let listed = passes(listed.args(parts));
    for path in listed.split_terminator('\0') {
        let to = to.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(repository().join(path), to).unwrap();
    }
}

/// `cargo xtask` as it runs in another checkout than this.
pub(crate) fn xtask_of<'a>(
    checkout: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Command {
    let mut command = xtask(arguments);
    command.env("CARGO_MANIFEST_DIR", checkout.join("xtask"));
    command
}

/// git in a folder, for an author named Ada.
pub(crate) fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).stdin(Stdio::null());
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada");
        command.env(format!("GIT_{role}_EMAIL"), "ada@example.org");
    }
    command
}

/// Commits all that is in a repository.
pub(crate) fn commit(repository: &Path) {
    passes(git(repository).args(["add", "--all"]));
    passes(git(repository).args(["commit", "--quiet", "--message", "All"]));
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

/// cargo in a folder of ours.
pub(crate) fn cargo(project: &Path, arguments: &[&str]) -> Command {
    let mut command = in_project(env::var_os("CARGO").unwrap(), project);
    command.args(arguments);
    command
}

/// A program in a folder of ours, which may run cargo. What the crates there depend on has the versions
/// of this repository, and is built in the same folder and in the same way: most of it is there already.
/// What is to be run, each crate has for itself.
///
/// Every build lints, by clippy's compiler, and a warning is an error: what `cargo clippy` does,
/// without building everything once more.
pub(crate) fn in_project(program: impl AsRef<OsStr>, project: &Path) -> Command {
    let lock = project.join("Cargo.lock");
    if !lock.exists() {
        fs::copy(repository().join("Cargo.lock"), lock).unwrap();
    }
    let mut command = Command::new(program);
    command
        .current_dir(project)
        .stdin(Stdio::null())
        .env("CARGO_BUILD_BUILD_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap())
        .env("CARGO_TARGET_DIR", project.join("target"))
        .env("RUSTC_WORKSPACE_WRAPPER", own_compiler(project))
        .env("CLIPPY_ARGS", "-Dwarnings")
        .env("CARGO_INCREMENTAL", "0")
        // As the manifest here has it for dependencies.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_DEV_BUILD_OVERRIDE_CODEGEN_UNITS", "1")
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// A compiler with a name of its own for each project. To cargo, crates of one name and version are
/// one and the same in whatever folder: where they share a build folder, a test would run what another
/// one has built meanwhile. But the compiler's name is a part of those of the artifacts.
fn own_compiler(project: &Path) -> PathBuf {
    let compiler =
        scratch("compilers").join(project.strip_prefix("/").unwrap_or(project)).join("rustc");
    if !compiler.exists() {
        fs::create_dir_all(compiler.parent().unwrap()).unwrap();
        // Another thread may have been as fast.
        _ = symlink(repository().join("xtask/tests/template/rustc"), &compiler);
    }
    compiler
}

/// The files that cargo would publish, one per line.
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
