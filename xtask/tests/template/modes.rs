//! A crate's files get the modes that the user's new files get, not those of the clone.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use walkdir::WalkDir;

use crate::{
    support::{clone, entries, folder, passes, xtask_of},
    upgrade::{NAME, made_in},
};

/// Sets the modes of all files and folders of a clone, except git's own.
fn set_modes(clone: &Path, file: u32, folder: u32) {
    for entry in WalkDir::new(clone).contents_first(true) {
        let entry = entry.unwrap();
        if !entry.path().starts_with(clone.join(".git")) {
            let mode = if entry.file_type().is_dir() { folder } else { file };
            fs::set_permissions(entry.path(), Permissions::from_mode(mode)).unwrap();
        }
    }
}

/// Creates a crate from a clone's template, for a user with a strict umask.
fn made_with_umask(clone: &Path, parent: &Path) -> PathBuf {
    let new = xtask_of(clone, ["new", NAME, "--destination", parent.to_str().unwrap()]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 027 && exec \"$@\"", "sh"]).arg(new.get_program());
    shell.args(new.get_args());
    passes(shell.envs(new.get_envs().filter_map(|(name, value)| Some((name, value?)))));
    parent.join(NAME)
}

#[test]
fn those_of_the_user() {
    let clone = clone("modes-clone");
    // A read-only checkout, and one on a file system without modes.
    for (file, place) in [(0o444, 0o555), (0o777, 0o777)] {
        set_modes(&clone, file, place);
        let project = made_with_umask(&clone, &folder("modes"));
        set_modes(&clone, 0o644, 0o755);
        for entry in entries(&project) {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            let expected = if entry.file_type().is_dir() { 0o750 } else { 0o640 };
            assert_eq!(mode, expected, "{}: {mode:o}", entry.path().display());
        }
    }
}

/// Some package managers install a package as links to its files.
#[test]
fn template_that_consists_of_links() {
    let clone = clone("links-clone");
    let links = folder("links");
    for part in ["cargo-generate.toml", "template"] {
        symlink(clone.join(part), links.join(part)).unwrap();
    }
    let project = made_in(&links, &folder("links-made"));
    assert!(project.join("src/lib.rs").is_file());
}
