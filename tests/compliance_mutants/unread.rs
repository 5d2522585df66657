//! Mistakes with what has been read ahead when the watches change.

use std::{
    collections::{HashMap, VecDeque},
    marker::PhantomData,
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

use crate::{
    construction::Made,
    kills::{Entry, entry},
    mutant::{Mutation, read_all},
    places::path_of,
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<ReadAhead<DropsBelow>>("drops_below_the_removed", &["CHG22"]),
        entry::<ReadAhead<DropsAlike>>("drops_alike_with_the_removed", &["CHG22"]),
        entry::<ReadAhead<KeepsErrors>>("keeps_errors_of_the_removed", &["PERM09"]),
        entry::<ReadAhead<DropsAtWatch>>("drops_at_watch", &["CHG23"]),
        entry::<ReadAhead<DoublesAtWatch>>("doubles_at_watch", &["CHG23"]),
        entry::<WidensBackwards>("widens_backwards", &["CHG24"]),
        entry::<RestlessUntilRead>("restless_until_read", &["RES09"]),
    ]
}

/// What is done with reports that wait when the watches change. Nothing is right, as far as other watches
/// cover them.
trait Mistake: Default + std::fmt::Debug + Send + Unpin + 'static {
    fn unwatched(_path: &Path, _waiting: &mut VecDeque<StreamItem>) {}
    fn watched(_path: &Path, _waiting: &mut VecDeque<StreamItem>) {}
}

/// Reads all that there is when it is asked for one item.
#[derive(Debug, Default)]
struct ReadAhead<M> {
    waiting: VecDeque<StreamItem>,
    mistake: PhantomData<M>,
}
impl<M: Mistake> Mutation for ReadAhead<M> {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        while self.waiting.is_empty() {
            let end = read_all(inner, cx, &mut self.waiting);
            if self.waiting.is_empty() {
                return end;
            }
        }
        Poll::Ready(self.waiting.pop_front())
    }
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        let path = watch.path.clone();
        inner.watch(watch)?;
        M::watched(&path, &mut self.waiting);
        Ok(())
    }
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        inner.unwatch(path)?;
        M::unwatched(path, &mut self.waiting);
        Ok(())
    }
}

/// Drops all that is below the removed path.
#[derive(Debug, Default)]
struct DropsBelow;
impl Mistake for DropsBelow {
    fn unwatched(path: &Path, waiting: &mut VecDeque<StreamItem>) {
        waiting.retain(|item| !path_of(item).starts_with(path));
    }
}

/// Drops all whose path begins like the removed one, and is not below it.
#[derive(Debug, Default)]
struct DropsAlike;
impl Mistake for DropsAlike {
    fn unwatched(path: &Path, waiting: &mut VecDeque<StreamItem>) {
        let text = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
        waiting.retain(|item| {
            let said = path_of(item);
            said.starts_with(path) || !text(said).starts_with(&text(path))
        });
    }
}

/// Drops what has waited before the watch was removed, except for errors.
#[derive(Debug, Default)]
struct KeepsErrors;
impl Mistake for KeepsErrors {
    fn unwatched(path: &Path, waiting: &mut VecDeque<StreamItem>) {
        waiting.retain(|item| item.is_err() || !path_of(item).starts_with(path));
    }
}

/// Takes what waits below a path for older than its watch.
#[derive(Debug, Default)]
struct DropsAtWatch;
impl Mistake for DropsAtWatch {
    fn watched(path: &Path, waiting: &mut VecDeque<StreamItem>) {
        waiting.retain(|item| !path_of(item).starts_with(path));
    }
}

/// Reports what waits for the earlier and for the new watch.
#[derive(Debug, Default)]
struct DoublesAtWatch;
impl Mistake for DoublesAtWatch {
    fn watched(path: &Path, waiting: &mut VecDeque<StreamItem>) {
        let below = waiting.iter().filter_map(|item| item.as_ref().ok());
        let below = below.filter(|event| event.path.starts_with(path)).cloned();
        let again: Vec<_> = below.map(Ok).collect();
        waiting.extend(again);
    }
}

/// Gets the events of all folders below, as from a queue of the file system, and goes by what is watched when it
/// reads them.
#[derive(Debug, Default)]
struct WidensBackwards {
    roots: HashMap<PathBuf, bool>,
}
fn deep(mut watch: Watch) -> Watch {
    watch.recursive = true;
    watch
}
impl Mutation for WidensBackwards {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let roots = watches.iter().map(|watch| (watch.path.clone(), watch.recursive)).collect();
        let watches = watches.into_iter().map(deep).collect();
        Ok((InotifyBackend::new(watches)?, Self { roots }))
    }
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        self.roots.insert(watch.path.clone(), watch.recursive);
        inner.watch(deep(watch))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        let is_covered = |(root, is_deep): (&PathBuf, &bool)| {
            let is_direct = path == root || path.parent() == Some(root);
            is_direct || *is_deep && path.starts_with(root)
        };
        if self.roots.iter().any(is_covered) {
            reported.push_back(item);
        }
    }
}

/// Has a thread that looks for more as long as it has something to report.
#[derive(Debug, Default)]
struct RestlessUntilRead {
    is_looking: Arc<AtomicBool>,
    has_thread: bool,
}
impl Mutation for RestlessUntilRead {
    fn answer(
        &mut self,
        answer: Poll<Option<StreamItem>>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        self.is_looking.store(answer.is_ready(), Ordering::Relaxed);
        if !mem::replace(&mut self.has_thread, true) {
            let is_looking = Arc::downgrade(&self.is_looking);
            thread::spawn(move || {
                while let Some(is_looking) = is_looking.upgrade() {
                    if !is_looking.load(Ordering::Relaxed) {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
            });
        }
        answer
    }
}
