//! The paths of Windows: every spelling can be watched, and is the one that is reported.
#![cfg(windows)]

mod arranged;

use std::{
    ffi::OsString,
    fs,
    os::windows::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use notify_backend::prelude::*;
use notify_backend_windows::WindowsBackend;
use tempfile::TempDir;
use windows_sys::Win32::{
    Storage::FileSystem::GetShortPathNameW,
    System::LibraryLoader::{GetModuleHandleW, GetProcAddress},
};

/// The deadline after which a missing report counts as lost. Wine may take long on a busy machine.
const DEADLINE: Duration = Duration::from_secs(40);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn watching(path: &Path) -> WindowsBackend {
    let made = WindowsBackend::new(vec![Watch::recursive(path)]);
    made.unwrap_or_else(|error| panic!("{} is watched: {error}", path.display()))
}

/// Returns all paths that are reported, up to the one that is awaited.
fn until(backend: &mut WindowsBackend, awaited: &Path) -> Vec<PathBuf> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let start = Instant::now();
    let mut paths = vec![];
    while paths.last().is_none_or(|last| last != awaited) {
        match Pin::new(&mut *backend).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(Ok(event))) => paths.push(event.path),
            Poll::Ready(item) => panic!("{item:?} after {paths:?}"),
            Poll::Pending => {
                let left = DEADLINE.checked_sub(start.elapsed());
                let left = left
                    .unwrap_or_else(|| panic!("{} is missing after {paths:?}", awaited.display()));
                thread::park_timeout(left);
            }
        }
    }
    paths
}

/// Makes a file in a folder by one spelling, and waits for it by another.
#[track_caller]
fn is_seen(backend: &mut WindowsBackend, made: &Path, reported: &Path, name: impl AsRef<Path>) {
    fs::write(made.join(&name), "").expect("a file can be made");
    until(backend, &reported.join(&name));
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder can be made")
}

#[test]
fn longer_than_260_units() {
    let top = folder();
    let long = (0..7).fold(top.path().to_owned(), |path, _| path.join("n".repeat(60)));
    assert!(long.as_os_str().len() > 400);
    // With this prefix, Windows itself has no limit.
    let verbatim = top.path().canonicalize().expect("it is there");
    let below = long.strip_prefix(top.path()).expect("it is below");
    fs::create_dir_all(verbatim.join(below)).expect("folders can be made");
    let mut deep = watching(&long);
    is_seen(&mut deep, &verbatim.join(below), &long, "file");
    let mut deep = watching(&verbatim.join(below));
    is_seen(&mut deep, &verbatim.join(below), &verbatim.join(below), "other");
}

#[test]
fn with_the_prefix_for_paths_as_they_are() {
    let top = folder();
    let verbatim = top.path().canonicalize().expect("it is there");
    assert!(verbatim.as_os_str().to_string_lossy().starts_with(r"\\?\"));
    let mut backend = watching(&verbatim);
    is_seen(&mut backend, top.path(), &verbatim, "file");
    // The plain spelling is a watch of its own.
    backend.watch(Watch::recursive(top.path())).expect("it is watched");
    fs::write(top.path().join("both"), "").expect("a file can be made");
    let paths = until(&mut backend, &verbatim.join("both"));
    if !paths.contains(&top.path().join("both")) {
        until(&mut backend, &top.path().join("both"));
    }
}

#[test]
fn a_whole_drive() {
    let top = folder();
    let drive = top.path().ancestors().last().expect("a path has a root");
    assert_eq!(drive.as_os_str().len(), 3, "{}", drive.display());
    let mut backend =
        WindowsBackend::new(vec![Watch::non_recursive(drive)]).expect("it is watched");
    let on_drive = tempfile::tempdir_in(drive).expect("a folder can be made");
    until(&mut backend, on_drive.path());
}

#[test]
fn in_capital_letters() {
    let top = folder();
    fs::create_dir(top.path().join("folder")).expect("a folder can be made");
    let (lower, upper) = (top.path().join("folder"), top.path().join("FOLDER"));
    let mut backend = watching(&upper);
    is_seen(&mut backend, &lower, &upper, "file");
    let refused = backend.unwatch(&lower).expect_err("it is watched by another spelling");
    assert!(matches!(refused, BackendError::NotWatched { .. }), "{refused}");
    // Both spellings can be watched, and each is removed by itself.
    backend.watch(Watch::recursive(&lower)).expect("it is watched");
    backend.unwatch(&upper).expect("it is watched");
    fs::write(lower.join("other"), "").expect("a file can be made");
    let paths = until(&mut backend, &lower.join("other"));
    assert!(!paths.iter().any(|path| path.starts_with(&upper)), "{paths:?}");
    drop(backend);

    fs::write(top.path().join("alone"), "").expect("a file can be made");
    let mut backend = watching(&top.path().join("ALONE"));
    fs::write(top.path().join("alone"), "text").expect("a file can be written");
    until(&mut backend, &top.path().join("ALONE"));
}

#[test]
fn by_a_short_name() {
    let top = folder();
    let long = top.path().join("a folder with a long name");
    fs::create_dir(&long).expect("a folder can be made");
    let short =
        short(&long).expect("the drive makes short names: `fsutil 8dot3name query` says so");
    let mut backend = watching(&short);
    is_seen(&mut backend, &long, &short, "file");
}

/// Returns the short form of a path, if the drive has them.
fn short(path: &Path) -> Option<PathBuf> {
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut short = vec![0; 1000];
    // SAFETY: the path ends with a zero, and the result has this much room.
    let length = unsafe { GetShortPathNameW(path.as_ptr(), short.as_mut_ptr(), 1000) };
    let short = short.get(..length as usize).filter(|it| **it != path[..path.len() - 1])?;
    Some(OsString::from_wide(short).into()).filter(|_| length > 0)
}

/// Wine's file system refuses such a name, which is all that this checks there; the model's tests read one.
#[test]
fn a_name_that_is_no_text() {
    let top = folder();
    let name = OsString::from_wide(&[0x61, 0xd800, 0x62]);
    let mut backend = watching(top.path());
    if let Err(error) = fs::write(top.path().join(&name), "") {
        assert!(is_wine(), "the name is refused: {error}");
        return;
    }
    fs::write(top.path().join("after"), "").expect("a file can be made");
    let paths = until(&mut backend, &top.path().join("after"));
    let has_name = paths.iter().any(|path| path.file_name().is_some_and(|it| it == name));
    assert!(has_name, "{paths:?}");
}

/// Returns whether this runs under Wine.
fn is_wine() -> bool {
    let library: Vec<u16> = "ntdll.dll\0".encode_utf16().collect();
    // SAFETY: both names end with a zero, and the library stays loaded.
    unsafe {
        let library = GetModuleHandleW(library.as_ptr());
        GetProcAddress(library, c"wine_get_version".as_ptr().cast()).is_some()
    }
}

#[test]
fn characters_of_all_kinds() {
    let top = folder();
    let mut backend = watching(top.path());
    for name in ["ÄÖ ß", "日本語", "😀 face", "with;semicolon,comma", "a~1", "%TEMP%"] {
        is_seen(&mut backend, top.path(), top.path(), name);
    }
}
