//! Where git fails, nothing is taken for granted: a crate is not upgraded, and no repository is made in
//! another.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    support::{clone, commit, fails, files, folder, git, new, passes, read},
    upgrade::{NAME, made_in, older, upgrade},
};

/// A crate in a repository of its own, of which all is committed.
fn committed(clone: &Path, test: &str) -> PathBuf {
    let project = made_in(clone, &folder(test));
    passes(git(&project).args(["init", "--quiet"]));
    commit(&project);
    project
}

/// The command is refused with all of `parts`, and the crate is as before.
#[track_caller]
fn refuses(command: &mut Command, project: &Path, parts: &[&str]) {
    let before = files(project);
    let said = fails(command);
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    assert_eq!(files(project), before);
}

/// Changes that git cannot tell of are not "no changes".
#[test]
fn upgrade_of_what_git_cannot_tell() {
    let clone = clone("failing-git-clone");
    let project = committed(&clone, "failing-git");
    fs::write(project.join("CONTRIBUTING.md"), "# Mine\n").unwrap();
    let upgrade = || {
        let mut upgrade = upgrade(&clone, &project);
        upgrade.args(["--from", "HEAD", "-d", "ci=false"]);
        upgrade
    };
    refuses(&mut upgrade(), &project, &["has changes that are not committed"]);

    let unknown = "cannot tell whether";
    let mut anothers = upgrade();
    // As git's own tests make a repository of another user.
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

/// A file that nobody has added is a change, even where git is told not to show such.
#[test]
fn upgrade_with_files_that_git_is_told_to_hide() {
    let clone = clone("hidden-files-clone");
    let project = committed(&clone, "hidden-files");
    passes(git(&project).args(["config", "status.showUntrackedFiles", "no"]));
    fs::write(project.join("new.rs"), "// Mine.\n").unwrap();
    let mut upgrade = upgrade(&clone, &project);
    refuses(upgrade.args(["--from", "HEAD"]), &project, &["has changes that are not committed"]);
}

/// A hook of another repository names that one in the environment.
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

/// A damaged clone is not one that lacks the revision.
#[test]
fn template_that_git_cannot_read() {
    let clone = clone("unreadable-clone");
    let project = made_in(&clone, &folder("unreadable"));
    // Its folders stay, so that it is still a repository.
    for objects in fs::read_dir(clone.join(".git/objects")).unwrap() {
        let objects = objects.unwrap().path();
        fs::remove_dir_all(&objects).unwrap();
        fs::create_dir(objects).unwrap();
    }
    let mut upgrade = upgrade(&clone, &project);
    let parts = ["cannot take HEAD out of the repository", "git: fatal: "];
    refuses(upgrade.args(["--from", "HEAD"]), &project, &parts);
}

/// A file that cannot be merged keeps all others as they are.
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

/// Git that cannot look into the repository around a new crate has not said that there is none.
#[test]
fn new_crate_in_a_repository_that_git_cannot_read() {
    let parent = folder("unreadable-repository");
    passes(git(&parent).args(["init", "--quiet"]));
    let mut new = new(NAME, &parent);
    let said = passes(new.env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "true"));
    assert!(said.contains("note: no git repository was made for the crate: git: "), "{said}");
    assert!(said.contains("dubious ownership"), "{said}");
    assert!(!parent.join(NAME).join(".git").exists());
}

/// In a hook, the repository of the hook is another.
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
