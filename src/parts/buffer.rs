//! A queue of fixed capacity between a platform and its stream: [`Buffer`].

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fmt,
    num::NonZeroU32,
    path::{Path, PathBuf, is_separator},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;

use crate::contract::{
    backend::StreamItem,
    error::StreamError,
    event::{Event, EventKind},
};

/// A first-in, first-out queue of events that never grows beyond its capacity and never loses
/// anything silently.
///
/// Items [added](Self::add) while it is full are discarded. One [`EventKind::Missed`] takes their place,
/// for everything, with the number of items lost there. After [closing](Self::close), the stream yields the
/// remaining items and then ends.
///
/// A backend adds the events that it makes from its platform's, and forwards its own
/// [`poll_next`](Stream::poll_next) to the buffer. If the platform calls from another thread, use a
/// [`channel`](crate::channel::channel), which is built on it.
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
///
/// # Choosing a capacity
///
/// A consumer that gets a `Missed` has to rescan everything it watches, which costs far more than a
/// longer queue. The queue has to bridge the consumer's longest pause: multiply its length in seconds
/// by the events per second in a busy time.
///
/// - Where the platform queues events until they are read, as inotify does, the default is enough:
///   the backend reads no more than there is room for, and the rest waits in the platform.
/// - Where the platform pushes events, the buffer is the only queue, and 10 000 is a better choice.
///
/// An item takes 48 bytes (on 64-bit targets), plus its path. A full default buffer takes
/// 16 KiB without paths, and 43 KiB where these are 80 bytes long; 10 000 such events take
/// 1.3 MB. (On Windows, whose paths are larger, an item takes 56 bytes, a full default buffer holds
/// fewer and takes 39 KiB, and 10 000 events take 1.4 MB.) The queue grows as it fills, and keeps its
/// memory, without the paths, for the next time. [`bytes`](Self::bytes) returns what a buffer takes now.
pub struct Buffer {
    // At most `capacity` items, one `Missed` behind them, and the error with which it was closed.
    queue: VecDeque<StreamItem>,
    capacity: usize,
    closed: bool,
    // The waker of the last poll, if that returned `Pending` and nothing has been added since.
    waker: Option<Waker>,
}

impl Buffer {
    /// The capacity of a default buffer: 16 KiB of events.
    pub const DEFAULT_CAPACITY: usize = 16 * 1024 / size_of::<Event>();

    /// Creates a buffer for `capacity` items. There is always room for one more `Missed`, even if
    /// `capacity` is 0.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let mut buffer = Buffer::new(0);
    /// buffer.add(Event::create(CreateKind::File, "/a"));
    /// assert_eq!(buffer.take().unwrap().unwrap().to_string(), "missed count=1");
    /// ```
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { queue: VecDeque::new(), capacity, closed: false, waker: None }
    }

    /// Adds an event at the end, or notes that it is missed if the buffer is full.
    ///
    /// A `Missed` directly behind another one joins it if one of their paths contains the other, or if the
    /// buffer is full. If neither path contains the other, the result is for everything. The counts are added,
    /// up to [`u32::MAX`]; if one is unknown, so is the sum. Nothing can be added to a closed buffer.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    /// use std::num::NonZeroU32;
    ///
    /// let mut buffer = Buffer::new(2);
    /// buffer.add(Event::missed_below("/a", NonZeroU32::new(2)));
    /// buffer.add(Event::missed_below("/a/b", NonZeroU32::new(3)));
    /// buffer.add(Event::missed_below("/c", NonZeroU32::new(4)));
    /// buffer.add(Event::missed_below("/d", NonZeroU32::new(5))); // finds no room
    /// assert_eq!(buffer.take().unwrap().unwrap().to_string(), "missed /a count=5");
    /// assert_eq!(buffer.take().unwrap().unwrap().to_string(), "missed count=9");
    /// ```
    #[inline]
    pub fn add(&mut self, event: Event) {
        let ordinary = !matches!(event.kind, EventKind::Missed(_));
        let in_place = !self.is_full() && self.queue.len() < self.queue.capacity();
        // Nearly all events take this path; the rest is kept out of line.
        if ordinary && in_place && !self.closed && self.waker.is_none() {
            self.queue.push_back(Ok(event));
        } else {
            self.add_item(Ok(event));
        }
    }

    /// Adds an error at the end, or notes that it is missed, as [`add`](Self::add) does.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let mut buffer = Buffer::default();
    /// let error = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    /// buffer.add_error(StreamError::unwatched("/root", BackendError::from_io("/root", error)));
    /// assert!(buffer.take().unwrap().is_err());
    /// ```
    pub fn add_error(&mut self, error: StreamError) {
        self.add_item(Err(error));
    }

    #[cold]
    fn add_item(&mut self, item: StreamItem) {
        if self.closed {
            return;
        }
        let is_missed = matches!(item, Ok(Event { kind: EventKind::Missed(_), .. }));
        let is_full = self.is_full();
        let item = if is_full && !is_missed { Ok(Event::missed(NonZeroU32::new(1))) } else { item };
        if let Some(Ok(Event { kind: EventKind::Missed(sum), path: place, .. })) =
            self.queue.back_mut()
            && let Ok(Event { kind: EventKind::Missed(count), path, .. }) = &item
            && (is_full || covers(place, path) || covers(path, place))
        {
            // A loss right behind a loss is one loss.
            *sum = sum.zip(*count).map(|(sum, count)| sum.saturating_add(count.get()));
            if covers(path, place) {
                place.clone_from(path);
            } else if !covers(place, path) {
                *place = PathBuf::new();
            }
        } else {
            // There is room: for an item because the buffer is not full, for a first `Missed` always.
            if self.queue.len() == self.queue.capacity() {
                self.grow();
            }
            self.queue.push_back(item);
        }
        if let Some(waker) = self.take_waker() {
            waker.wake();
        }
    }

    /// Doubles the room, but to no more than can ever be used. Left to itself, the queue would round up.
    fn grow(&mut self) {
        let len = self.queue.len();
        let most = self.capacity.saturating_add(1);
        self.queue.reserve_exact(len.max(8).min(most.saturating_sub(len)));
    }

    /// Takes the item at the front, if there is one. Stores no waker.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let mut buffer = Buffer::default();
    /// assert!(buffer.take().is_none());
    /// buffer.add(Event::remove(RemoveKind::File, "/a"));
    /// assert_eq!(buffer.take().unwrap().unwrap(), Event::remove(RemoveKind::File, "/a"));
    /// ```
    #[inline]
    pub fn take(&mut self) -> Option<StreamItem> {
        self.queue.pop_front()
    }

    /// Removes the items for which `keep` returns false. Wakes no task.
    ///
    /// This is for [`unwatch`](crate::Backend::unwatch), after which nothing may be reported for the
    /// removed watch. Keep what another watch covers, and each [`EventKind::Missed`] that is not for the
    /// removed watch alone: without it, that loss would be silent.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let mut buffer = Buffer::default();
    /// buffer.add(Event::create(CreateKind::File, "/a/file"));
    /// buffer.add(Event::missed(None));
    /// buffer.add(Event::create(CreateKind::File, "/b/file"));
    /// buffer.retain(|item| !matches!(item, Ok(event) if event.path.starts_with("/a")));
    /// assert_eq!(buffer.take().unwrap().unwrap().to_string(), "missed");
    /// assert_eq!(buffer.take().unwrap().unwrap().to_string(), "create/file /b/file");
    /// ```
    pub fn retain(&mut self, keep: impl FnMut(&StreamItem) -> bool) {
        self.queue.retain(keep);
    }

    /// Lets the stream end once the remaining items have been taken.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    /// use std::task::Waker;
    ///
    /// let mut buffer = Buffer::default();
    /// buffer.add(Event::missed(None));
    /// buffer.close();
    /// buffer.add(Event::missed(None)); // comes too late
    ///
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(matches!(Pin::new(&mut buffer).poll_next(&mut cx), Poll::Ready(Some(Ok(_)))));
    /// assert!(matches!(Pin::new(&mut buffer).poll_next(&mut cx), Poll::Ready(None)));
    /// ```
    pub fn close(&mut self) {
        self.closed = true;
        if let Some(waker) = self.take_waker() {
            waker.wake();
        }
    }

    /// Closes the buffer with an error as its last item, for which there is always room.
    pub(crate) fn fail(&mut self, error: StreamError) {
        if !self.closed {
            self.queue.push_back(Err(error));
            self.close();
        }
    }

    /// Takes the stored waker, so that the caller can wake the task after releasing a lock.
    pub(crate) fn take_waker(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    /// Returns whether the buffer was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Returns whether the buffer is full: the next item would be missed.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.queue.len() >= self.capacity
    }

    /// Returns whether there is nothing to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns the number of items to take, including a `Missed`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns the number of items that the buffer holds before it is full.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns the memory that it takes now, in bytes, including the paths and texts of its events. Looks at
    /// every item.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let mut buffer = Buffer::default();
    /// let empty = buffer.bytes();
    /// buffer.add(Event::create(CreateKind::File, "/srv/www/index.html"));
    /// assert!(buffer.bytes() >= empty + "/srv/www/index.html".len());
    /// ```
    #[must_use]
    pub fn bytes(&self) -> usize {
        let heap = |item: &StreamItem| match item {
            Ok(event) => event.path.capacity() + event.attrs.heap_bytes(),
            Err(error) => error.heap_bytes(),
        };
        size_of::<Self>()
            + self.queue.capacity() * size_of::<StreamItem>()
            + self.queue.iter().map(heap).sum::<usize>()
    }
}

/// Returns whether a loss in `outer` covers `inner`, comparing the spellings that identify watches.
fn covers(outer: &Path, inner: &Path) -> bool {
    let [outer, inner] = [outer, inner].map(|path| path.as_os_str().as_encoded_bytes());
    let is_end = |byte: Option<&u8>| byte.is_none_or(|&byte| is_separator(char::from(byte)));
    inner
        .strip_prefix(outer)
        .is_some_and(|below| outer.is_empty() || is_end(outer.last()) || is_end(below.first()))
}

impl Default for Buffer {
    /// Creates a buffer of [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY).
    fn default() -> Self {
        Self::new(Self::DEFAULT_CAPACITY)
    }
}

/// Shows its state without the items, which could fill a log.
impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Stream for Buffer {
    type Item = StreamItem;

    #[inline]
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        match self.take() {
            Some(item) => Poll::Ready(Some(item)),
            // Closed and drained: final, since nothing can be added any more.
            None if self.closed => Poll::Ready(None),
            // Nothing yet: whatever is added next wakes this task, and only this one.
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
