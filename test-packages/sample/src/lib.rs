//! A backend that watches nothing and plays a script of items, which a test chooses.

mod running;

use std::{collections::VecDeque, env, ffi::OsString, io, thread};

use notify_backend::{prelude::*, settings::Maker};
pub use running::{DEADLINE, Ended, Running};
use serde::{Deserialize, Serialize};

/// The environment variable that holds the script as JSON.
pub const VARIABLE: &str = "SAMPLE_SCRIPT";

/// The message of a backend that [stalls](Script::stalls).
pub const STALLS: &str = "still walking";

/// The behaviour of the backend.
#[derive(Debug, Serialize, Deserialize)]
pub struct Script {
    /// The declared capabilities.
    pub capabilities: Capabilities,
    /// The items of its stream.
    pub items: VecDeque<Item>,
    /// The behaviour of its stream after the items.
    pub then: Then,
    /// Whether setting up its watches never ends, as in an endless tree. It prints to standard error that it
    /// begins.
    pub stalls: bool,
}

/// An item of the stream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Item {
    /// An event.
    Event(Event),
    /// An event that describes the watch with this index.
    Watch(usize),
    /// The error that the path cannot be watched, for lack of permission.
    Unwatched(OsString),
    /// An error without a path.
    Unreadable,
}

/// The behaviour of the stream after its items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Then {
    /// It ends.
    End,
    /// It yields nothing more, and does not end.
    Wait,
    /// It begins again, and always has an item ready.
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

/// Creates a [`Scripted`] with the script of the environment: only a maker brings settings to the command.
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

/// Returns the error of [`Item::Unwatched`].
pub fn unwatched(path: impl Into<PathBuf>) -> StreamError {
    let path = path.into();
    let cause = BackendError::from_io(&path, io::ErrorKind::PermissionDenied.into());
    StreamError::unwatched(path, cause)
}

/// Returns the error of [`Item::Unreadable`].
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
            // Nothing more will come, so there is no need to store the waker.
            (None, Then::Wait | Then::Repeat) => Poll::Pending,
        }
    }
}
