//! What is asked of git: who the author is, a repository for the new crate, and older templates.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// The environment variables that are missing for cargo-generate to find an author; `None` where it
/// finds one.
///
/// It is built without git support and sees the environment alone, and it fails where that names
/// nobody, as in a bare container. There the author stays empty.
pub(crate) fn missing_author() -> Option<Vec<(&'static str, String)>> {
    let is_set = |name: &&str| env::var(name).is_ok();
    if ["CARGO_NAME", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].iter().any(is_set) {
        return None;
    }
    let user = ["USER", "USERNAME", "NAME"].iter().find_map(|name| env::var(name).ok());
    let name = config("user.name").or(user).unwrap_or_default();
    let mut author = vec![("CARGO_NAME", name)];
    if !["CARGO_EMAIL", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].iter().any(is_set) {
        author.extend(config("user.email").map(|email| ("CARGO_EMAIL", email)));
    }
    Some(author)
}

/// A value of git's configuration; none where there is no git.
fn config(key: &str) -> Option<String> {
    let output = Command::new("git").args(["config", key]).stderr(Stdio::null()).output().ok()?;
    let value = String::from_utf8(output.stdout).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.into())
}

/// Makes a repository in `folder`, as `cargo new` does, unless it lies in one already or there is no
/// git.
pub(crate) fn init(folder: &Path) -> Result<()> {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.status()
    };
    if let Ok(inside) = git(&["rev-parse", "--is-inside-work-tree"])
        && !inside.success()
    {
        let made = git(&["init", "--quiet"])?;
        ensure!(made.success(), "git init failed in {}", folder.display());
    }
    Ok(())
}

/// Whether a folder holds changes that are not committed; none where there is no repository.
pub(crate) fn has_changes(folder: &Path) -> Result<bool> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["status", "--porcelain", "--", "."]);
    let output = command.stderr(Stdio::null()).output().context("cannot run git")?;
    Ok(!output.stdout.is_empty())
}

/// Writes the files of a revision into a folder. `false` if the repository has no such revision.
pub(crate) fn export(repository: &Path, revision: &str, folder: &Path) -> Result<bool> {
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        // An index of its own: that of the repository stays as it is.
        command.arg("-C").arg(repository).env("GIT_INDEX_FILE", folder.join(".index"));
        let command = command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().context("cannot run git")
    };
    if !git(&["read-tree", "--end-of-options", &format!("{revision}^{{tree}}")])?.success() {
        return Ok(false);
    }
    let prefix = format!("--prefix={}/", folder.display());
    ensure!(git(&["checkout-index", "--all", &prefix])?.success(), "git cannot write {revision}");
    Ok(true)
}
