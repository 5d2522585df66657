//! What is asked of git: its configuration, a repository for the new crate, older templates, and merges.

use std::{
    io,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// The variables that name another repository than that of the folder. A hook sets them.
const ELSEWHERE: [&str; 8] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_WORK_TREE",
];

/// Returns a value of git's configuration; none where there is no git.
pub(crate) fn config(key: &str) -> Option<String> {
    let output = Command::new("git").args(["config", key]).stderr(Stdio::null()).output().ok()?;
    let value = String::from_utf8(output.stdout).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.into())
}

/// git in a folder, and in the repository of that folder.
fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    // Its complaints are read here too.
    git.env("LC_ALL", "C");
    for variable in ELSEWHERE {
        git.env_remove(variable);
    }
    git
}

fn run(git: &mut Command) -> Result<Output> {
    git.output().context("cannot run git")
}

/// Returns what git says against it.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    if said.is_empty() { format!("git fails: {}", output.status) } else { format!("git: {said}") }
}

/// Runs git, which has to succeed; returns what it prints.
fn ask(git: &mut Command) -> Result<Vec<u8>> {
    let output = run(git)?;
    if !output.status.success() {
        bail!(complaint(&output));
    }
    Ok(output.stdout)
}

/// Returns whether a folder lies in a repository. An error where git cannot tell, as where the repository
/// belongs to another user.
fn is_in_repository(folder: &Path) -> Result<bool> {
    let output = run(&mut git(folder, &["rev-parse", "--git-dir"]))?;
    if output.status.success() {
        return Ok(true);
    }
    let complaint = complaint(&output);
    // It goes on with "of the parent directories" or "parent up to mount point"; without, it is about
    // a repository that is damaged.
    if complaint.contains("not a git repository (or any") {
        return Ok(false);
    }
    bail!(complaint)
}

/// Makes a repository in `folder`, as `cargo new` does, unless it lies in one already or there is no
/// git.
pub(crate) fn init(folder: &Path) -> Result<()> {
    let is_missing = |error: &anyhow::Error| {
        let error = error.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    match is_in_repository(folder) {
        Ok(false) => ask(&mut git(folder, &["init", "--quiet"])).map(drop),
        Err(error) if !is_missing(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Returns whether a folder holds changes that are not committed; none where there is no repository.
pub(crate) fn has_changes(folder: &Path) -> Result<bool> {
    if !is_in_repository(folder)? {
        return Ok(false);
    }
    // Whatever the user's configuration leaves out.
    let all = ["--untracked-files=normal", "--ignore-submodules=none"];
    let mut status = git(folder, &["status", "--porcelain"]);
    Ok(!ask(status.args(all).args(["--", "."]))?.is_empty())
}

/// Writes the files of a revision into a folder. `false` if the repository has no such revision.
pub(crate) fn export(repository: &Path, revision: &str, folder: &Path) -> Result<bool> {
    let verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", revision];
    let known = run(&mut git(repository, &verify))?;
    if known.status.code() == Some(1) && known.stderr.is_empty() {
        return Ok(false);
    }
    if !known.status.success() {
        bail!(complaint(&known));
    }
    let tree = format!("{revision}^{{tree}}");
    let prefix = format!("--prefix={}/", folder.display());
    for arguments in
        [&["read-tree", "--end-of-options", &tree][..], &["checkout-index", "--all", &prefix]]
    {
        let mut git = git(repository, arguments);
        // An index of its own: that of the repository stays as it is.
        ask(git.env("GIT_INDEX_FILE", folder.join(".index")))
            .with_context(|| format!("cannot take {revision} out of the repository"))?;
    }
    Ok(true)
}

/// Returns the file `ours` with what is different between `old` and `new`, and whether conflict markers are
/// in it. Each comes with a name for them.
pub(crate) fn merge_file(
    ours: (&Path, &str),
    old: (&Path, &str),
    new: (&Path, &str),
) -> Result<(Vec<u8>, bool)> {
    let mut merge = git(Path::new("."), &["merge-file", "--stdout"]);
    for (_, name) in [ours, old, new] {
        merge.args(["-L", name]);
    }
    let output = run(merge.args([ours, old, new].map(|(path, _)| path)))?;
    // It returns the number of conflicts, 127 at most.
    match output.status.code() {
        Some(0) => Ok((output.stdout, false)),
        Some(1..=127) => Ok((output.stdout, true)),
        _ => bail!(complaint(&output)),
    }
}
