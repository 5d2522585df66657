//! What goes through the broker, as JSON: a [`Batch`] of events, a [`Beat`] of the daemon's heart, and what a
//! client asks the daemon.
//!
//! Any program that may publish on the subjects can send anything, so a message is checked before it is used: its length,
//! its version, and the number of its parts. Paths outside the watched ones are dropped by `places.rs`.

use std::{
    io,
    path::{Path, PathBuf},
};

use notify_backend::{BackendError, Limit, event::Tracker, prelude::*};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of these messages. Others are refused.
const VERSION: u32 = 1;

/// The number of bytes of the largest message that is read. The daemon's are half as long.
pub(crate) const LARGEST: usize = 512 * 1024;

/// The number of parts of a message: of items, paths or places.
pub(crate) const MOST_PARTS: usize = 1024;

/// A message's version and what it says.
#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    version: u32,
    #[serde(flatten)]
    message: T,
}

/// Something that is sent through the broker.
pub(crate) trait Message: Serialize + DeserializeOwned {
    /// Returns how many parts it has.
    fn parts(&self) -> usize;

    /// Returns the bytes to send.
    fn encoded(&self) -> Vec<u8> {
        // Every field can be written as JSON.
        serde_json::to_vec(&Versioned { version: VERSION, message: self }).unwrap_or_default()
    }

    /// Reads a message, or says why it is none.
    fn decoded(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LARGEST {
            return Err(format!("a message of {} bytes is too long", bytes.len()));
        }
        let read: Versioned<Self> =
            serde_json::from_slice(bytes).map_err(|error| format!("no message: {error}"))?;
        if read.version != VERSION {
            return Err(format!("a message of version {}, not {VERSION}", read.version));
        }
        if read.message.parts() > MOST_PARTS {
            return Err(format!("a message of {} parts has too many", read.message.parts()));
        }
        Ok(read.message)
    }
}

/// A daemon's message: which of its runs, and which message of that run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Number {
    pub(crate) run: u64,
    pub(crate) number: u64,
}

impl Number {
    /// Returns the number of the message after this one.
    pub(crate) fn next(self) -> Self {
        Self { number: self.number.wrapping_add(1), ..self }
    }
}

/// What the daemon's backend has reported.
#[derive(Serialize, Deserialize)]
pub(crate) struct Batch {
    #[serde(flatten)]
    pub(crate) number: Number,
    pub(crate) items: Vec<Item>,
}

impl Message for Batch {
    fn parts(&self) -> usize {
        self.items.len()
    }
}

/// One item of a backend's stream.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Item {
    Event(Event),
    Unwatched(Unwatched),
    /// The backend has failed to read events.
    Failed(String),
}

/// A path that the daemon's backend cannot watch, and why.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Unwatched {
    pub(crate) path: WirePath,
    pub(crate) cause: Cause,
}

/// Why a path cannot be watched.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Cause {
    Denied,
    Missing,
    /// The setting behind the limit on watches.
    Limit(String),
    Other(String),
}

impl Cause {
    pub(crate) fn of(error: &BackendError) -> Self {
        match error {
            BackendError::PermissionDenied { .. } => Self::Denied,
            BackendError::NotFound { .. } => Self::Missing,
            BackendError::WatchLimit { limit, .. } => Self::Limit(limit.to_string()),
            error => Self::Other(error.to_string()),
        }
    }

    /// Returns the error about a path of the client.
    pub(crate) fn error(&self, path: &Path) -> BackendError {
        let kind = |kind: io::ErrorKind| BackendError::from_io(path, kind.into());
        match self {
            Self::Denied => kind(io::ErrorKind::PermissionDenied),
            Self::Missing => kind(io::ErrorKind::NotFound),
            Self::Limit(setting) => {
                // By the setting's own name, a program would look for it on this machine.
                let limit = Limit::new(format!("the daemon's {setting}"), None);
                kind(io::ErrorKind::StorageFull).with_limit(limit)
            }
            Self::Other(reason) => BackendError::from_io(path, io::Error::other(reason.clone())),
        }
    }

    /// Returns how long its text is.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Limit(text) | Self::Other(text) => text.len(),
            Self::Denied | Self::Missing => 0,
        }
    }
}

/// A path, in the form that events have, which keeps every byte.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct WirePath(Event);

impl WirePath {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self(Event::new(EventKind::Any, path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }
}

/// Says that the daemon lives, and which message was its last one.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Beat {
    #[serde(flatten)]
    pub(crate) last: Number,
    /// Its sequence number in the stream.
    pub(crate) sequence: u64,
    /// Why the next one cannot be published, if that was tried in vain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unpublished: Option<String>,
}

impl Message for Beat {
    fn parts(&self) -> usize {
        0
    }
}

/// Asks which of these paths can be watched.
#[derive(Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) paths: Vec<WirePath>,
}

impl Message for Question {
    fn parts(&self) -> usize {
        self.paths.len()
    }
}

/// Says where the paths are, and where the stream stands: whatever happened before is in earlier messages.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reply {
    #[serde(flatten)]
    pub(crate) beat: Beat,
    /// Whether the daemon's backend relates the halves of a rename.
    pub(crate) tracks_renames: bool,
    /// For each path that was asked for.
    pub(crate) places: Vec<Place>,
    pub(crate) unwatched: Vec<Unwatched>,
}

impl Message for Reply {
    fn parts(&self) -> usize {
        self.places.len().max(self.unwatched.len())
    }
}

/// What is at a path.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// Something that can be watched, whose events have this path.
    Here {
        path: WirePath,
        is_folder: bool,
    },
    Missing,
    Denied,
    /// Outside the folders that the daemon watches.
    Outside,
    Failed(String),
}

/// Returns whether nothing has the name any more.
pub(crate) fn is_removal(kind: EventKind) -> bool {
    matches!(kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)))
}

/// Returns a tracker that differs from those of other runs of the daemon, which begin anew.
pub(crate) fn tracker_of(run: u64, tracker: Tracker) -> Option<Tracker> {
    Tracker::new(tracker.get() ^ run)
}
