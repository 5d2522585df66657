//! A file-system notification backend on Watchman, through its daemon. {%- capture source %}
//!
//! [Watchman](https://facebook.github.io/watchman/) is a daemon that watches trees for all programs of a user, and
//! remembers what has changed. The backend is its client: each watch is a connection with one subscription. Since the
//! daemon outlives the program, a later program can [resume](notify_backend::Backend::resume) where
//! this one stopped.
//!
//! This file is the backend's outside. `subscription.rs` is one watch; `handshake.rs` says what it asks the daemon,
//! `connection.rs` carries that, `pulse.rs` says when to ask again, and `bser.rs` is the format. `target.rs` makes paths
//! of names, `changes.rs` events of lists, and `position.rs` cursors of clocks. `explain.rs` makes errors of refusals,
//! `socket.rs` finds the daemon.
//!
//! The crates `watchman_client` and `serde_bser` (0.9 and 0.4) are not used. The client is async throughout and
//! asks for all of Tokio, so that `new` could not wait for it in the program's runtime; and the
//! format's crate panics at a forged length, whereas here nothing that arrives may do harm.
//!
//! # Limits and details
//!
//! - Watchman compares **states**. Several changes of a path that come together are one event, what came and went
//!   may not show, or only as a removal, and the order within a batch is: what is gone, then what is there.
//!   A **rename** is a removal and a creation. A file that was replaced by another is reported as
//!   created. A change is reported as `Modify(Any)`, whether of data or of metadata.
//! - The daemon waits for 20 ms without a change before it reports any ([`Settings`]).
//! - The daemon watches **all of a tree**, or even the project around it (a folder with `.git`, `.hg` or
//!   `.watchmanconfig`), also for a watch of one file or one folder. It goes on when the backend is dropped.
//! - It leaves **traces**: to know that it is up to date, it makes a file in the root, or in its `.git` or `.hg`, for
//!   a moment, whenever a watch begins. A folder in which it cannot do that is unavailable.
//! - **Unreadable** folders in a watched tree are not watched, and the daemon does not say which they are.
//! - Changes of the metadata of a **watched folder itself** are not reported, unless it is in a project. If it is removed or
//!   renamed, its removal is the last event, without those of its entries.
//! - **Links** are not followed. A watched link is an entry of its folder.
//! - If the **connection** breaks, that is an error at once. Then the backend connects again, first after 50 ms, at
//!   last every 10 s. The same daemon continues where it stopped; a new one cannot, so there is a `Missed` for
//!   each watch.
//! - If the daemon's own queue overflows, it reads the tree again (*recrawl*) and reports what has changed. That is
//!   no loss, since it compares states.
//! - The path is **not** checked for networked file systems: what the daemon sees there depends on its own watcher.
//! - A daemon that **hangs** is an error, too: it is asked whether it is there, first after 100 ms, at last every 30 s, and
//!   has [`Settings::patience`] for its answer.
//! - Now and then, Watchman 4.9 keeps back a change that happens just when a watch begins. The first of these
//!   questions finds it, but not with [`Settings::defer_vcs`]: then it comes with the next change.
//! - It needs Watchman 4.9 or later, and Unix.

mod bser;
mod changes;
mod connection;
mod explain;
mod handshake;
mod position;
mod pulse;
mod settings;
mod socket;
mod subscription;
mod target;

use std::sync::Arc;

use notify_backend::{Cursor, prelude::*};

pub use crate::settings::{Expression, Settings};
use crate::{
    changes::Change,
    position::{Position, Positions},
    subscription::{Daemon, Subscription, Yielded},
};

/// Watches paths through Watchman and streams what happens to them.
#[derive(Debug)]
pub struct WatchmanBackend {
    daemon: Arc<Daemon>,
    subscriptions: Vec<Subscription>,
    /// The one that is asked first, so that each has its turn.
    next: usize,
    /// Whether a broken connection was reported, and none has been made since.
    is_down: bool,
    /// Wakes the task when the first watch is added.
    waker: Option<std::task::Waker>,
    has_ended: bool,
}

/// The promises, each of which the compliance tests check.
const CAPABILITIES: Capabilities = Capabilities::declare(&[
    Capability::WatchFiles,
    Capability::WatchFolders,
    Capability::WatchNewFolders,
    Capability::WatchRecursively,
    Capability::ChangeWatches,
    Capability::Resume,
]);

impl WatchmanBackend {
    /// As [`new`](Backend::new), but with settings other than the default.
    pub fn with_settings(settings: Settings, watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::open(settings, watches, |_| None)
    }

    /// As [`resume`](Backend::resume), but with settings other than the default.
    pub fn resume_with_settings(
        settings: Settings,
        watches: Vec<Watch>,
        from: &Cursor,
    ) -> Result<Self, BackendError> {
        let positions = Positions::of(Self::name(), from)?;
        // Of a path that is not in the cursor, nothing is known, so the daemon says that it begins anew.
        let position = |path: &Path| positions.get(path).cloned().unwrap_or_else(Position::unknown);
        Self::open(settings, watches, |path| Some(position(path)))
    }

    fn open(
        settings: Settings,
        mut watches: Vec<Watch>,
        from: impl Fn(&Path) -> Option<Position>,
    ) -> Result<Self, BackendError> {
        check_watches(&watches, CAPABILITIES)?;
        let socket = socket::find(&settings)?;
        let mut backend = Self {
            daemon: Arc::new(Daemon { socket, settings }),
            subscriptions: vec![],
            next: 0,
            is_down: false,
            waker: None,
            has_ended: false,
        };
        // Folders first: the daemon then watches what is in them in the same root.
        watches.sort_by_key(|watch| watch.path.as_os_str().len());
        for watch in watches {
            let from = from(&watch.path);
            backend.put(Subscription::open(&backend.daemon, watch, from.as_ref())?);
        }
        Ok(backend)
    }

    /// Adds a subscription, instead of the one with the same path.
    fn put(&mut self, subscription: Subscription) {
        match self.find(subscription.path()) {
            Some(at) => self.subscriptions[at] = subscription,
            None => self.subscriptions.push(subscription),
        }
    }

    /// Returns the place of the watch of `path`, by spelling.
    fn find(&self, path: &Path) -> Option<usize> {
        let is_it = |known: &Subscription| known.path().as_os_str() == path.as_os_str();
        self.subscriptions.iter().position(is_it)
    }

    /// Returns whether a change that the watch at this place reports is also reported, under the same path, by one
    /// that it lies in.
    fn is_reported_by_outer(&self, at: usize, path: &Path, tick: Option<u64>) -> bool {
        let own = &self.subscriptions[at];
        self.subscriptions.iter().any(|outer| outer.also_reports(own, path, tick))
    }

    fn check_open(&self) -> Result<(), BackendError> {
        if self.has_ended { Err(BackendError::ended()) } else { Ok(()) }
    }
}

impl Backend for WatchmanBackend {
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
        "your-namespace/watchman"
    }

    fn cursor(&self) -> Option<Cursor> {
        let positions = self.subscriptions.iter().map(|it| (it.path(), it.position()));
        Some(position::cursor(Self::name(), positions))
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.check_open()?;
        watch.check(CAPABILITIES)?;
        // What an earlier watch of the path has not reported yet is not lost.
        let earlier = self.find(&watch.path).map(|at| &self.subscriptions[at]);
        let unread = earlier.and_then(|earlier| Some((earlier, earlier.unread()?)));
        let from = unread.map(|(_, position)| position);
        let mut subscription = Subscription::open(&self.daemon, watch, from)?;
        if let Some((earlier, _)) = unread {
            subscription.replace(earlier);
        }
        self.put(subscription);
        // Its connection has to be polled.
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.check_open()?;
        let at = self.find(path).ok_or_else(|| BackendError::not_watched(path))?;
        let removed = self.subscriptions.remove(at);
        for inner in &mut self.subscriptions {
            // What it has left to this one, which has not reported it yet.
            if removed.owes(inner) {
                inner.lose();
            }
        }
        Ok(())
    }
}

impl Stream for WatchmanBackend {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let this = &mut *self;
        let mut left = this.subscriptions.len();
        while left > 0 && !this.has_ended {
            let at = this.next % this.subscriptions.len();
            let was_live = this.subscriptions[at].is_live();
            let polled = this.subscriptions[at].poll_next(cx);
            this.is_down &= was_live || !this.subscriptions[at].is_live();
            match polled {
                Poll::Pending => {
                    this.next = at + 1;
                    left -= 1;
                }
                Poll::Ready(Yielded::Item(item)) => return Poll::Ready(Some(item)),
                Poll::Ready(Yielded::Change(Change { event, tick, .. }))
                    if this.subscriptions[at].is_left_out(&event.path, tick) => {}
                Poll::Ready(Yielded::Change(Change { event, tick, .. })) => {
                    if !this.is_reported_by_outer(at, &event.path, tick) {
                        return Poll::Ready(Some(Ok(event)));
                    }
                    this.subscriptions[at].leave(tick);
                }
                Poll::Ready(Yielded::Gone(event)) => {
                    if !this.is_reported_by_outer(at, &event.path, None) {
                        return Poll::Ready(Some(Ok(event)));
                    }
                }
                Poll::Ready(Yielded::Over) => {
                    this.subscriptions.remove(at);
                    left = left.min(this.subscriptions.len());
                }
                Poll::Ready(Yielded::Lost(error)) => {
                    this.has_ended = tokio::runtime::Handle::try_current().is_err();
                    // One report for the connections of all watches.
                    if !std::mem::replace(&mut this.is_down, true) {
                        return Poll::Ready(Some(Err(StreamError::read(error))));
                    }
                }
            }
        }
        if this.has_ended {
            return Poll::Ready(None);
        }
        this.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_watchman", crate_name | replace: "WatchmanBackend", type_name | replace: "your-namespace/watchman", backend_name -}}
