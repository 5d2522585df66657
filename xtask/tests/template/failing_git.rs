//! If git fails, the commands assume the worst: a crate is not upgraded, and no repository is created in what
//! may be another.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    support::{clone, commit, fails, files, folder, git, new, passes, read},
    upgrade::{NAME, made_in, older, upgrade},
};

/// Returns a crate in its own repository, with everything committed.
fn committed(clone: &Path, test: &str) -> PathBuf {
    let project = made_in(clone, &folder(test));
    passes(git(&project).args(["init", "--quiet"]));
    commit(&project);
    project
}

/// Checks that the command fails with all of `parts`, and leaves the crate unchanged.
#[track_caller]
fn refuses(command: &mut Command, project: &Path, parts: &[&str]) {
    let before = files(project);
    let said = fails(command);
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    assert_eq!(files(project), before);
}

/// If git cannot tell whether there are changes, there may be some.
#[test]
fn upgrade_with_unknown_changes() {
    let clone = clone("failing-git-clone");
    let project = committed(&clone, "failing-git");
    fs::write(project.join("CONTRIBUTING.md"), "# Mine\n").unwrap();
    let upgrade = || {
        let mut upgrade = upgrade(&clone, &project);
        upgrade.args(["--from", "HEAD", "-d", "ci=false"]);
        upgrade
    };
    refuses(&mut upgrade(), &project, &["has uncommitted changes"]);

    let unknown = "cannot tell whether";
    let mut anothers = upgrade();
    // Git's own tests simulate a repository of another user this way.
    anothers.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "true");
    refuses(&mut anothers, &project, &[unknown, "dubious ownership"]);

    let index = project.join(".git/index");
    let kept = fs::read(&index).unwrap();
    fs::write(&index, "garbage").unwrap();
    refuses(&mut upgrade(), &project, &[unknown, "index file"]);
    fs::write(&index, kept).unwrap();

    fs::rename(project.join(".git"), folder("failing-git-elsewhere").join(".git")).unwrap();
    fs::write(project.join(".git"), "gitdir: /no/such/repository\n").unwrap();
    refuses(&mut upgrade(), &project, &[unknown, "not a git repository: /no/such"]);
}

/// An untracked file is a change, even if git is configured not to show it.
#[test]
fn upgrade_with_hidden_untracked_files() {
    let clone = clone("hidden-files-clone");
    let project = committed(&clone, "hidden-files");
    passes(git(&project).args(["config", "status.showUntrackedFiles", "no"]));
    fs::write(project.join("new.rs"), "// Mine.\n").unwrap();
    let mut upgrade = upgrade(&clone, &project);
    refuses(upgrade.args(["--from", "HEAD"]), &project, &["has uncommitted changes"]);
}

/// In a hook of another repository, the environment names that repository.
#[test]
fn upgrade_in_a_hook() {
    let (clone, project) = older("hook");
    passes(git(&project).args(["init", "--quiet"]));
    commit(&project);
    let other = folder("hook-other");
    passes(git(&other).args(["init", "--quiet"]));
    fs::write(other.join("file"), "").unwrap();
    let mut upgrade = upgrade(&clone, &project);
    upgrade.env("GIT_DIR", other.join(".git")).env("GIT_INDEX_FILE", other.join(".git/index"));
    passes(&mut upgrade);
    assert!(project.join("CONTRIBUTING.md").exists());
}

/// A damaged clone is reported as such, not as lacking the revision.
#[test]
fn template_that_git_cannot_read() {
    let clone = clone("unreadable-clone");
    let project = made_in(&clone, &folder("unreadable"));
    // The folders stay, so that it is still a repository.
    for objects in fs::read_dir(clone.join(".git/objects")).unwrap() {
        let objects = objects.unwrap().path();
        fs::remove_dir_all(&objects).unwrap();
        fs::create_dir(objects).unwrap();
    }
    let mut upgrade = upgrade(&clone, &project);
    let parts = ["cannot extract HEAD from the repository", "git: fatal: "];
    refuses(upgrade.args(["--from", "HEAD"]), &project, &parts);
}

/// If one file cannot be merged, no file is changed.
#[test]
fn file_that_git_cannot_merge() {
    let (clone, project) = older("unmergeable");
    fs::write(project.join("src/lib.rs"), b"// \0 makes it binary\n").unwrap();
    refuses(
        &mut upgrade(&clone, &project),
        &project,
        &["cannot merge src/lib.rs", "Cannot merge binary files"],
    );
}

/// A repository that git cannot read is still one, so no second one is created inside.
#[test]
fn new_crate_in_a_repository_that_git_cannot_read() {
    let parent = folder("unreadable-repository");
    passes(git(&parent).args(["init", "--quiet"]));
    let mut new = new(NAME, &parent);
    let said = passes(new.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "true"));
    assert!(said.contains("note: no git repository was created for the crate: git: "), "{said}");
    assert!(said.contains("dubious ownership"), "{said}");
    assert!(!parent.join(NAME).join(".git").exists());
}

/// In a hook, the environment names the hook's repository, not the crate's.
#[test]
fn new_crate_in_a_hook() {
    let parent = folder("new-in-hook");
    let other = folder("new-in-hook-other");
    passes(git(&other).args(["init", "--quiet"]));
    let config = read(&other.join(".git/config"));
    let mut new = new(NAME, &parent);
    new.env("GIT_DIR", other.join(".git")).env("GIT_CEILING_DIRECTORIES", parent.parent().unwrap());
    passes(&mut new);
    assert!(parent.join(NAME).join(".git").is_dir());
    assert_eq!(read(&other.join(".git/config")), config);
}
