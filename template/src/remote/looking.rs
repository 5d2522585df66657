//! A backend for daemons that looks at the files from time to time: [`LookingBackend`].

use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use notify_backend::{
    check_paths,
    listing::{TRACKS_RENAMES, Trees},
    prelude::*,
    worker::Worker,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::sleep,
};

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(1);

/// After a look that has taken long, the pause is so many times as long: looking takes a fifth of a core at most.
const REST: u32 = 4;

/// How many reports wait for the daemon to take them. More stay where they were found.
const CAPACITY: usize = 10_000;

const LOOKING: Capabilities = {
    let all = Capabilities::declare(&[
        Capability::WatchFiles,
        Capability::WatchFolders,
        Capability::WatchNewFolders,
        Capability::WatchRecursively,
        Capability::WatchNetworkedFilesystem,
        Capability::ChangeWatches,
    ]);
    if TRACKS_RENAMES { all.with(Capability::TrackRelated) } else { all }
};

/// Looks at the watched paths once per second. It runs on every system, and needs no other crate; a backend of
/// the system's own facility costs less and reports at once.
#[derive(Debug)]
pub struct LookingBackend {
    // Dropped before the trees are stopped.
    trees: Arc<Trees>,
    worker: Worker,
    /// Asks for a look now. It has ended when what is sent is dropped.
    asking: mpsc::UnboundedSender<oneshot::Sender<()>>,
    has_ended: bool,
}

impl LookingBackend {
    /// As [`new`](Backend::new), but looks as often as `interval` says.
    pub fn with_interval(interval: Duration, watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_paths(&watches, LOOKING)?;
        let trees = Arc::new(Trees::new());
        watches.into_iter().try_for_each(|watch| trees.watch(watch))?;
        let (asking, mut asked) = mpsc::unbounded_channel();
        let worker = Worker::start("looking", CAPACITY, Duration::from_secs(5), {
            let trees = trees.clone();
            move |events, ready| async move {
                ready.ok();
                let mut waiting = vec![];
                loop {
                    while let Ok(one) = asked.try_recv() {
                        waiting.push(one);
                    }
                    let start = Instant::now();
                    // What one look finds to be a new folder, the next one may report once more.
                    let looks = if waiting.is_empty() { 1 } else { 2 };
                    let looked = spawn_blocking({
                        let trees = trees.clone();
                        move || (0..looks).for_each(|_| trees.look())
                    });
                    if looked.await.is_err() {
                        let error = io::Error::other("a look at the files has panicked");
                        return events.send_error(StreamError::read(error));
                    }
                    let took = start.elapsed();
                    while let Some(item) = trees.next() {
                        while events.len() >= CAPACITY {
                            sleep(Duration::from_millis(10)).await;
                        }
                        match item {
                            Ok(event) => events.send(event),
                            Err(error) => events.send_error(error),
                        }
                    }
                    waiting.clear();
                    tokio::select! {
                        () = sleep(interval.max(took * REST)) => {}
                        Some(one) = asked.recv() => waiting.push(one),
                    }
                }
            }
        })?;
        Ok(Self { trees, worker, asking, has_ended: false })
    }

    /// Looks now. Once the receiver returns something, or an error, what has happened until this call is in the stream.
    pub(crate) fn look(&mut self) -> oneshot::Receiver<()> {
        let (waiting, looked) = oneshot::channel();
        // If the worker has ended, nothing more comes.
        _ = self.asking.send(waiting);
        looked
    }
}

impl Backend for LookingBackend {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_interval(INTERVAL, watches)
    }

    fn capabilities() -> Capabilities {
        LOOKING
    }

    fn name() -> &'static str {
        "notify-backend/looking"
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        if self.has_ended {
            return Err(BackendError::ended());
        }
        watch.check(LOOKING)?;
        self.trees.watch(watch)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        if self.has_ended {
            return Err(BackendError::ended());
        }
        self.trees.unwatch(path)?;
        self.worker.retain(|item| {
            let reported = match item {
                Ok(event) => event.path.as_path(),
                Err(error) => error.path().unwrap_or(Path::new("")),
            };
            !reported.starts_with(path)
        });
        Ok(())
    }
}

impl Stream for LookingBackend {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let polled = Pin::new(&mut self.worker).poll_next(cx);
        self.has_ended |= matches!(polled, Poll::Ready(None));
        polled
    }
}

impl Drop for LookingBackend {
    fn drop(&mut self) {
        self.trees.stop();
    }
}
