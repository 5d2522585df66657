//! Makers used by code that takes a backend by its type.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_core::Stream;

use super::{Hints, Made, Maker};
use crate::{
    contract::{
        backend::{About, Backend, StreamItem, Watch},
        capability::{Capabilities, Capability},
        cursor::Cursor,
        error::BackendError,
        event::{CreateKind, Event},
    },
    parts::fallback::FirstOf,
};

/// A backend that knows how it was made, and reports the paths that it was given.
#[derive(Debug)]
struct Acme {
    #[expect(dead_code, reason = "it is shown by `Debug`, also from within another backend")]
    port: u16,
    paths: Vec<PathBuf>,
}

impl Acme {
    fn with_port(port: u16, watches: Vec<Watch>) -> Self {
        Self { port, paths: watches.into_iter().map(|watch| watch.path).collect() }
    }
}

impl Backend for Acme {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Ok(Self::with_port(7070, watches))
    }

    /// Takes the interval as the port, so that it shows.
    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        let seconds = hints.poll_interval.map_or(0, |interval| interval.as_secs());
        Ok(Self::with_port(u16::try_from(seconds).unwrap(), watches))
    }

    fn capabilities() -> Capabilities {
        let all = [Capability::WatchFolders, Capability::ChangeWatches, Capability::Resume];
        Capabilities::declare(&all)
    }

    fn cursor(&self) -> Option<Cursor> {
        Some(Cursor::new(Self::name(), b"here"))
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self, BackendError> {
        from.position(Self::name())?;
        Self::new(watches)
    }

    fn name() -> &'static str {
        "tests/acme"
    }

    fn about(&self) -> About {
        let mut about = About::of::<Self>();
        about.capabilities = about.capabilities.with(Capability::EmitOnAccess);
        about
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.paths.push(watch.path);
        Ok(())
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.paths.retain(|known| known != path);
        Ok(())
    }
}

impl Stream for Acme {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Poll::Ready(self.paths.pop().map(|path| Ok(Event::create(CreateKind::Any, path))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.paths.len(), Some(self.paths.len()))
    }
}

struct OnPort80;

impl Maker for OnPort80 {
    type Backend = Acme;

    fn make(watches: Vec<Watch>) -> Result<Acme, BackendError> {
        Ok(Acme::with_port(80, watches))
    }
}

/// Passes its settings on when it resumes, too.
struct Resuming;

impl Maker for Resuming {
    type Backend = Acme;
    const RESUMES: bool = true;

    fn make(watches: Vec<Watch>) -> Result<Acme, BackendError> {
        Ok(Acme::with_port(80, watches))
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Acme, BackendError> {
        from.position(Acme::name())?;
        Ok(Acme::with_port(81, watches))
    }
}

struct Nowhere;

impl Maker for Nowhere {
    type Backend = Acme;

    fn make(_: Vec<Watch>) -> Result<Acme, BackendError> {
        Err(BackendError::unavailable("no daemon"))
    }
}

fn watches() -> Vec<Watch> {
    vec![Watch::recursive("/a"), Watch::recursive("/b")]
}

/// Asserts that the backend was made with this port, as its `Debug` shows.
#[track_caller]
fn assert_port(backend: &impl Backend, port: u16) {
    assert!(format!("{backend:?}").contains(&format!("port: {port},")), "{backend:?}");
}

#[test]
fn calls_reach_the_backend_that_it_makes() {
    let mut made = Made::<OnPort80>::new(watches()).unwrap();
    assert_port(&made, 80);
    assert_eq!(Made::<OnPort80>::name(), Acme::name());
    let able = Acme::capabilities().without(Capability::Resume);
    assert_eq!(Made::<OnPort80>::capabilities(), able);
    assert!(made.about().capabilities.contains(Capability::EmitOnAccess));
    made.watch(Watch::recursive("/c")).unwrap();
    made.unwatch(Path::new("/b")).unwrap();
    assert_eq!(made.size_hint(), (2, Some(2)));
    let mut cx = Context::from_waker(Waker::noop());
    for path in ["/c", "/a"] {
        let Poll::Ready(Some(Ok(event))) = Pin::new(&mut made).poll_next(&mut cx) else {
            panic!("an event of {path}");
        };
        assert_eq!(event.path, Path::new(path));
    }
}

#[test]
fn a_maker_that_resumes_does_so_with_its_settings() {
    let made = Made::<Resuming>::new(watches()).unwrap();
    assert!(Made::<Resuming>::capabilities().contains(Capability::Resume));
    assert!(made.about().capabilities.contains(Capability::Resume));
    let cursor = made.cursor().unwrap();
    assert_port(&Made::<Resuming>::resume(watches(), &cursor).unwrap(), 81);
}

/// The backend's own `resume` would not have the settings.
#[test]
fn a_maker_that_does_not_resume_hides_that_its_backend_does() {
    let made = Made::<OnPort80>::new(watches()).unwrap();
    assert!(!made.about().capabilities.contains(Capability::Resume));
    assert_eq!(made.cursor(), None);
    let cursor = Cursor::new(Acme::name(), b"here");
    let error = Made::<OnPort80>::resume(watches(), &cursor).unwrap_err();
    let resume = Capability::Resume;
    assert!(matches!(error, BackendError::NotSupported { capability, .. } if capability == resume));
}

#[test]
fn the_error_of_the_maker_is_returned() {
    let error = Made::<Nowhere>::new(watches()).unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
}

#[test]
fn can_be_a_candidate_like_any_backend() {
    let chosen = FirstOf::<(Made<Nowhere>, Made<OnPort80>, Acme)>::new(watches()).unwrap();
    assert_port(&chosen, 80);
}

#[test]
fn hints_reach_the_candidate_that_is_taken() {
    let hints = Hints::default().with_poll_interval(Duration::from_secs(5));
    let chosen = FirstOf::<(Made<Nowhere>, Acme)>::with_hints(watches(), &hints).unwrap();
    assert_port(&chosen, 5);
}

#[test]
fn a_maker_knows_better_than_hints() {
    let hints = Hints::default().with_poll_interval(Duration::from_secs(5));
    assert_port(&Made::<OnPort80>::with_hints(watches(), &hints).unwrap(), 80);
}

#[test]
fn a_maker_that_stands_for_a_condition_hands_hints_on() {
    struct IfAny;
    impl Maker for IfAny {
        type Backend = Acme;

        fn make(watches: Vec<Watch>) -> Result<Acme, BackendError> {
            Self::with_hints(watches, &Hints::default())
        }

        fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Acme, BackendError> {
            if watches.is_empty() {
                return Err(BackendError::unavailable("nothing to watch"));
            }
            Acme::with_hints(watches, hints)
        }
    }

    let hints = Hints::default().with_poll_interval(Duration::from_secs(5));
    assert_port(&Made::<IfAny>::with_hints(watches(), &hints).unwrap(), 5);
}

/// As in a program that reads its settings when it starts.
#[test]
fn settings_may_be_known_only_at_run_time() {
    static PORT: Mutex<u16> = Mutex::new(0);

    struct Configured;
    impl Maker for Configured {
        type Backend = Acme;

        fn make(watches: Vec<Watch>) -> Result<Acme, BackendError> {
            Ok(Acme::with_port(*PORT.lock().unwrap(), watches))
        }
    }

    *PORT.lock().unwrap() = 443;
    assert_port(&Made::<Configured>::new(watches()).unwrap(), 443);
}

#[cfg(feature = "notify")]
#[test]
fn in_a_notify_watcher() {
    use notify::{Config, RecursiveMode, Watcher};

    use crate::consumers::adapter::NotifyWatcher;

    static MADE: Mutex<Vec<PathBuf>> = Mutex::new(vec![]);

    struct Noted;
    impl Maker for Noted {
        type Backend = Acme;

        fn make(watches: Vec<Watch>) -> Result<Acme, BackendError> {
            MADE.lock().unwrap().extend(watches.iter().map(|watch| watch.path.clone()));
            OnPort80::make(watches)
        }
    }

    let mut watcher = NotifyWatcher::<Made<Noted>>::new(|_| {}, Config::default()).unwrap();
    let path = std::env::temp_dir().join("no-such-file");
    watcher.watch(&path, RecursiveMode::NonRecursive).unwrap();
    assert_eq!(*MADE.lock().unwrap(), [path]);
}
