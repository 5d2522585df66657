//! When to ask the daemon whether it is there: [`Pulse`]. {%- capture source %}
//!
//! A daemon that hangs is as quiet as one that sees no changes. So it is asked from time to time, and has to answer.
//!
//! It is asked for what has happened, because Watchman 4.9 may keep back what happens just when a subscription begins:
//! it compares the moment with a variable that it has not set (facebook/watchman@02f0c0fbc, of 2018), and if
//! they happen to be equal, the change comes with the next one only. Therefore the first pause is short.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// The time before the first question: longer than the daemon usually waits before it reports a change.
const FIRST: Duration = Duration::from_millis(100);
/// The time before the second one, which doubles with each: a program that does nothing is hardly woken.
const SECOND: Duration = Duration::from_millis(1500);
const LONGEST: Duration = Duration::from_secs(30);

/// The time that cannot be expressed.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Wakes the task when there is something to ask, or when an answer is late.
#[derive(Debug)]
pub(crate) struct Pulse {
    timer: Pin<Box<Sleep>>,
    /// The next time between an answer and a question.
    pause: Duration,
    patience: Duration,
    is_awaited: bool,
}

impl Pulse {
    /// Begins in the runtime of the caller. An answer may take as long as `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        let timer = Box::pin(sleep(FIRST));
        Self { timer, pause: SECOND, patience: patience.min(FOREVER), is_awaited: false }
    }

    /// Returns whether an answer is to come.
    pub(crate) fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    /// Waits until it is time to ask or, if an answer is to come, until that is late.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(cx)
    }

    /// Waits for an answer from now on.
    pub(crate) fn sent(&mut self) {
        self.is_awaited = true;
        self.wait(self.patience);
    }

    /// Goes on waiting: the daemon is there, and may have much to say before it answers.
    pub(crate) fn heard(&mut self) {
        if self.is_awaited {
            self.wait(self.patience);
        }
    }

    /// Pauses: the answer has come.
    pub(crate) fn rest(&mut self) {
        self.is_awaited = false;
        self.wait(self.pause);
        self.pause = (self.pause * 2).min(LONGEST);
    }

    fn wait(&mut self, time: Duration) {
        self.timer.as_mut().reset(Instant::now() + time);
    }
}
//~{% endcapture %}{{ source | remove: "//~" -}}
