//! The messages of errors, and the conversion of the operating system's errors.

use std::{error::Error, io, path::Path};

use super::{BackendError, Limit, StreamError};
use crate::contract::{capability::Capability, display::Flattened};

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the server does not answer")
}

/// Returns one error of each variant.
fn backend_errors(path: &Path) -> Vec<BackendError> {
    let path = || path.to_owned();
    let watches = Limit::new("fs.inotify.max_user_watches", Some(8192));
    let instances = Limit::new("fs.inotify.max_user_instances", None);
    vec![
        BackendError::not_found([path(), "/srv/b".into()]),
        BackendError::not_supported(Capability::WatchRecursively, [path()]),
        BackendError::PermissionDenied { paths: vec![path()], folder: None },
        BackendError::PermissionDenied { paths: vec![path()], folder: Some("/srv".into()) },
        BackendError::WatchLimit { paths: vec![path()], limit: watches },
        BackendError::InstanceLimit { paths: vec![path()], limit: instances },
        BackendError::not_watched(path()),
        BackendError::NoRuntime,
        BackendError::Ended,
        BackendError::invalid_cursor(),
        BackendError::not_implemented("the stream"),
        BackendError::unavailable("needs Linux 5.17 or later"),
        BackendError::Io { paths: vec![path()], error: timed_out() },
    ]
}

/// Returns the name of the variant. The match has no wildcard, so that the compiler sends the author of a
/// new variant to the list above.
fn name(error: &BackendError) -> &'static str {
    match error {
        BackendError::NotFound { .. } => "NotFound",
        BackendError::NotSupported { .. } => "NotSupported",
        BackendError::PermissionDenied { .. } => "PermissionDenied",
        BackendError::WatchLimit { .. } => "WatchLimit",
        BackendError::InstanceLimit { .. } => "InstanceLimit",
        BackendError::NotWatched { .. } => "NotWatched",
        BackendError::NoRuntime => "NoRuntime",
        BackendError::Ended => "Ended",
        BackendError::InvalidCursor => "InvalidCursor",
        BackendError::NotImplemented { .. } => "NotImplemented",
        BackendError::Unavailable { .. } => "Unavailable",
        BackendError::Io { .. } => "Io",
    }
}

fn unwatched(cause: BackendError) -> StreamError {
    StreamError::unwatched("/srv/a", cause)
}

mod messages {
    use super::*;

    #[test]
    fn each_names_the_path_and_the_remedy() {
        let lines = backend_errors(Path::new("/srv/a"));
        let lines: Vec<_> = lines.iter().map(|error| format!("{}: {error}", name(error))).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        NotFound: no such file or folder: /srv/a, /srv/b; check the spelling, or create it before watching it
        NotSupported: this backend does not support WatchRecursively, which /srv/a would need; choose another backend, or ask for less
        PermissionDenied: permission denied: /srv/a; run with the rights to read it, or leave it out
        PermissionDenied: permission denied: /srv/a, whose folder /srv cannot be read; run with the rights to read it, or leave it out
        WatchLimit: watch limit reached at /srv/a; watch fewer folders, or raise fs.inotify.max_user_watches (now 8192)
        InstanceLimit: too many watchers or open files to watch /srv/a; close some, or raise fs.inotify.max_user_instances or the number of open files
        NotWatched: not watched: /srv/a; name the path as it was given when it was added
        NoRuntime: no Tokio runtime here; make the backend inside one, e.g. in a #[tokio::main] function or after Runtime::enter()
        Ended: the stream of events has ended; make a new backend
        InvalidCursor: this cursor is damaged, or is from another backend; make a new backend, and rescan all watched paths
        NotImplemented: not implemented yet: the stream
        Unavailable: not available here: needs Linux 5.17 or later
        Io: failed to watch /srv/a: the server does not answer
        ");
    }

    #[test]
    fn a_part_that_is_not_watched_is_named_once() {
        for cause in backend_errors(Path::new("/srv/a")) {
            let message = unwatched(cause).to_string();
            assert_eq!(message.matches("/srv/a").count(), 1, "{message}");
        }
        let named =
            unwatched(BackendError::from_io("/srv/a", io::ErrorKind::PermissionDenied.into()));
        insta::assert_snapshot!(named, @"not everything is watched: permission denied: /srv/a; run with the rights to read it, or leave it out");
        let unnamed = unwatched(BackendError::unavailable("no daemon"));
        insta::assert_snapshot!(unnamed, @"not everything is watched: /srv/a: not available here: no daemon");
    }

    #[test]
    fn an_error_about_no_path_names_none() {
        let error = BackendError::from_io("", io::Error::from_raw_os_error(24));
        assert!(error.paths().is_empty());
        #[cfg(unix)]
        insta::assert_snapshot!(error, @"too many watchers or open files; close some, or raise the platform's limit or the number of open files");
    }

    #[test]
    fn failed_reading_says_what_to_do() {
        let error = StreamError::read(timed_out());
        insta::assert_snapshot!(error, @"reading events failed: the server does not answer; rescan all watched paths");
    }

    /// Whatever characters the file system allows in a name.
    #[test]
    fn each_stays_on_one_line() {
        for error in backend_errors(Path::new("/srv/a\nb\r\u{2028}\u{1b}[2J")) {
            assert!(!error.to_string().contains(['\n', '\r', '\u{2028}', '\u{1b}']), "{error}");
            if !error.paths().is_empty() {
                assert!(error.to_string().contains(r#""/srv/a\nb\r\u{2028}\u{1b}[2J""#), "{error}");
            }
        }
    }

    #[test]
    fn messages_from_elsewhere_are_put_on_one_line() {
        let text = "the wrong disk\r\nis in the drive";
        let error = || io::Error::other(text);
        for message in [
            BackendError::from_io("/srv/a", error()).to_string(),
            BackendError::unavailable(text).to_string(),
            BackendError::not_implemented(text).to_string(),
            unwatched(BackendError::from_io("/srv/a", error())).to_string(),
            StreamError::read(error()).to_string(),
        ] {
            assert!(message.contains("the wrong disk is in the drive"), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_text_stay_distinguishable() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

        let path = |bytes| Path::new(OsStr::from_bytes(bytes)).to_owned();
        let error = BackendError::not_found([path(b"/\xff"), path(b"/\xfe")]);
        assert!(error.to_string().contains(r#""/\xFF", "/\xFE""#), "{error}");
    }

    #[test]
    fn a_great_many_paths_are_cut_short() {
        let error = BackendError::not_found((0..1_000).map(|n| format!("/{n}")));
        assert!(error.to_string().contains("/8, /9 and 990 more; check"), "{error}");
        assert_eq!(error.paths().len(), 1_000);
    }

    #[test]
    fn without_a_path_it_is_still_a_sentence() {
        let error = BackendError::not_supported(Capability::WatchFiles, [""; 0]);
        assert!(error.to_string().contains("which a path that is not named would need"), "{error}");
    }

    /// Many programs print the chain of causes, and would print the text twice.
    #[test]
    fn an_error_in_the_message_is_not_also_the_source() {
        for error in backend_errors(Path::new("/srv/a")) {
            assert!(error.source().is_none(), "{error}");
            assert!(unwatched(error).source().is_none());
        }
    }
}

mod from_io {
    use super::*;

    fn variant_of(error: io::Error) -> &'static str {
        let error = BackendError::from_io("/srv/a", error);
        assert_eq!(error.paths(), [Path::new("/srv/a")]);
        name(&error)
    }

    #[test]
    fn kinds_are_recognised() {
        let table = [
            (io::ErrorKind::NotFound, "NotFound"),
            (io::ErrorKind::PermissionDenied, "PermissionDenied"),
            (io::ErrorKind::StorageFull, "WatchLimit"),
            (io::ErrorKind::NotADirectory, "Io"),
            (io::ErrorKind::InvalidInput, "Io"),
            (io::ErrorKind::OutOfMemory, "Io"),
            (io::ErrorKind::Other, "Io"),
        ];
        for (kind, expected) in table {
            assert_eq!(variant_of(kind.into()), expected, "{kind}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn numbers_are_recognised() {
        let table = [
            ("ENOENT", 2, "NotFound"),
            ("EPERM", 1, "PermissionDenied"),
            ("EACCES", 13, "PermissionDenied"),
            ("ENOSPC", 28, "WatchLimit"),
            ("ENFILE", 23, "InstanceLimit"),
            ("EMFILE", 24, "InstanceLimit"),
            ("ENOTDIR", 20, "Io"),
            ("EINVAL", 22, "Io"),
            ("ENOMEM", 12, "Io"),
        ];
        for (errno, number, expected) in table {
            assert_eq!(variant_of(io::Error::from_raw_os_error(number)), expected, "{errno}");
        }
    }

    #[cfg(windows)]
    #[test]
    fn numbers_are_recognised() {
        let table = [
            ("ERROR_FILE_NOT_FOUND", 2, "NotFound"),
            ("ERROR_PATH_NOT_FOUND", 3, "NotFound"),
            ("ERROR_ACCESS_DENIED", 5, "PermissionDenied"),
            ("ERROR_INVALID_FUNCTION", 1, "Io"),
            ("ERROR_TOO_MANY_OPEN_FILES", 4, "InstanceLimit"),
            ("ERROR_CRC", 23, "Io"),
            ("ERROR_SHARING_VIOLATION", 32, "Io"),
        ];
        for (code, number, expected) in table {
            assert_eq!(variant_of(io::Error::from_raw_os_error(number)), expected, "{code}");
        }
    }

    /// Also for numbers that no system uses.
    #[test]
    fn any_number_keeps_its_path_and_its_message() {
        for number in -5..5_000 {
            let message = Flattened(io::Error::from_raw_os_error(number)).to_string();
            let error = BackendError::from_io("/srv/a", io::Error::from_raw_os_error(number));
            assert!(error.to_string().contains("/srv/a"), "{error}");
            assert!(name(&error) != "Io" || error.to_string().ends_with(&message), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn a_missing_folder_on_disk_is_recognised() {
        let error = std::fs::read_dir("/no/such/folder").unwrap_err();
        assert_eq!(variant_of(error), "NotFound");
    }
}

#[test]
fn a_limit_is_named_where_there_is_one() {
    for error in backend_errors(Path::new("/srv/a")) {
        let before = name(&error);
        let error = error.with_limit(Limit::new("kern.maxfiles", None));
        assert_eq!(name(&error), before);
        let named = error.to_string().contains("raise kern.maxfiles");
        assert_eq!(named, matches!(before, "WatchLimit" | "InstanceLimit"), "{error}");
    }
}

#[test]
fn errors_have_the_traits_of_a_backend() {
    fn check<T: Error + Send + Sync + 'static>() {}
    check::<BackendError>();
    check::<StreamError>();
}
