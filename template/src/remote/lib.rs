//! A file-system notification backend for files of other machines, by NATS `JetStream`. {%- capture source %}
//!
//! On the machine with the files, a daemon publishes what any backend reports: [`publish`], or the program of
//! this crate (`cargo run -- --help`), whose `main.rs` has the list of backends to choose from. A `JetStream` server
//! stores these events. [`RemoteBackend`] is a client of it, on any machine, for any number of programs: each reads
//! the stream at its own pace, and can go on where it stopped.
//!
//! This file is the client's outside. `client.rs` has its work, `places.rs` the watched paths, `cursor.rs` where
//! the stream stands, `message.rs` what goes through the broker, `settings.rs` the settings, `trouble.rs` what is
//! reported once it has lasted. `daemon.rs` is the other side, `gaps.rs` what its backend cannot watch, and `looking.rs`
//! a backend for it that runs everywhere.
//!
//! # Limits and details
//!
//! - The daemon watches certain folders with all that is below. A client watches these or parts of them. It
//!   asks the daemon, which also says where the stream stands, so that only later changes are reported.
//! - A daemon that looks does not see what comes and goes between two looks, even if a client has seen it by listing
//!   a folder that was reported as new.
//! - What is mounted below the daemon's folders while it runs is watched only if its backend sees that, as one that looks
//!   does. For inotify, start the daemon again.
//! - A watch belongs to a path: a folder that is gone, and comes back, is reported again.
//! - Links are not followed and accesses are not reported, whatever the daemon's backend can do.
//! - **Loss**: the daemon numbers its messages, so whatever is missing is noticed, and reported as `Missed`:
//!   messages that the stream has dropped because of its limits, before this client has read them; a daemon
//!   that was started again; messages that are damaged or forged. A loss that the daemon's backend reports
//!   keeps its path.
//! - **A connection** that is lost is an error item at once. Once it is back, reading goes on where it was, so
//!   nothing is lost that the stream still has. A daemon whose heartbeats do not come any longer
//!   ([`Settings::silence`]), or say that it cannot publish, is an error item, too. So is a stream that cannot be read.
//! - **A cluster** that has lost the leader of the stream stores nothing until it has chosen another one, which takes some
//!   seconds. Clients of the lost server say that they have lost the connection. If the stream has replicas
//!   ([`Publishing::replicas`]), nothing is lost.
//! - **A second daemon** with the same subject ends with an error when it hears the heart of the first. What it has
//!   published by then is a loss for clients; mostly that is nothing.
//! - **A stream** that refuses new messages when it is full stops the daemon until it has room; then the queue of the
//!   daemon's backend overflows, which is a `Missed`. A stream that is deleted is made again by the daemon, and a
//!   client loses what it had not read, which is a `Missed`.
//! - **Slow programs**: at most [`Settings::capacity`] items and a few messages wait in memory. The rest
//!   stays in the stream.
//! - **Trust**: anyone who may publish on the daemon's subjects can report changes that did not happen, but
//!   only below the watched paths, and can cause losses to be reported. Give that right to the daemon alone.
//! - A message is half a mebibyte long at most; the limits of server and stream must not be lower than 300 kB.

mod client;
mod cursor;
mod daemon;
mod gaps;
mod looking;
mod message;
mod places;
mod settings;
mod trouble;

use std::sync::Arc;

use notify_backend::{About, Cursor, prelude::*, worker::Worker};

use crate::{
    client::{Shared, Start, lock, work},
    cursor::Position,
    places::spelled_below,
};
pub use crate::{
    daemon::{publish, publish_by_looking},
    looking::LookingBackend,
    settings::{Address, Publishing, Settings},
};

/// Those of every client. If the daemon's backend relates the halves of renames, so does its client.
const CAPABILITIES: Capabilities = Capabilities::declare(&[
    Capability::WatchFiles,
    Capability::WatchFolders,
    Capability::WatchNewFolders,
    Capability::WatchRecursively,
    Capability::WatchNetworkedFilesystem,
    Capability::ChangeWatches,
    Capability::Resume,
]);

/// Watches paths through a daemon's messages.
#[derive(Debug)]
pub struct RemoteBackend {
    worker: Worker,
    shared: Arc<Shared>,
    has_ended: bool,
}

impl RemoteBackend {
    /// As [`new`](Backend::new), but with settings other than the default.
    pub fn with_settings(settings: Settings, watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::start(settings, watches, Start::Now)
    }

    /// As [`resume`](Backend::resume), but with settings other than the default.
    pub fn resume_with_settings(
        settings: Settings,
        watches: Vec<Watch>,
        from: &Cursor,
    ) -> Result<Self, BackendError> {
        let from = Position::of(from, Self::name())?;
        Self::start(settings, watches, Start::From(from))
    }

    fn start(settings: Settings, watches: Vec<Watch>, start: Start) -> Result<Self, BackendError> {
        watches.iter().try_for_each(|watch| watch.check(CAPABILITIES))?;
        let (patience, capacity) = (settings.patience * 3, settings.capacity);
        let name = format!("the client of {}", settings.address.subject);
        let shared = Arc::new(Shared::new(settings));
        let worker = Worker::start(&name, capacity, patience, {
            let shared = shared.clone();
            move |events, ready| work(shared, watches, start, events, ready)
        })?;
        Ok(Self { worker, shared, has_ended: false })
    }
}

impl Backend for RemoteBackend {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_settings(Settings::default(), watches)
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self, BackendError> {
        Self::resume_with_settings(Settings::default(), watches, from)
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/remote"
    }

    fn about(&self) -> About {
        let mut about = About::of::<Self>();
        if self.shared.tracks_renames.get().is_some_and(|tracks| *tracks) {
            about.capabilities = about.capabilities.with(Capability::TrackRelated);
        }
        about
    }

    fn cursor(&self) -> Option<Cursor> {
        Some(lock(&self.shared.positions).current().cursor(Self::name()))
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.watch_all(vec![watch])
    }

    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        if self.has_ended {
            return Err(BackendError::ended());
        }
        watches.iter().try_for_each(|watch| watch.check(CAPABILITIES))?;
        let shared = self.shared.clone();
        self.worker.wait_for(shared.settings.patience, async move { shared.add(watches).await })?
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        if self.has_ended {
            return Err(BackendError::ended());
        }
        let mut places = lock(&self.shared.places);
        if !places.remove(path) {
            return Err(BackendError::not_watched(path));
        }
        self.worker.retain(|item| {
            let reported = match item {
                Ok(event) => event.path.as_path(),
                Err(error) => error.path().unwrap_or(Path::new("")),
            };
            reported.as_os_str().is_empty()
                || places.covers(reported)
                || spelled_below(path, reported).is_none()
        });
        Ok(())
    }
}

impl Stream for RemoteBackend {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let sent = lock(&self.shared.positions).sent();
        let polled = Pin::new(&mut self.worker).poll_next(cx);
        match &polled {
            Poll::Pending => lock(&self.shared.positions).drained(sent),
            Poll::Ready(None) => self.has_ended = true,
            Poll::Ready(Some(Ok(Event { kind: EventKind::Missed(_), path, .. })))
                if path.as_os_str().is_empty() => {}
            Poll::Ready(Some(Err(StreamError::Read { .. }))) => {}
            Poll::Ready(Some(_)) => lock(&self.shared.positions).polled(),
        }
        polled
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "RemoteBackend", type_name | replace: "your-namespace/remote", backend_name -}}
