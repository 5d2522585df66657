//! The errors of Windows: each has the kind that says what to do, and names the path.
#![cfg(windows)]

#[path = "../../../template/src/windows/explain.rs"]
mod explain;

use std::{fs, io, path::Path};

use notify_backend::prelude::*;
use notify_backend_windows::WindowsBackend;

fn explained(code: i32) -> String {
    let error = explain::explain(Path::new(r"C:\a"), io::Error::from_raw_os_error(code));
    assert_eq!(error.paths(), [Path::new(r"C:\a")], "{error}");
    error.to_string()
}

#[test]
fn each_says_what_to_do() {
    let table = [
        ("ERROR_INVALID_FUNCTION", 1, "use a backend that looks at the files"),
        ("ERROR_FILE_NOT_FOUND", 2, "check the spelling"),
        ("ERROR_PATH_NOT_FOUND", 3, "check the spelling"),
        ("ERROR_TOO_MANY_OPEN_FILES", 4, "close some"),
        ("ERROR_ACCESS_DENIED", 5, "run with the rights to read it"),
        ("ERROR_NOT_SUPPORTED", 50, "use a backend that looks at the files"),
        ("ERROR_NO_SYSTEM_RESOURCES", 1450, "watch fewer folders"),
        ("ERROR_NOT_ENOUGH_QUOTA", 1816, "watch fewer folders"),
        // The system's own text says that another program has it.
        ("ERROR_SHARING_VIOLATION", 32, r"failed to watch C:\a: "),
    ];
    for (name, code, expected) in table {
        let text = explained(code);
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn the_backend_itself_has_no_path() {
    let error = explain::explain(Path::new(""), io::Error::from_raw_os_error(4));
    assert!(matches!(error, BackendError::InstanceLimit { .. }), "{error}");
    assert!(error.paths().is_empty(), "{error}");
}

/// An error changes nothing, and names the path as it was given.
#[test]
fn paths_that_are_not_there() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    fs::write(folder.path().join("file"), "").expect("a file can be made");
    let mut backend = WindowsBackend::new(vec![]).expect("it is available");
    for path in ["missing", r"missing\below", r"file\below"] {
        let path = folder.path().join(path);
        let error = backend.watch(Watch::recursive(&path)).expect_err("there is no such path");
        assert!(matches!(error, BackendError::NotFound { .. }), "{error}");
        assert_eq!(error.paths(), [path.as_path()]);
    }
}
