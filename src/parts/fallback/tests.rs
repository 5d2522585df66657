//! Choices among backends that are available, that are not, and that fail.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;

use super::FirstOf;
use crate::contract::{
    backend::{About, Backend, StreamItem, Watch},
    capability::{Capabilities, Capability},
    cursor::Cursor,
    error::BackendError,
    event::{CreateKind, Event},
};

/// The result of a backend's `new`: it is available, it is not, or the path does not exist.
const HERE: u8 = 0;
const ABSENT: u8 = 1;
const REFUSING: u8 = 2;
const LIMITED: u8 = 3;
const ELSEWHERE: u8 = 4;
/// It is available, and can go on from a cursor.
const RESUMES: u8 = 5;
/// It is available, and notify has a kind for its facility.
const KNOWN: u8 = 6;

/// A backend whose `new` has this result, and which then reports the paths that it was given.
#[derive(Debug)]
struct Answering<const ANSWER: u8>(Vec<PathBuf>);

type Here = Answering<HERE>;
type Absent = Answering<ABSENT>;
type Refusing = Answering<REFUSING>;
type Limited = Answering<LIMITED>;
type Elsewhere = Answering<ELSEWHERE>;
type Resumes = Answering<RESUMES>;
type Known = Answering<KNOWN>;

impl<const ANSWER: u8> Backend for Answering<ANSWER> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        let paths = watches.into_iter().map(|watch| watch.path).collect();
        match ANSWER {
            HERE | RESUMES | KNOWN => Ok(Self(paths)),
            ABSENT => Err(BackendError::unavailable("no daemon")),
            ELSEWHERE => Err(BackendError::unavailable_at("no such file system", paths)),
            LIMITED => Err(BackendError::from_io("/a", io::ErrorKind::StorageFull.into())),
            _ => Err(BackendError::NotFound { paths }),
        }
    }

    fn capabilities() -> Capabilities {
        let all = [Capability::WatchFolders, Capability::WatchFiles, Capability::ChangeWatches];
        let all = Capabilities::declare(&all[..2 + usize::from(ANSWER == HERE)]);
        if ANSWER == RESUMES { all.with(Capability::Resume) } else { all }
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self, BackendError> {
        match ANSWER {
            RESUMES => from.position(Self::name()).and_then(|_| Self::new(watches)),
            HERE => Err(BackendError::not_supported(Capability::Resume, ["/a"])),
            _ => Self::new(watches),
        }
    }

    fn cursor(&self) -> Option<Cursor> {
        (ANSWER == RESUMES).then(|| Cursor::new(Self::name(), b""))
    }

    fn name() -> &'static str {
        match ANSWER {
            HERE => "tests/here",
            ABSENT => "tests/absent",
            LIMITED => "tests/limited",
            ELSEWHERE => "tests/elsewhere",
            RESUMES => "tests/resumes",
            KNOWN => "tests/inotify",
            _ => "tests/refusing",
        }
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.0.push(watch.path);
        Ok(())
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.0.retain(|known| known != path);
        Ok(())
    }
}

impl<const ANSWER: u8> Stream for Answering<ANSWER> {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        match self.0.pop() {
            Some(path) => Poll::Ready(Some(Ok(Event::create(CreateKind::Any, path)))),
            // No more events will come, so no task has to be woken.
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

fn watches() -> Vec<Watch> {
    vec![Watch::recursive("/a"), Watch::recursive("/b")]
}

#[test]
fn the_first_available_one_is_chosen() {
    assert_eq!(FirstOf::<(Here, Refusing)>::new(watches()).unwrap().about().name, "tests/here");
    let chosen = FirstOf::<(Absent, Absent, Here, Refusing)>::new(watches()).unwrap();
    assert_eq!(chosen.about().name, "tests/here");
}

#[test]
fn none_is_available() {
    let error = FirstOf::<(Absent, Absent)>::new(watches()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "not available here: tests/absent: no daemon; tests/absent: no daemon"
    );
}

#[test]
fn backends_at_a_limit_or_unfit_for_the_paths_are_skipped() {
    let chosen = FirstOf::<(Limited, Elsewhere, Here)>::new(watches()).unwrap();
    assert_eq!(chosen.about().name, "tests/here");
}

#[test]
fn a_limit_takes_precedence_over_unavailable_backends() {
    let error = FirstOf::<(Absent, Limited, Elsewhere)>::new(watches()).unwrap_err();
    assert!(matches!(error, BackendError::WatchLimit { .. }), "{error}");
}

#[test]
fn paths_of_all_are_named_once() {
    let error = FirstOf::<(Elsewhere, Elsewhere)>::new(watches()).unwrap_err();
    assert_eq!(error.paths(), ["/a", "/b"].map(PathBuf::from));
}

#[test]
fn can_be_shared_between_threads() {
    fn is_sync<T: Sync>() {}
    is_sync::<FirstOf<(Here, Absent)>>();
}

/// The next backend would return the same error for the path, or hide the cause.
#[test]
fn any_other_error_is_final() {
    let error = FirstOf::<(Absent, Refusing, Here)>::new(watches()).unwrap_err();
    assert!(
        matches!(error, BackendError::NotFound { paths } if paths == ["/a", "/b"].map(PathBuf::from))
    );
}

#[test]
fn the_type_promises_the_capabilities_that_all_have() {
    type Both = FirstOf<(Here, Absent)>;
    let files_and_folders = Absent::capabilities();
    assert_eq!(Both::capabilities(), files_and_folders);
    assert!(FirstOf::<(Here,)>::capabilities().contains(Capability::ChangeWatches));
}

#[test]
fn candidates_are_those_of_choices_within_too() {
    type Inner = FirstOf<(Absent, Here)>;
    let names = |all: Vec<About>| all.into_iter().map(|about| about.name).collect::<Vec<_>>();
    assert_eq!(names(Here::candidates()), ["tests/here"]);
    let all = FirstOf::<(Limited, Inner)>::candidates();
    assert_eq!(names(all), ["tests/limited", "tests/absent", "tests/here"]);
}

#[test]
fn calls_reach_the_chosen_one() {
    let mut chosen = FirstOf::<(Absent, Here)>::new(watches()).unwrap();
    chosen.watch(Watch::recursive("/c")).unwrap();
    chosen.unwatch(Path::new("/b")).unwrap();
    assert_eq!(chosen.size_hint(), (2, Some(2)));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    for path in ["/c", "/a"] {
        let Poll::Ready(Some(Ok(event))) = Pin::new(&mut chosen).poll_next(&mut cx) else {
            panic!("an event of {path}");
        };
        assert_eq!(event.path, Path::new(path));
    }
}

mod resuming {
    use super::*;

    #[test]
    fn the_one_that_made_the_cursor_is_chosen() {
        type Best = FirstOf<(Here, Resumes)>;
        let cursor = FirstOf::<(Absent, Resumes)>::new(watches()).unwrap().cursor().unwrap();
        assert_eq!(Best::resume(watches(), &cursor).unwrap().about().name, "tests/resumes");
        assert_eq!(FirstOf::<(Here,)>::new(watches()).unwrap().cursor(), None);
    }

    #[test]
    fn a_cursor_of_none_of_them_is_invalid() {
        let cursor = Cursor::new("tests/another", b"");
        for error in [
            FirstOf::<(Here, Resumes)>::resume(watches(), &cursor).unwrap_err(),
            FirstOf::<(Resumes, Here)>::resume(watches(), &cursor).unwrap_err(),
        ] {
            assert!(matches!(error, BackendError::InvalidCursor), "{error}");
        }
        let error = FirstOf::<(Here, Here)>::resume(watches(), &cursor).unwrap_err();
        assert!(matches!(error, BackendError::NotSupported { .. }), "{error}");
    }

    /// The cursor may be its.
    #[test]
    fn one_that_is_unavailable_is_named() {
        let cursor = Cursor::new("tests/absent", b"");
        let error = FirstOf::<(Absent, Resumes)>::resume(watches(), &cursor).unwrap_err();
        assert_eq!(error.to_string(), "not available here: tests/absent: no daemon");
    }
}

#[cfg(feature = "notify")]
#[test]
fn notify_has_a_kind_for_the_best_that_it_knows() {
    use notify::{Watcher, WatcherKind};

    use crate::consumers::adapter::NotifyWatcher;

    type Of<B> = NotifyWatcher<B>;
    assert_eq!(Of::<Known>::kind(), WatcherKind::Inotify);
    assert_eq!(Of::<FirstOf<(Here, Known)>>::kind(), WatcherKind::Inotify);
    assert_eq!(Of::<FirstOf<(Here, Absent)>>::kind(), WatcherKind::NullWatcher);
}

#[cfg(feature = "notify")]
#[test]
fn in_a_notify_watcher() {
    use notify::{Config, RecursiveMode, Watcher};

    use crate::consumers::adapter::NotifyWatcher;

    let (sender, events) = std::sync::mpsc::channel();
    let mut watcher =
        NotifyWatcher::<FirstOf<(Absent, Here)>>::new(sender, Config::default()).unwrap();
    assert_eq!(watcher.about(), None, "nothing is watched yet");
    let path = std::env::temp_dir().join("no-such-file");
    watcher.watch(&path, RecursiveMode::NonRecursive).unwrap();
    let deadline = std::time::Duration::from_secs(60);
    assert_eq!(events.recv_timeout(deadline).unwrap().unwrap().paths, [path]);
    let about = watcher.about().unwrap();
    assert_eq!(about.name, "tests/here");
    assert_eq!(about.capabilities, Here::capabilities(), "more than the type can promise");
}
