//! Settings reach a backend by notify's configuration, and by a maker.

use std::{
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    time::Duration,
};

use notify::{
    Config, EventKind,
    RecursiveMode::Recursive,
    Watcher,
    event::{DataChange, ModifyKind},
};
use notify_backend::{
    adapter::NotifyWatcher,
    prelude::{BackendError, Watch},
    settings::{Made, Maker},
};
use notify_backend_poll::{PollBackend, Settings};
use notify_debouncer_full::{DebounceEventResult, NoCache, new_debouncer_opt};
use notify_debouncer_mini as mini;

use super::{Folder, folder::DEADLINE};

const INTERVAL: Duration = Duration::from_millis(10);
const QUIET: Duration = Duration::from_millis(50);

/// Polls once per second, unless the settings say otherwise.
type Polling = NotifyWatcher<PollBackend>;

/// A different content of the same size: only a comparison of contents shows that the file was written.
const CONTENTS: [&str; 2] = ["before", "behind"];
const WRITTEN: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Content));

#[test]
fn the_poll_interval_is_taken() {
    let folder = Folder::new();
    let ((sender, often), (other_sender, seldom)) = (channel(), channel());
    let config = |interval| Config::default().with_poll_interval(interval);
    let mut watcher = Polling::new(sender, config(INTERVAL)).unwrap();
    let mut other = Polling::new(other_sender, config(Duration::from_secs(3600))).unwrap();
    for watcher in [&mut watcher, &mut other] {
        watcher.watch(&folder.path(""), Recursive).unwrap();
    }
    folder.write("new", "");
    assert_eq!(often.recv_timeout(DEADLINE).unwrap().unwrap().paths, [folder.path("new")]);
    // By default, it would have polled three times.
    let late = seldom.recv_timeout(Duration::from_secs(3));
    assert!(matches!(late, Err(RecvTimeoutError::Timeout)), "{late:?}");
}

#[test]
fn contents_are_compared_behind_a_debouncer() {
    let folder = Folder::new();
    folder.write("file", CONTENTS[0]);
    let (sender, results) = channel::<DebounceEventResult>();
    let config = Config::default().with_poll_interval(INTERVAL).with_compare_contents(true);
    let mut debouncer =
        new_debouncer_opt::<_, Polling, _>(QUIET, None, sender, NoCache, config).unwrap();
    debouncer.watch(folder.path(""), Recursive).unwrap();
    folder.write("file", CONTENTS[1]);
    let events = results.recv_timeout(DEADLINE).expect("the change arrives").unwrap();
    assert!(events.iter().any(|event| event.kind == WRITTEN), "{events:?}");
}

/// Counts the backends that it creates.
struct Counted;

static MADE: AtomicUsize = AtomicUsize::new(0);

impl Maker for Counted {
    type Backend = PollBackend;

    fn make(watches: Vec<Watch>) -> Result<PollBackend, BackendError> {
        MADE.fetch_add(1, Ordering::Relaxed);
        PollBackend::with_settings(Settings::default().interval(INTERVAL), watches)
    }
}

#[test]
fn a_maker_is_asked_behind_a_debouncer() {
    let folder = Folder::new();
    let (sender, results) = channel();
    let config = mini::Config::default().with_timeout(QUIET);
    let mut debouncer =
        mini::new_debouncer_opt::<_, NotifyWatcher<Made<Counted>>>(config, sender).unwrap();
    debouncer.watcher().watch(&folder.path(""), Recursive).unwrap();
    assert_eq!(MADE.load(Ordering::Relaxed), 1);
    folder.write("new", "");
    let events = results.recv_timeout(DEADLINE).expect("the change arrives").unwrap();
    assert!(events.iter().any(|event| event.path == folder.path("new")), "{events:?}");
}
