//! A backend that watches nothing and plays a script: whatever a test wants the command to get.

mod running;

use std::{collections::VecDeque, env, ffi::OsString, io, thread};

use notify_backend::{prelude::*, settings::Maker};
pub use running::{DEADLINE, Ended, Running};
use serde::{Deserialize, Serialize};

/// The environment variable that holds the script as JSON.
pub const VARIABLE: &str = "SAMPLE_SCRIPT";

/// What a backend that [stalls](Script::stalls) says.
pub const STALLS: &str = "still walking";

/// What the backend does.
#[derive(Debug, Serialize, Deserialize)]
pub struct Script {
    /// What it declares.
    pub capabilities: Capabilities,
    /// What its stream yields.
    pub items: VecDeque<Item>,
    /// What its stream does after the items.
    pub then: Then,
    /// Whether it is never done with setting up what it watches, as if a tree had no end. It says
    /// that it begins on the standard error.
    pub stalls: bool,
}

/// An item of the stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Item {
    /// An event.
    Event(Event),
    /// An event that tells how the watch of this number was asked for.
    Watch(usize),
    /// The error that the path may not be watched.
    Unwatched(OsString),
    /// An error that is about no path.
    Unreadable,
}

/// What the stream does after its items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Then {
    /// It is over.
    End,
    /// It yields nothing more.
    Wait,
    /// It begins again, and always has something to yield.
    Repeat,
}

impl Script {
    fn from_environment() -> Self {
        let script = env::var(VARIABLE).unwrap_or_else(|error| panic!("{VARIABLE}: {error}"));
        serde_json::from_str(&script).unwrap_or_else(|error| panic!("{VARIABLE}: {error}"))
    }
}

/// Plays its script.
#[derive(Debug)]
pub struct Scripted {
    watches: Vec<Watch>,
    script: Script,
}

impl Scripted {
    fn with_script(script: Script, watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_watches(&watches, Capabilities::ALL)?;
        if script.stalls {
            eprintln!("{STALLS}");
            loop {
                thread::park();
            }
        }
        Ok(Self { watches, script })
    }
}

/// Makes a [`Scripted`] with the script of the environment: settings reach the command by a maker alone.
#[derive(Debug)]
pub struct FromEnvironment;

impl Maker for FromEnvironment {
    type Backend = Scripted;

    fn make(watches: Vec<Watch>) -> Result<Scripted, BackendError> {
        Scripted::with_script(Script::from_environment(), watches)
    }
}

impl Backend for Scripted {
    fn new(_: Vec<Watch>) -> Result<Self, BackendError> {
        Err(BackendError::unavailable("there is no script"))
    }

    fn capabilities() -> Capabilities {
        Script::from_environment().capabilities
    }

    fn name() -> &'static str {
        "tests/scripted"
    }
}

impl Scripted {
    fn play(&self, item: Item) -> StreamItem {
        match item {
            Item::Event(event) => Ok(event),
            Item::Watch(number) => {
                let Watch { path, recursive, .. } = &self.watches[number];
                Ok(Event::other(if *recursive { "recursive" } else { "not recursive" }, path))
            }
            Item::Unwatched(path) => Err(unwatched(path)),
            Item::Unreadable => Err(unreadable()),
        }
    }
}

/// The error of [`Item::Unwatched`].
pub fn unwatched(path: impl Into<PathBuf>) -> StreamError {
    let path = path.into();
    let cause = BackendError::from_io(&path, io::ErrorKind::PermissionDenied.into());
    StreamError::unwatched(path, cause)
}

/// The error of [`Item::Unreadable`].
#[must_use]
pub fn unreadable() -> StreamError {
    StreamError::read(io::Error::other("the platform is gone"))
}

impl Stream for Scripted {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        match (self.script.items.pop_front(), self.script.then) {
            (Some(item), then) => {
                if then == Then::Repeat {
                    self.script.items.push_back(item.clone());
                }
                Poll::Ready(Some(self.play(item)))
            }
            (None, Then::End) => Poll::Ready(None),
            // Nothing comes any more, so there is nobody to wake.
            (None, Then::Wait | Then::Repeat) => Poll::Pending,
        }
    }
}
