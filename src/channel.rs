//! A [`Buffer`] between threads, for platforms that call from one of their own: [`channel`].

#[cfg(test)]
mod tests;

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::{backend::StreamItem, buffer::Buffer, error::StreamError, event::Event};

/// A [`Buffer`] for `capacity` items with its two ends in different threads.
///
/// The [`Sender`] goes to the platform's thread or callback, the [`Receiver`] into the backend,
/// whose [`poll_next`](Stream::poll_next) passes on to it. What is said of a buffer's capacity and
/// of [`EventKind::Missed`](crate::EventKind::Missed) holds here too.
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
    /// Nothing that happens under the lock leaves the buffer half changed, so a panic of another
    /// thread means nothing here.
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the buffer and wakes the receiving task: after the lock was let go of, since a
    /// waker may run code that comes back here, such as the receiver's drop.
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

/// The platform's end of a [`channel`]. Clone it for as many threads as there are.
///
/// The stream ends when the last clone is dropped and what was sent has been taken.
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

    /// Whether the [`Receiver`] is gone, so that nobody will see what is sent: time for the
    /// platform's thread to end.
    ///
    /// A backend frees everything when it is dropped. Where the platform's call can wait for long,
    /// the backend's `Drop` has to interrupt it; this alone is not enough.
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
        // While there is a sender, only the receiver can have closed it.
        self.0.0.lock().is_closed()
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

/// The backend's end of a [`channel`]: a stream of what was sent.
#[derive(Debug)]
pub struct Receiver(Arc<Shared>);

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
        let left = std::mem::replace(&mut *buffer, Buffer::new(0));
        buffer.close();
        drop(buffer);
        drop(left);
    }
}
