//! Calls to git: its configuration, a repository for the new crate, older templates, and merges.

use std::{
    io,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// The variables that make git use another repository than the folder's. Git sets them for hooks.
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

/// Returns a value of git's configuration; `None` also if git is not installed.
pub(crate) fn config(key: &str) -> Option<String> {
    let output = Command::new("git").args(["config", key]).stderr(Stdio::null()).output().ok()?;
    let value = String::from_utf8(output.stdout).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.into())
}

/// Returns a git command that runs in a folder and uses the repository of that folder.
fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(arguments).stdin(Stdio::null());
    // `is_in_repository` reads its messages.
    git.env("LC_ALL", "C");
    for variable in ELSEWHERE {
        git.env_remove(variable);
    }
    git
}

fn run(git: &mut Command) -> Result<Output> {
    git.output().context("cannot run git")
}

/// Returns git's error message.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    if said.is_empty() { format!("git failed: {}", output.status) } else { format!("git: {said}") }
}

/// Runs git and returns its output; fails if git fails.
fn ask(git: &mut Command) -> Result<Vec<u8>> {
    let output = run(git)?;
    if !output.status.success() {
        bail!(complaint(&output));
    }
    Ok(output.stdout)
}

/// Returns whether a folder lies in a repository. Fails if git cannot tell, for instance because the
/// repository belongs to another user.
fn is_in_repository(folder: &Path) -> Result<bool> {
    let output = run(&mut git(folder, &["rev-parse", "--git-dir"]))?;
    if output.status.success() {
        return Ok(true);
    }
    let complaint = complaint(&output);
    // The message goes on with "of the parent directories" or "parent up to mount point". Without that,
    // the repository is damaged.
    if complaint.contains("not a git repository (or any") {
        return Ok(false);
    }
    bail!(complaint)
}

/// Creates a repository in `folder`, as `cargo new` does, unless it already lies in one or git is not
/// installed.
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

/// Returns whether a folder has uncommitted changes; `false` if it is in no repository.
pub(crate) fn has_changes(folder: &Path) -> Result<bool> {
    if !is_in_repository(folder)? {
        return Ok(false);
    }
    // The user's configuration may hide some of these.
    let all = ["--untracked-files=normal", "--ignore-submodules=none"];
    let mut status = git(folder, &["status", "--porcelain"]);
    Ok(!ask(status.args(all).args(["--", "."]))?.is_empty())
}

/// Writes the files of a revision into a folder. Returns `false` if the repository has no such revision.
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
        // A temporary index, which leaves the repository's own as it is.
        ask(git.env("GIT_INDEX_FILE", folder.join(".index")))
            .with_context(|| format!("cannot extract {revision} from the repository"))?;
    }
    Ok(true)
}

/// Applies the differences between `old` and `new` to the file `ours`. Returns the merged text, and whether
/// it has conflict markers. Each file comes with its label for the markers.
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
    // The exit code is the number of conflicts, at most 127.
    match output.status.code() {
        Some(0) => Ok((output.stdout, false)),
        Some(1..=127) => Ok((output.stdout, true)),
        _ => bail!(complaint(&output)),
    }
}
