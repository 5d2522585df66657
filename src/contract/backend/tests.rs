//! The paths that [`check_paths`] refuses, depending on their types.

use std::fs;

use tempfile::TempDir;

use super::{Watch, check_paths};
use crate::contract::{
    capability::{Capabilities, Capability},
    error::BackendError,
};

/// Creates a folder that holds a file and another folder.
fn scene() -> TempDir {
    let scene = tempfile::tempdir().unwrap();
    fs::write(scene.path().join("file"), "").unwrap();
    fs::create_dir(scene.path().join("folder")).unwrap();
    scene
}

/// Returns the capability that is missing, and the names of the paths that were refused for it.
fn refused(watches: &[Watch], declared: &[Capability]) -> Option<(Capability, Vec<String>)> {
    let declared = declared.iter().copied().collect::<Capabilities>();
    match check_paths(watches, declared) {
        Ok(()) => None,
        Err(BackendError::NotSupported { capability, paths }) => {
            let names = paths.iter().map(|path| path.file_name().unwrap().display().to_string());
            Some((capability, names.collect()))
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn file_needs_watch_files() {
    let scene = scene();
    let watches = ["folder", "file"].map(|name| Watch::recursive(scene.path().join(name)));
    let declared = [Capability::WatchFolders, Capability::WatchRecursively];
    assert_eq!(refused(&watches, &declared), Some((Capability::WatchFiles, vec!["file".into()])));
}

#[test]
fn file_needs_no_recursion() {
    let scene = scene();
    let watch = Watch::recursive(scene.path().join("file"));
    assert_eq!(refused(&[watch], &[Capability::WatchFiles]), None);
}

#[test]
fn every_folder_that_needs_recursion_is_named() {
    let scene = scene();
    fs::create_dir(scene.path().join("other")).unwrap();
    let watches = ["folder", "file", "other"].map(|name| Watch::recursive(scene.path().join(name)));
    let declared = [Capability::WatchFiles, Capability::WatchFolders];
    let folders = vec!["folder".into(), "other".into()];
    assert_eq!(refused(&watches, &declared), Some((Capability::WatchRecursively, folders)));
}

#[test]
#[cfg(unix)]
fn link_counts_as_its_target_only_if_it_is_followed() {
    let scene = scene();
    let link = scene.path().join("link");
    std::os::unix::fs::symlink("folder", &link).unwrap();
    let declared = [Capability::WatchFolders, Capability::FollowSymlinks];
    let followed = Watch::non_recursive(&link).following_links();
    assert_eq!(refused(&[followed], &declared), None);
    let kept = Watch::non_recursive(&link);
    assert_eq!(refused(&[kept], &declared), Some((Capability::WatchFiles, vec!["link".into()])));
}

#[test]
fn missing_paths_are_the_first_error() {
    let watches = [Watch::recursive("/no/such/path"), Watch::non_recursive("/").with_access()];
    let error = check_paths(&watches, Capabilities::NONE).unwrap_err();
    assert!(matches!(error, BackendError::NotFound { .. }), "{error}");
}
