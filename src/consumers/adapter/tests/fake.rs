//! A backend that watches nothing and reports whatever a test wants: [`Fake`], on its [`Stage`].

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    task::{Context, Poll},
};

use futures_core::Stream;
use tokio::runtime::Handle;

use crate::{
    contract::{
        backend::{Backend, StreamItem, Watch},
        capability::{Capabilities, Capability},
        error::BackendError,
        event::Event,
        settings::Hints,
    },
    parts::channel::{Receiver, Sender, channel},
};

type Instances = Arc<Mutex<Vec<Played>>>;

static STAGES: LazyLock<Mutex<HashMap<PathBuf, Instances>>> = LazyLock::new(Mutex::default);

/// The instances of backends that watch paths below a folder that belongs to one test.
pub(super) struct Stage {
    root: PathBuf,
    instances: Instances,
}

/// An instance, as seen from the stage.
#[derive(Debug)]
struct Played {
    watches: Vec<Watch>,
    hints: Hints,
    // How many paths each request for several added.
    requests: Vec<usize>,
    // `None` once its stream was ended.
    sender: Option<Sender>,
    dropped: bool,
}

impl Stage {
    pub(super) fn new(test: &str) -> Self {
        Self::at(std::env::temp_dir().join("no-such-folder").join(test))
    }

    /// Creates a stage in a folder that may exist.
    pub(super) fn at(root: PathBuf) -> Self {
        let instances = Arc::default();
        let before = STAGES.lock().unwrap().insert(root.clone(), Arc::clone(&instances));
        assert!(before.is_none(), "two tests use {}", root.display());
        Self { root, instances }
    }

    /// Returns a path that no backend of another test watches. A path that ends in `missing` does not
    /// exist, one in `limit` meets a limit, and one in `broken` makes the backend panic.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns the number of instances that exist now.
    pub(super) fn alive(&self) -> usize {
        self.instances.lock().unwrap().iter().filter(|played| !played.dropped).count()
    }

    /// Returns the number of instances that there have been.
    pub(super) fn made(&self) -> usize {
        self.instances.lock().unwrap().len()
    }

    /// Returns the paths that an instance watches, with `/...` after those that it watches recursively.
    pub(super) fn watches(&self, number: usize) -> Vec<String> {
        let text = |watch: &Watch| {
            let name = watch.path.strip_prefix(&self.root).unwrap().display();
            format!("{name}{}", if watch.recursive { "/..." } else { "" })
        };
        self.instances.lock().unwrap()[number].watches.iter().map(text).collect()
    }

    /// Returns how many paths each request for several added to an instance.
    pub(super) fn requests(&self, number: usize) -> Vec<usize> {
        self.instances.lock().unwrap()[number].requests.clone()
    }

    /// Returns the watches that an instance was asked for.
    pub(super) fn asked(&self, number: usize) -> Vec<Watch> {
        self.instances.lock().unwrap()[number].watches.clone()
    }

    /// Returns the hints with which an instance was made.
    pub(super) fn hints(&self, number: usize) -> Hints {
        self.instances.lock().unwrap()[number].hints.clone()
    }

    pub(super) fn sender(&self, number: usize) -> Sender {
        self.instances.lock().unwrap()[number].sender.clone().unwrap()
    }

    /// Lets an instance report an event.
    pub(super) fn report(&self, number: usize, event: Event) {
        self.sender(number).send(event);
    }

    /// Ends the stream of an instance.
    pub(super) fn end(&self, number: usize) {
        let sender = self.instances.lock().unwrap()[number].sender.take();
        drop(sender);
    }
}

/// Declares [`Capability::ChangeWatches`] if `CHANGES`, and [`Capability::WatchRecursively`] if
/// `RECURSES`. Without `LIMITED`, it meets no limit.
#[derive(Debug)]
pub(super) struct Fake<const CHANGES: bool, const RECURSES: bool, const LIMITED: bool = true> {
    events: Receiver,
    stage: Instances,
    number: usize,
}

fn check(watch: &Watch, is_limited: bool) -> Result<(), BackendError> {
    let path = watch.path.clone();
    match path.file_name().and_then(|name| name.to_str()) {
        Some("missing") => Err(BackendError::not_found([path])),
        Some("limit") if is_limited => {
            Err(BackendError::from_io(path, io::ErrorKind::StorageFull.into()))
        }
        Some("broken") => panic!("a bug in the backend"),
        _ => Ok(()),
    }
}

impl<const CHANGES: bool, const RECURSES: bool, const LIMITED: bool>
    Fake<CHANGES, RECURSES, LIMITED>
{
    fn change<T>(&self, change: impl FnOnce(&mut Played) -> T) -> T {
        change(&mut self.stage.lock().unwrap()[self.number])
    }
}

impl<const CHANGES: bool, const RECURSES: bool, const LIMITED: bool> Backend
    for Fake<CHANGES, RECURSES, LIMITED>
{
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_hints(watches, &Hints::default())
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        assert!(Handle::try_current().is_ok(), "a backend is called outside of a runtime");
        watches.iter().try_for_each(|watch| check(watch, LIMITED))?;
        let stages = STAGES.lock().unwrap();
        let stage = stages.iter().find(|(root, _)| watches[0].path.starts_with(root)).unwrap().1;
        let (sender, events) = channel(100);
        let mut instances = stage.lock().unwrap();
        let number = instances.len();
        let (hints, requests) = (hints.clone(), vec![]);
        instances.push(Played { watches, hints, requests, sender: Some(sender), dropped: false });
        Ok(Self { events, stage: Arc::clone(stage), number })
    }

    fn capabilities() -> Capabilities {
        let mut all = Capabilities::ALL;
        if !CHANGES {
            all = all.without(Capability::ChangeWatches);
        }
        if !RECURSES {
            all = Capabilities::declare(&[Capability::WatchFolders, Capability::WatchFiles])
                .union(all.intersection(Capabilities::NONE.with(Capability::ChangeWatches)));
        }
        all
    }

    fn name() -> &'static str {
        if LIMITED { "tests/fake" } else { "tests/roomy" }
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        assert!(CHANGES, "a backend is asked for a capability that it does not declare");
        assert!(Handle::try_current().is_ok(), "a backend is called outside of a runtime");
        check(&watch, LIMITED)?;
        self.change(|played| {
            played.watches.retain(|known| known.path != watch.path);
            played.watches.push(watch);
        });
        Ok(())
    }

    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        watches.iter().try_for_each(|watch| check(watch, LIMITED))?;
        self.change(|played| played.requests.push(watches.len()));
        watches.into_iter().try_for_each(|watch| self.watch(watch))
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        assert!(CHANGES, "a backend is asked for a capability that it does not declare");
        let removed = self.change(|played| {
            let before = played.watches.len();
            // In the same spelling.
            played.watches.retain(|known| known.path.as_os_str() != path.as_os_str());
            played.watches.len() < before
        });
        let path = path.to_owned();
        if removed { Ok(()) } else { Err(BackendError::not_watched(path)) }
    }
}

impl<const CHANGES: bool, const RECURSES: bool, const LIMITED: bool> Stream
    for Fake<CHANGES, RECURSES, LIMITED>
{
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        assert!(Handle::try_current().is_ok(), "a backend is polled outside of a runtime");
        Pin::new(&mut self.events).poll_next(cx)
    }
}

impl<const CHANGES: bool, const RECURSES: bool, const LIMITED: bool> Drop
    for Fake<CHANGES, RECURSES, LIMITED>
{
    fn drop(&mut self) {
        self.change(|played| played.dropped = true);
    }
}
