//! Where the stream stands: [`Position`], and those of the items that wait to be polled.

use std::collections::VecDeque;

use notify_backend::{BackendError, Cursor};

use crate::message::Number;

/// After an item of a message, or after the whole message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// When the stream was made, in nanoseconds of Unix time: its numbers begin anew when it is made again.
    pub(crate) created: u64,
    pub(crate) last: Number,
    /// The message's sequence number in the stream.
    pub(crate) sequence: u64,
    /// The number of its items that were reported; `None` for all of them.
    pub(crate) items: Option<usize>,
}

impl Position {
    pub(crate) fn cursor(self, name: &str) -> Cursor {
        let items = self.items.map_or(u64::MAX, |items| items as u64);
        let numbers = [self.created, self.last.run, self.last.number, self.sequence, items];
        Cursor::new(name, &numbers.map(u64::to_le_bytes).concat())
    }

    pub(crate) fn of(cursor: &Cursor, name: &str) -> Result<Self, BackendError> {
        let (numbers, rest) = cursor.position(name)?.as_chunks::<8>();
        let numbers: Vec<_> = numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
        let (&[created, run, number, sequence, items], []) = (numbers.as_slice(), rest) else {
            return Err(BackendError::invalid_cursor());
        };
        let items = if items == u64::MAX { None } else { usize::try_from(items).ok() };
        Ok(Self { created, last: Number { run, number }, sequence, items })
    }
}

/// The position of the last item that was polled, and those of the items behind it.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    polled: Position,
    waiting: VecDeque<Position>,
    /// After all that was sent.
    sent: Position,
}

impl Positions {
    pub(crate) fn begin(&mut self, position: Position) {
        *self = Self { polled: position, waiting: VecDeque::new(), sent: position };
    }

    pub(crate) fn created(&self) -> u64 {
        self.sent.created
    }

    /// Goes on in a stream that was made at this time. Returns whether that is another one.
    pub(crate) fn is_renewed(&mut self, created: u64) -> bool {
        std::mem::replace(&mut self.sent.created, created) != created
    }

    /// Notes that an item is about to be sent: it may be polled at once.
    pub(crate) fn coming(&mut self, position: Position) {
        self.waiting.push_back(position);
    }

    /// Notes that it was sent.
    pub(crate) fn came(&mut self, position: Position) {
        self.sent = position;
    }

    /// Notes that all items of a message were sent.
    pub(crate) fn whole(&mut self, last: Number, sequence: u64) {
        let whole = Position { created: self.sent.created, last, sequence, items: None };
        if let Some(position) = self.waiting.back_mut().filter(|it| it.sequence == sequence) {
            *position = whole;
        } else if self.waiting.is_empty() {
            self.polled = whole;
        }
        self.sent = whole;
    }

    /// Returns where the stream stands once all that was sent so far is polled.
    pub(crate) fn sent(&self) -> Position {
        self.sent
    }

    /// Notes that an item was polled. Losses have no position of their own.
    pub(crate) fn polled(&mut self) {
        if let Some(position) = self.waiting.pop_front() {
            self.polled = position;
        }
    }

    /// Notes that everything was polled up to there, whatever was merged or removed on the way.
    pub(crate) fn drained(&mut self, sent: Position) {
        let place = |it: Position| (it.created, it.sequence, it.items.unwrap_or(usize::MAX));
        if place(sent) < place(self.polled) {
            // Meanwhile, something was sent and polled.
            return;
        }
        self.polled = sent;
        while self.waiting.front().is_some_and(|it| place(*it) <= place(sent)) {
            self.waiting.pop_front();
        }
    }

    pub(crate) fn current(&self) -> Position {
        self.polled
    }
}
