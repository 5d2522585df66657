//! Paths that need what Wine lacks: junctions, drives of `subst`, shares, and upper and lower case. Only Windows runs
//! these tests to their ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use notify_backend::prelude::*;
use notify_backend_windows::WindowsBackend;

use super::{folder, is_seen, is_wine, until, watching};

/// Runs a command. Returns whether it has arranged what it should; on Windows, it must have.
#[track_caller]
fn arranges(command: &mut Command, is_arranged: impl FnOnce() -> bool) -> bool {
    let output = command.output();
    let is_arranged = output.as_ref().is_ok_and(|it| it.status.success()) && is_arranged();
    assert!(is_arranged || is_wine(), "{command:?} fails: {output:?}");
    if !is_arranged {
        eprintln!("not tested: under Wine, {command:?} does nothing");
    }
    is_arranged
}

#[track_caller]
fn has_junction(link: &Path, target: &Path) -> bool {
    let mut command = Command::new("cmd");
    command.args(["/C", "mklink", "/J"]).arg(link).arg(target);
    arranges(&mut command, || link.is_dir())
}

#[test]
fn beyond_a_junction() {
    let top = folder();
    let (target, link) = (top.path().join("target"), top.path().join("link"));
    fs::create_dir_all(target.join("below")).expect("folders can be made");
    if has_junction(&link, &target) {
        let mut backend = watching(&link.join("below"));
        is_seen(&mut backend, &target.join("below"), &link.join("below"), "file");
    }
}

#[test]
fn a_junction_in_a_tree() {
    let top = folder();
    let elsewhere = folder();
    let link = top.path().join("link");
    let mut backend = watching(top.path());
    if has_junction(&link, elsewhere.path()) {
        fs::write(elsewhere.path().join("file"), "").expect("a file can be made");
        fs::remove_dir(&link).expect("a link can be removed");
        fs::write(top.path().join("after"), "").expect("a file can be made");
        let paths = until(&mut backend, &top.path().join("after"));
        assert!(paths.contains(&link), "{paths:?}");
        assert!(!paths.contains(&link.join("file")), "{paths:?}");
    }
}

#[test]
fn a_watched_junction() {
    let top = folder();
    let elsewhere = folder();
    let link = top.path().join("link");
    if has_junction(&link, elsewhere.path()) {
        let watch = Watch::non_recursive(&link);
        let mut backend = WindowsBackend::new(vec![watch]).expect("it is watched");
        fs::write(elsewhere.path().join("file"), "").expect("a file can be made");
        fs::remove_dir(&link).expect("a link can be removed");
        let paths = until(&mut backend, &link);
        assert_eq!(paths, [link]);
    }
}

#[test]
fn on_a_drive_of_subst() {
    const DRIVE: &str = "Y:";

    let top = folder();
    let drive = PathBuf::from(format!(r"{DRIVE}\"));
    if arranges(Command::new("subst").arg(DRIVE).arg(top.path()), || drive.is_dir()) {
        let mut backend = watching(&drive);
        is_seen(&mut backend, top.path(), &drive, "file");
        drop(backend);
        assert!(arranges(Command::new("subst").args([DRIVE, "/D"]), || !drive.is_dir()));
    }
}

/// The machine itself shares its drives with its administrators.
#[test]
fn on_a_share() {
    let top = folder();
    let drive = top.path().to_str().expect("the path is Unicode");
    let share = PathBuf::from(format!(r"\\localhost\{}", drive.replacen(':', "$", 1)));
    if !share.is_dir() {
        eprintln!("not tested: {} cannot be reached", share.display());
        return;
    }
    let mut backend = watching(&share);
    is_seen(&mut backend, top.path(), &share, "file");
}

#[test]
fn where_names_differ_by_case() {
    let top = folder();
    let mut fsutil = Command::new("fsutil");
    fsutil.args(["file", "setCaseSensitiveInfo"]).arg(top.path()).arg("enable");
    let (lower, upper) = (top.path().join("name"), top.path().join("NAME"));
    fs::write(&lower, "").expect("a file can be made");
    if arranges(&mut fsutil, || !upper.exists()) {
        fs::write(&upper, "").expect("a file can be made");
        let mut backend = watching(&lower);
        fs::write(&upper, "text").expect("a file can be written");
        fs::write(&lower, "text").expect("a file can be written");
        let paths = until(&mut backend, &lower);
        assert_eq!(paths, [lower]);
    }
}

#[test]
fn renamed_in_case_alone() {
    let top = folder();
    let (lower, upper) = (top.path().join("name"), top.path().join("NAME"));
    fs::write(&lower, "").expect("a file can be made");
    let mut backend = watching(top.path());
    fs::rename(&lower, &upper).expect("a file can be renamed");
    let mut entries = fs::read_dir(top.path()).expect("the folder can be listed");
    if entries.any(|entry| entry.is_ok_and(|it| it.file_name() == "NAME")) {
        let paths = until(&mut backend, &upper);
        assert!(paths.contains(&lower), "{paths:?}");
    } else {
        assert!(is_wine(), "the file is not renamed");
        eprintln!("not tested: Wine does not rename a file in case alone");
    }
}
