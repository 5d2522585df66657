//! Tests beyond the compliance suite: the settings, and looks that fail or take very long.

use std::{
    fs::{self, File, FileTimes},
    future::poll_fn,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        mpsc::{Sender, channel},
    },
    task::{Wake, Waker},
    time::{Duration, SystemTime},
};

use notify_backend::{prelude::*, settings::Hints};
use notify_backend_poll::{PollBackend, Settings};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

const INTERVAL: Duration = Duration::from_millis(10);
/// The deadline after which a missing item counts as lost.
const DEADLINE: Duration = Duration::from_secs(20);

/// A folder that is watched recursively.
struct Scene {
    // Dropped before the folder and the runtime.
    backend: PollBackend,
    folder: TempDir,
    runtime: Runtime,
}

impl Scene {
    /// Watches a folder that `prepare` has filled.
    fn new(compare_contents: bool, prepare: impl FnOnce(&Path)) -> Self {
        let settings = Settings::default().interval(INTERVAL).compare_contents(compare_contents);
        Self::made_by(|watches| PollBackend::with_settings(settings, watches), prepare)
    }

    /// Does the same with a backend that `make` makes.
    fn made_by(
        make: impl FnOnce(Vec<Watch>) -> Result<PollBackend, BackendError>,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        prepare(folder.path());
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let entered = runtime.enter();
        let backend = make(vec![Watch::recursive(folder.path())]).expect("it can be watched");
        drop(entered);
        Self { backend, folder, runtime }
    }

    /// Returns the next item, if there is one within that time.
    fn next(&mut self, limit: Duration) -> Option<StreamItem> {
        let backend = &mut self.backend;
        let next = poll_fn(|cx| Pin::new(&mut *backend).poll_next(cx));
        self.runtime.block_on(async { timeout(limit, next).await.ok().flatten() })
    }

    /// Returns the kinds of all events of `name`, up to that of a file that is created now.
    fn kinds(&mut self, name: &str) -> Vec<String> {
        let path = self.folder.path().join(name);
        let items = self.until_barrier();
        let events = items.into_iter().map(|item| item.expect("no error"));
        events.filter(|event| event.path == path).map(|event| event.kind.to_string()).collect()
    }

    /// Returns all items up to an event of this path.
    fn until(&mut self, path: &Path) -> Vec<StreamItem> {
        let mut items = vec![];
        loop {
            let item = self.next(DEADLINE).expect("the path is reported");
            let is_last = item.as_ref().is_ok_and(|event| event.path == path);
            items.push(item);
            if is_last {
                return items;
            }
        }
    }

    /// Returns all items up to the reports of a file that is created now, and of one that is created after that: a
    /// whole look lies between them.
    fn until_barrier(&mut self) -> Vec<StreamItem> {
        let mut items = vec![];
        for number in 0..2 {
            let barrier = self.folder.path().join(format!("barrier-{number}"));
            File::create(&barrier).expect("a file can be made");
            items.extend(self.until(&barrier));
        }
        for number in 0..2 {
            let barrier = self.folder.path().join(format!("barrier-{number}"));
            fs::remove_file(barrier).expect("a file can be removed");
        }
        items
    }
}

/// Writes the file and restores its modification time.
fn write_in_secret(path: &Path, content: &str) {
    let modified = path.metadata().and_then(|metadata| metadata.modified()).expect("a time");
    fs::write(path, content).expect("the file can be written");
    let file = File::options().write(true).open(path).expect("the file can be opened");
    file.set_times(FileTimes::new().set_modified(modified)).expect("the time can be set");
}

#[test]
fn hints_are_settings() {
    let hints =
        Hints::default().with_poll_interval(Duration::from_secs(7)).with_compare_contents(true);
    let settings = Settings::default().interval(Duration::from_secs(7)).compare_contents(true);
    assert_eq!(format!("{:?}", Settings::from(&hints)), format!("{settings:?}"));
}

#[test]
fn without_hints_the_settings_are_the_default() {
    let settings = Settings::from(&Hints::default());
    assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
}

#[test]
fn hints_reach_the_looks() {
    let hints = Hints::default().with_poll_interval(INTERVAL).with_compare_contents(true);
    let make = |watches| PollBackend::with_hints(watches, &hints);
    let mut scene = Scene::made_by(make, |folder| fs::write(folder.join("file"), "one").unwrap());
    write_in_secret(&scene.folder.path().join("file"), "two");
    assert_eq!(scene.kinds("file"), ["modify/data/content"]);
}

/// An interval beyond the range of the clock must not cause a panic.
#[test]
fn the_longest_interval_is_waited_for() {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let settings = Settings::default().interval(Duration::MAX);
    let watches = vec![Watch::recursive(folder.path())];
    let backend = PollBackend::with_settings(settings, watches).expect("it can be watched");
    let mut scene = Scene { backend, folder, runtime };
    // A panic of the polling thread would be an item at once.
    let item = scene.next(Duration::from_millis(200));
    assert!(item.is_none(), "{item:?}");
}

#[test]
fn content_is_compared_on_request() {
    for compares in [true, false] {
        let mut scene =
            Scene::new(compares, |folder| fs::write(folder.join("file"), "one").unwrap());
        write_in_secret(&scene.folder.path().join("file"), "two");
        let kinds = scene.kinds("file");
        let is_told = kinds.iter().any(|kind| kind == "modify/data/content");
        assert_eq!(is_told, compares, "compare_contents({compares}): {kinds:?}");
    }
}

#[test]
fn changed_time_is_no_write_if_contents_are_compared() {
    for (compares, expected) in [(true, "modify/metadata/write-time"), (false, "modify/any")] {
        let mut scene =
            Scene::new(compares, |folder| fs::write(folder.join("file"), "one").unwrap());
        let path = scene.folder.path().join("file");
        let file = File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH)).unwrap();
        drop(file);
        assert_eq!(scene.kinds("file"), [expected], "compare_contents({compares})");
    }
}

/// Creates a tree, and returns it with a destination where one of its folders gets a path that is too long for
/// the system. Not even root can list that folder.
#[cfg(unix)]
fn make_tree(folder: &Path) -> [PathBuf; 2] {
    let down = |top: &str| {
        let mut path = folder.join(top);
        path.extend(std::iter::repeat_n("n".repeat(200), 12));
        fs::create_dir_all(&path).expect("a folder can be made");
        path
    };
    down("tree");
    [folder.join("tree"), down("elsewhere").join("tree")]
}

#[cfg(unix)]
#[test]
fn an_error_is_reported_once() {
    let mut moved = PathBuf::new();
    let mut scene = Scene::new(false, |folder| {
        let [tree, elsewhere] = make_tree(folder);
        fs::rename(tree, &elsewhere).unwrap();
        moved = elsewhere;
    });
    let is_error = |item: &StreamItem| item.is_err();
    let mut errors = vec![];
    for _ in 0..6 {
        errors.extend(scene.until_barrier().into_iter().filter(is_error));
    }
    assert_eq!(errors.len(), 1, "{errors:?}");
    let said = errors[0].as_ref().unwrap_err().to_string();
    assert!(said.contains(moved.to_str().unwrap()), "the path is named: {said}");
}

/// Such an error may come from a folder that is just being removed.
#[cfg(unix)]
#[test]
fn an_error_of_a_single_look_is_not_reported() {
    let mut tree = [PathBuf::new(), PathBuf::new()];
    let mut scene = Scene::new(false, |folder| tree = make_tree(folder));
    let [before, after] = tree;
    fs::rename(&before, &after).unwrap();
    let mut items = scene.until(&after);
    // There is no look unless the stream is read.
    fs::rename(&after, &before).unwrap();
    items.extend(scene.until_barrier());
    let errors: Vec<_> = items.into_iter().filter_map(Result::err).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// The files in the tree would take a look hours to read.
#[cfg(unix)]
#[test]
fn a_drop_does_not_wait_for_a_look() {
    let files = |folder: &Path| (0..200).map(|i| folder.join(i.to_string()).join("file")).collect();
    let mut scene = Scene::new(true, |folder| {
        let files: Vec<PathBuf> = files(folder);
        for file in files {
            fs::create_dir(file.parent().unwrap()).unwrap();
            File::create(file).unwrap();
        }
    });
    let files: Vec<PathBuf> = files(scene.folder.path());
    for file in files {
        File::options().write(true).open(file).unwrap().set_len(1 << 40).unwrap();
    }
    // The end of the first look would have brought items.
    let seen = scene.next(INTERVAL * 20);
    assert!(seen.is_none(), "the look is over already: {seen:?}");
    let start = std::time::Instant::now();
    drop(scene.backend);
    let took = start.elapsed();
    // A drop waits at most a second.
    assert!(took < Duration::from_millis(900), "it took {took:?}");
}

/// The program has a bug: its waker, which runs on the polling thread, panics.
#[test]
fn end_of_the_thread_is_reported_once() {
    struct Panics(Sender<()>);
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            self.0.send(()).unwrap();
            panic!("a waker that panics, as this test wants it to");
        }
    }

    let mut scene = Scene::new(false, |_| {});
    let (sender, woken) = channel();
    let waker = Arc::new(Panics(sender)).into();
    let first = Pin::new(&mut scene.backend).poll_next(&mut Context::from_waker(&waker));
    assert!(first.is_pending(), "{first:?}");
    let new = scene.folder.path().join("new");
    File::create(&new).unwrap();
    woken.recv_timeout(DEADLINE).unwrap();

    let items: Vec<_> = std::iter::from_fn(|| scene.next(DEADLINE)).collect();
    let [found @ .., Err(error)] = items.as_slice() else {
        panic!("no error at the end: {items:?}")
    };
    let is_new = |item: &StreamItem| item.as_ref().is_ok_and(|event| event.path == new);
    assert!(found.iter().any(is_new), "the new file is reported: {items:?}");
    assert!(error.to_string().contains("has panicked"), "{error}");
    let end = Pin::new(&mut scene.backend).poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(end, Poll::Ready(None)), "{end:?}");
    let watched = scene.backend.watch(Watch::recursive(scene.folder.path()));
    assert!(matches!(watched, Err(BackendError::Ended { .. })), "{watched:?}");
    let unwatched = scene.backend.unwatch(scene.folder.path());
    assert!(matches!(unwatched, Err(BackendError::Ended { .. })), "{unwatched:?}");
}

/// Folders that cannot be distinguished are not reported: see the limits in the crate's documentation.
#[cfg(unix)]
#[test]
fn replaced_root_is_not_reported_forever() {
    let mut scene = Scene::new(false, |_| ());
    let root = scene.folder.path().to_owned();
    fs::rename(&root, root.with_extension("away")).expect("it can be renamed");
    fs::create_dir(&root).expect("its name is free");
    assert!(scene.next(DEADLINE).is_some(), "the replacement is not reported");
    fs::remove_dir(root.with_extension("away")).expect("it is empty");

    // Long enough for many looks.
    let is_quiet = (0..100).any(|_| scene.next(INTERVAL * 50).is_none());
    assert!(is_quiet, "it is reported at each look");
}

#[test]
fn overlapping_watches_report_once_while_one_is_replaced() {
    let mut scene = Scene::new(false, |folder| {
        fs::create_dir(folder.join("inner")).expect("a folder can be made");
    });
    let inner = scene.folder.path().join("inner");
    scene.backend.watch(Watch::recursive(&inner)).expect("it can be watched");
    for i in 0..20 {
        let name = format!("inner/file-{i}");
        fs::write(scene.folder.path().join(&name), "").expect("a file can be made");
        let watch = Watch::recursive(&inner);
        let watch = if i % 2 == 0 { watch.following_links() } else { watch };
        scene.backend.watch(watch).expect("it can be watched anew");
        assert_eq!(scene.kinds(&name), ["create/file"]);
    }
}

#[test]
fn move_into_an_inner_watch_is_a_rename() {
    let mut scene = Scene::new(false, |folder| {
        fs::create_dir(folder.join("inner")).expect("a folder can be made");
        fs::write(folder.join("file"), "").expect("a file can be made");
    });
    let (file, inner) = (scene.folder.path().join("file"), scene.folder.path().join("inner"));
    scene.backend.watch(Watch::recursive(&inner)).expect("it can be watched");
    fs::rename(file, inner.join("file")).expect("it can be renamed");
    let expected = if cfg!(unix) { "modify/name/to" } else { "create/file" };
    assert_eq!(scene.kinds("inner/file"), [expected]);
}
