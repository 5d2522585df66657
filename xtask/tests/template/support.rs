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

/// Returns the name of the type in the sources of a starting point.
pub(crate) fn type_name(start: &str) -> String {
    let source = read(&repository().join("template/src").join(start).join("lib.rs"));
    let (before, _) = source.split_once("\", type_name").unwrap();
    before.rsplit_once('"').unwrap().1.into()
}

/// Returns the `start.toml` of a starting point.
pub(crate) fn about(start: &str) -> toml::Table {
    let file = repository().join("template/src").join(start).join("start.toml");
    toml::from_str(&read(&file)).unwrap()
}

/// Returns the root of this repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Creates a clone that has the template's files, including uncommitted changes, as on a machine that prefers
/// other line endings.
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

/// Copies these parts of the repository, without the files that git ignores.
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

/// Returns `cargo xtask` as it runs in another checkout.
pub(crate) fn xtask_of<'a>(
    checkout: &Path,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Command {
    let mut command = xtask(arguments);
    command.env("CARGO_MANIFEST_DIR", checkout.join("xtask"));
    command
}

/// Returns a git command in a folder, with an author named Ada.
pub(crate) fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).stdin(Stdio::null());
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "Ada");
        command.env(format!("GIT_{role}_EMAIL"), "ada@example.org");
    }
    command
}

/// Commits everything in a repository.
pub(crate) fn commit(repository: &Path) {
    passes(git(repository).args(["add", "--all"]));
    passes(git(repository).args(["commit", "--quiet", "--message", "All"]));
}

/// Creates an empty folder that no other test uses. Its path is the same in each run, so that cargo rebuilds
/// only what has changed.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = scratch(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Returns a path for files that one run may leave to the next.
pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("template").join(name)
}

/// Returns all files and folders below `folder`, sorted, without git's.
pub(crate) fn entries(folder: &Path) -> Vec<DirEntry> {
    let entries = WalkDir::new(folder).min_depth(1).sort_by_file_name().into_iter();
    entries.filter_entry(|entry| entry.file_name() != ".git").map(Result::unwrap).collect()
}

/// Returns the text of each file below `folder`, with its path, separated by `/`.
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

/// Sets the repository's address in a checkout, in the only place where it is set, and brings the rest up to date.
pub(crate) fn with_address(checkout: &Path, address: &str) {
    let manifest = checkout.join("Cargo.toml");
    let text = read(&manifest);
    let others = text.lines().filter(|line| !line.starts_with("repository = "));
    let mut text = others.flat_map(|line| [line, "\n"]).collect::<String>();
    let line = format!("\n[package]\nrepository = {address:?}\n");
    text = text.replacen("\n[package]\n", &line, 1);
    fs::write(&manifest, text).unwrap();
    passes(&mut xtask_of(checkout, ["sync"]));
}

#[track_caller]
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
pub(crate) fn manifest(project: &Path) -> toml::Table {
    toml::from_str(&read(&project.join("Cargo.toml"))).unwrap()
}

/// Returns `cargo xtask` with these arguments, an author named Ada, and no terminal.
pub(crate) fn xtask<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).stdin(Stdio::null());
    command.env("CARGO_NAME", "Ada").env("CARGO_EMAIL", "ada@example.org");
    command
}

/// Returns `cargo xtask new` into `parent`.
pub(crate) fn new(name: &str, parent: &Path) -> Command {
    xtask(["new", name, "--destination", parent.to_str().unwrap()])
}

/// Generates a crate into `parent`, with answers of the form `KEY=VALUE`.
#[track_caller]
pub(crate) fn generate(name: &str, parent: &Path, answers: &[&str]) -> PathBuf {
    let mut command = new(name, parent);
    passes(command.args(answers.iter().flat_map(|answer| ["-d", answer])));
    parent.join(name)
}

/// Returns a cargo command in a test's folder.
pub(crate) fn cargo(project: &Path, arguments: &[&str]) -> Command {
    let mut command = in_project(env::var_os("CARGO").unwrap(), project);
    command.args(arguments);
    command
}

/// Returns a command in a test's folder, which may run cargo. Dependencies have the versions of this
/// repository, and are built in the same folder and in the same way, so most are built already. Each crate has
/// its own folder for the programs.
///
/// Every build lints with clippy's compiler, and a warning is an error. That does what `cargo clippy` does
/// without a second build.
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
        // As for dependencies in this repository's manifest.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_DEV_BUILD_OVERRIDE_CODEGEN_UNITS", "1")
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// Returns a compiler with a different path for each project. cargo takes crates with the same name and
/// version for one crate, so with a shared build folder, a test could run what another test has just built.
/// The compiler's path, however, is part of the names of the artifacts.
fn own_compiler(project: &Path) -> PathBuf {
    let compiler =
        scratch("compilers").join(project.strip_prefix("/").unwrap_or(project)).join("rustc");
    if !compiler.exists() {
        fs::create_dir_all(compiler.parent().unwrap()).unwrap();
        // Another thread may have created it already.
        _ = symlink(repository().join("xtask/tests/template/rustc"), &compiler);
    }
    compiler
}

/// Returns the files that cargo would publish, one per line.
pub(crate) fn package_list(project: &Path) -> String {
    let output = cargo(project, &["package", "--list", "--allow-dirty"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must succeed; returns its output.
#[track_caller]
pub(crate) fn passes(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{command:?} failed:\n{text}");
    text
}

/// Runs a command that must fail; returns its output.
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
