//! A queue of fixed capacity between a platform and its stream: [`Buffer`].

use std::{
    collections::VecDeque,
    num::NonZeroU32,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use crate::{
    backend::StreamItem,
    error::StreamError,
    event::{Event, EventKind},
};

/// A first-in, first-out queue of events that never grows beyond its capacity and never loses
/// anything silently.
///
/// What is [added](Self::add) while it is full is discarded, and one [`EventKind::Missed`] stands
/// in its place, with the number of items lost there. [Closing](Self::close) lets the stream yield
/// what is left and then end.
///
/// ```
/// use notify_backend::prelude::*;
///
/// let mut buffer = Buffer::new(1);
/// buffer.add(Event::create(CreateKind::File, "/a"));
/// buffer.add(Event::create(CreateKind::File, "/b"));
/// buffer.add(Event::create(CreateKind::File, "/c"));
/// assert_eq!(buffer.take().unwrap().unwrap().path, Path::new("/a"));
/// assert_eq!(buffer.take().unwrap().unwrap().to_string(), "missed count=2");
/// ```
#[derive(Debug)]
pub struct Buffer {
    queue: VecDeque<StreamItem>,
    capacity: usize,
    closed: bool,
    // Set by the last poll that answered `Pending`, and only by that one.
    waker: Option<Waker>,
}

impl Buffer {
    /// How many events a default buffer holds: 16 KiB of them.
    pub const DEFAULT_CAPACITY: usize = 16 * 1024 / size_of::<Event>();

    /// A buffer for `capacity` items. Beyond them there is room for one `Missed`, also where
    /// `capacity` is 0.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { queue: VecDeque::new(), capacity, closed: false, waker: None }
    }

    /// Adds an event at the end, or notes that it is missed if the buffer is full.
    ///
    /// A `Missed` directly behind another one adds to its count: one of unknown size makes the sum
    /// unknown, and no sum exceeds [`u32::MAX`]. Nothing can be added to a closed buffer.
    pub fn add(&mut self, event: Event) {
        self.push(Ok(event));
    }

    /// Adds an error at the end, or notes that it is missed, as [`add`](Self::add) does.
    pub fn add_error(&mut self, error: StreamError) {
        self.push(Err(error));
    }

    fn push(&mut self, item: StreamItem) {
        if self.closed {
            return;
        }
        let missed = match &item {
            Ok(Event { kind: EventKind::Missed(count), .. }) => Some(*count),
            _ if self.is_full() => Some(NonZeroU32::new(1)),
            _ => None,
        };
        match (missed, self.queue.back_mut()) {
            (Some(count), Some(Ok(Event { kind: EventKind::Missed(sum), .. }))) => {
                *sum = sum.zip(count).map(|(sum, count)| sum.saturating_add(count.get()));
            }
            (Some(count), _) => self.queue.push_back(Ok(Event::missed(count))),
            (None, _) => self.queue.push_back(item),
        }
        self.wake();
    }

    /// Takes the item at the front, without a waker.
    pub fn take(&mut self) -> Option<StreamItem> {
        self.queue.pop_front()
    }

    /// Lets the stream end once what is left has been taken.
    pub fn close(&mut self) {
        self.closed = true;
        self.wake();
    }

    /// Whether the buffer was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether the next item to be added would be missed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.queue.len() >= self.capacity
    }

    /// Whether there is nothing to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many items there are to take, a `Missed` included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// How many items the buffer holds before it is full.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The memory it takes now, in bytes, with the paths and texts of its events. Looks at every
    /// item.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let heap = |item: &StreamItem| match item {
            Ok(event) => event.path.capacity() + event.attrs.heap_bytes(),
            Err(error) => error.path().map_or(0, |path| path.as_os_str().len()),
        };
        size_of::<Self>()
            + self.queue.capacity() * size_of::<StreamItem>()
            + self.queue.iter().map(heap).sum::<usize>()
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Default for Buffer {
    /// A buffer of [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY).
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY)
    }
}

impl Stream for Buffer {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        match self.take() {
            Some(item) => Poll::Ready(Some(item)),
            None if self.closed => Poll::Ready(None),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), self.closed.then_some(self.len()))
    }
}
