//! A [`Buffer`] between threads, for platforms that call from their own thread: [`channel`].

#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    thread,
};

use futures_core::Stream;

use super::buffer::Buffer;
use crate::contract::{backend::StreamItem, error::StreamError, event::Event};

/// Creates a [`Buffer`] for `capacity` items whose two ends can be in different threads.
///
/// The [`Sender`] goes to the platform's thread or callback, the [`Receiver`] into the backend, which
/// forwards its [`poll_next`](Stream::poll_next) to it. The documentation of [`Buffer`] about capacities
/// and [`EventKind::Missed`](crate::EventKind::Missed) applies here too.
///
/// ```
/// use notify_backend::{channel::{Receiver, channel}, prelude::*};
///
/// #[derive(Debug)]
/// struct YourBackend {
///     events: Receiver,
/// }
///
/// impl Stream for YourBackend {
///     type Item = StreamItem;
///
///     fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
///         Pin::new(&mut self.events).poll_next(cx)
///     }
/// }
///
/// let (sender, events) = channel(10_000);
/// let platform = std::thread::spawn(move || {
///     sender.send(Event::create(CreateKind::File, "/srv/page"));
/// });
/// let mut backend = YourBackend { events };
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let mut next = async || std::future::poll_fn(|cx| Pin::new(&mut backend).poll_next(cx)).await;
/// assert_eq!(next().await.unwrap().unwrap().to_string(), "create/file /srv/page");
/// assert!(next().await.is_none()); // The only sender is gone.
/// # });
/// # platform.join().unwrap();
/// # Ok::<_, std::io::Error>(())
/// ```
#[must_use]
pub fn channel(capacity: usize) -> (Sender, Receiver) {
    let shared = Arc::new(Shared(Mutex::new(Buffer::new(capacity))));
    (Sender(Arc::new(Closer(shared.clone()))), Receiver(shared))
}

#[derive(Debug)]
struct Shared(Mutex<Buffer>);

impl Shared {
    /// Locks the buffer. No code under the lock leaves it half changed, so a panic of another thread does
    /// no harm.
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the buffer and wakes the receiving task. It does so after releasing the lock, since a waker
    /// may run code that uses the channel, such as the receiver's drop.
    fn change(&self, change: impl FnOnce(&mut Buffer)) {
        let mut buffer = self.lock();
        let waker = buffer.take_waker();
        change(&mut buffer);
        drop(buffer);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The platform's end of a [`channel`]. Clone it for each thread that sends.
///
/// The stream ends when the last clone is dropped and all items have been taken. It also ends, with an
/// error ([`StreamError::Read`]) as its last item, when a panicking thread drops a clone: that thread's
/// events are missing from then on, and nothing else would show it.
#[derive(Clone, Debug)]
pub struct Sender(Arc<Closer>);

impl Sender {
    /// Adds an event, as [`Buffer::add`] does. Never waits for the receiver.
    pub fn send(&self, event: Event) {
        self.0.0.change(|buffer| buffer.add(event));
    }

    /// Adds an error, as [`Buffer::add_error`] does. Never waits for the receiver.
    pub fn send_error(&self, error: StreamError) {
        self.0.0.change(|buffer| buffer.add_error(error));
    }

    /// Returns whether there is nothing for the [`Receiver`] to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.0.lock().is_empty()
    }

    /// Returns the number of items for the [`Receiver`] to take. Other senders and the receiver may change
    /// it at any time.
    ///
    /// If the platform can be paused, pause it when this comes near the [`capacity`](Self::capacity):
    ///
    /// ```
    /// use notify_backend::{channel::channel, prelude::*};
    ///
    /// /// How many events the service still sends after it was asked to pause.
    /// const UNDER_WAY: usize = 64;
    ///
    /// let (sender, _receiver) = channel(100);
    /// let is_to_pause = || sender.len() + UNDER_WAY >= sender.capacity();
    /// for _ in 0..35 {
    ///     sender.send(Event::create(CreateKind::File, "/srv/page"));
    /// }
    /// assert!(!is_to_pause());
    /// sender.send(Event::create(CreateKind::File, "/srv/page"));
    /// assert!(is_to_pause());
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.lock().len()
    }

    /// Returns the number of items that the channel holds before it is full.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.0.lock().capacity()
    }

    /// Returns whether sent items go nowhere, because the [`Receiver`] is gone or another sender's thread
    /// has panicked. The platform's thread should then end.
    ///
    /// A backend frees everything when it is dropped. If the platform's call can block for long, checking
    /// this is not enough: the backend's `Drop` has to interrupt the call.
    ///
    /// ```
    /// use notify_backend::channel::channel;
    ///
    /// let (sender, receiver) = channel(1);
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.0.lock().is_closed()
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if thread::panicking() {
            let error = io::Error::other("a thread that sends events has panicked");
            self.0.0.change(|buffer| buffer.fail(StreamError::read(error)));
        }
    }
}

/// Closes the buffer with the last [`Sender`].
#[derive(Debug)]
struct Closer(Arc<Shared>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.change(Buffer::close);
    }
}

/// The backend's end of a [`channel`]: a stream of the items sent.
#[derive(Debug)]
pub struct Receiver(Arc<Shared>);

impl Receiver {
    /// Removes the items for which `keep` returns false, as [`Buffer::retain`] does. Wakes no task. `keep`
    /// must not use the channel: that would deadlock.
    ///
    /// Call it after the platform has stopped sending events for the removed watch.
    ///
    /// ```
    /// use notify_backend::{channel::Receiver, prelude::*};
    ///
    /// #[derive(Debug)]
    /// struct YourBackend {
    ///     events: Receiver,
    ///     watches: Vec<PathBuf>,
    /// }
    ///
    /// impl YourBackend {
    ///     /// The last part of `unwatch`, once the platform has confirmed.
    ///     fn forget(&mut self, path: &Path) {
    ///         self.watches.retain(|watch| watch.as_os_str() != path.as_os_str());
    ///         let is_covered = |reported: &Path| self.watches.iter().any(|watch| reported.starts_with(watch));
    ///         self.events.retain(|item| {
    ///             let reported = match item {
    ///                 Ok(event) => event.path.as_path(),
    ///                 Err(error) => error.path().unwrap_or(Path::new("")),
    ///             };
    ///             !reported.starts_with(path) || is_covered(reported)
    ///         });
    ///     }
    /// }
    /// # use notify_backend::channel::channel;
    /// # let (sender, events) = channel(10);
    /// # let mut backend = YourBackend { events, watches: vec!["/a".into(), "/b".into()] };
    /// # sender.send(Event::missed(None));
    /// # for path in ["/a/file", "/b/file"] {
    /// #     sender.send(Event::create(CreateKind::File, path));
    /// # }
    /// # backend.forget(Path::new("/a"));
    /// # assert_eq!(sender.len(), 2);
    /// ```
    pub fn retain(&mut self, keep: impl FnMut(&StreamItem) -> bool) {
        self.0.lock().retain(keep);
    }
}

impl Stream for Receiver {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let mut buffer = self.0.lock();
        // The waker of an earlier task is dropped after the lock, as in `change`.
        let _earlier = buffer.take_waker();
        let polled = Pin::new(&mut *buffer).poll_next(cx);
        drop(buffer);
        polled
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.lock().size_hint()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut buffer = self.0.lock();
        let empty = Buffer::new(buffer.capacity());
        let left = std::mem::replace(&mut *buffer, empty);
        buffer.close();
        drop(buffer);
        drop(left);
    }
}
