//! What the suite cannot provoke, on the model of FSEvents: losses of all kinds, and ids that begin again.
#![cfg(target_os = "linux")]

#[path = "../../../template/src/fsevents/tests/model/mod.rs"]
mod model;

use std::{
    fs,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use notify_backend::prelude::*;
use notify_backend_fsevents as backend;
use notify_backend_fsevents::{Flags, Settings};

type Tested = backend::StreamBackend<model::Model>;

/// The deadline after which a missing item counts as lost.
const DEADLINE: Duration = Duration::from_secs(20);

/// Events wait longer than any test takes, unless they are lost or flushed.
const FOR_EVER: Duration = Duration::from_secs(600);

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Keeps the other tests waiting: the model's service is that of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the next items.
fn next<const N: usize>(backend: &mut Tested) -> [Event; N] {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let start = Instant::now();
    let mut items = vec![];
    while items.len() < N {
        match Pin::new(&mut *backend).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(item) => items.push(item.expect("the stream goes on").expect("no error")),
            Poll::Pending => {
                let left = DEADLINE.checked_sub(start.elapsed());
                thread::park_timeout(left.unwrap_or_else(|| panic!("more is missing: {items:?}")));
            }
        }
    }
    items.try_into().expect("as many as were requested")
}

/// Watches two folders, each with a folder in it, by events that wait for ever.
fn watch(root: &Path) -> Tested {
    for folder in ["one/in", "two/in"] {
        fs::create_dir_all(root.join(folder)).expect("a folder can be made");
    }
    let watches = ["one", "two"].map(|folder| Watch::recursive(root.join(folder)));
    let settings = Settings::default().latency(FOR_EVER);
    Tested::with_settings(settings, watches.into()).expect("the folders are there")
}

fn write(path: &Path) -> Event {
    fs::write(path, "").expect("a file can be made");
    Event::create(CreateKind::File, path)
}

#[test]
fn dropped_events_are_missed_everywhere_and_found() {
    let _alone = alone();
    let root = tempfile::tempdir().expect("there is room");
    for flag in [Flags::USER_DROPPED, Flags::KERNEL_DROPPED] {
        let mut backend = watch(root.path());
        let new = root.path().join(format!("two/in/{}", flag.0));
        let created = write(&new);
        let (lost, flags) = (root.path().join("one"), Flags::MUST_SCAN_SUB_DIRS.and(flag));
        model::lose(&lost, flags);
        assert_eq!(next(&mut backend), [Event::missed(None), created]);
    }
}

#[test]
fn events_lost_below_a_folder_are_missed_there_and_found() {
    let _alone = alone();
    let root = tempfile::tempdir().expect("there is room");
    let mut backend = watch(root.path());
    let folder = root.path().join("one/in");
    let created = write(&folder.join("new"));
    model::lose(&folder, Flags::MUST_SCAN_SUB_DIRS);
    assert_eq!(next(&mut backend), [Event::missed_below(&folder, None), created]);
}

#[test]
fn events_lost_above_watched_paths_are_missed_in_each() {
    let _alone = alone();
    let root = tempfile::tempdir().expect("there is room");
    let mut backend = watch(root.path());
    let created = write(&root.path().join("two/new"));
    model::lose(root.path(), Flags::MUST_SCAN_SUB_DIRS);
    let [one, two] = ["one", "two"].map(|it| Event::missed_below(root.path().join(it), None));
    assert_eq!(next(&mut backend), [one, two, created]);
}

#[test]
fn without_a_history_nothing_is_lost_when_a_watch_is_added() {
    let _alone = alone();
    let root = tempfile::tempdir().expect("there is room");
    let mut backend = watch(root.path());
    model::keep_history(false);
    let three = root.path().join("three");
    fs::create_dir(&three).expect("a folder can be made");
    let added = backend.watch(Watch::recursive(&three));
    let waiting = write(&root.path().join("one/waiting"));
    fs::create_dir(root.path().join("four")).expect("a folder can be made");
    let again = backend.watch(Watch::recursive(root.path().join("four")));
    model::keep_history(true);
    added.and(again).expect("the folders are there");
    assert_eq!(next(&mut backend), [waiting]);
}

#[test]
fn a_folder_that_is_renamed_takes_the_watched_folders_in_it_along() {
    let _alone = alone();
    let root = tempfile::tempdir().expect("there is room");
    let folder = root.path().join("one");
    fs::create_dir_all(folder.join("in")).expect("a folder can be made");
    let watches = vec![Watch::non_recursive(&folder), Watch::non_recursive(folder.join("in"))];
    let mut backend = Tested::new(watches).expect("the folders are there");
    fs::rename(&folder, root.path().join("other")).expect("it can be renamed");
    let gone: [Event; 2] = next(&mut backend);
    let mut gone = gone.map(|event| event.path);
    gone.sort();
    assert_eq!(gone, [folder.clone(), folder.join("in")]);
}

#[test]
fn a_folder_that_was_elsewhere_for_a_while_is_back_with_what_was_made_in_it() {
    let _alone = alone();
    let root = tempfile::tempdir().expect("there is room");
    let [here, away] = ["here", "away"].map(|folder| root.path().join(folder));
    fs::create_dir_all(here.join("below")).expect("a folder can be made");
    let mut backend =
        Tested::new(vec![Watch::recursive(root.path())]).expect("the folder is there");
    // As long as nothing reads, there is no look.
    fs::rename(&here, &away).expect("it can be renamed");
    write(&away.join("below/new"));
    fs::rename(&away, &here).expect("it can be renamed");
    assert_eq!(next(&mut backend), [Event::create(CreateKind::File, here.join("below/new"))]);
}

#[test]
fn ids_that_begin_again_are_a_loss_and_end_the_history() {
    let _alone = alone();
    let root = tempfile::tempdir().expect("there is room");
    let mut backend = watch(root.path());
    let before = backend.cursor().expect("there is one at any time");
    model::wrap_ids();
    assert_eq!(next(&mut backend), [Event::missed(None)]);
    let one = root.path().join("one");
    let resume =
        |cursor| Tested::resume(vec![Watch::recursive(&one)], cursor).expect("the folder is there");

    let mut resumed = resume(&before);
    assert_eq!(next(&mut resumed), [Event::missed_below(&one, None)]);

    let after = backend.cursor().expect("there is one at any time");
    let created = write(&one.join("new"));
    let mut resumed = resume(&after);
    assert_eq!(next(&mut resumed), [created]);
}

#[test]
fn an_old_flag_is_no_creation() {
    let _alone = alone();
    let root = tempfile::tempdir().expect("there is room");
    let folder = root.path().join("one");
    fs::create_dir(&folder).expect("a folder can be made");
    let file = folder.join("file");
    let mut backend = Tested::new(vec![Watch::recursive(&folder)]).expect("the folder is there");
    let created = write(&file);
    assert_eq!(next(&mut backend), [created]);

    fs::write(&file, "more").expect("it can be written");
    let written = Event::modify(ModifyKind::Data(DataChange::Size), &file);
    assert_eq!(next(&mut backend), [written]);
}
