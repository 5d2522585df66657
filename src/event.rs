//! What happened: [`Event`], its [`EventKind`] and its [`Attrs`].

mod attrs;
mod kind;
mod notify;

use std::{fmt, num::NonZeroU32, path::PathBuf};

pub use attrs::{Attrs, Tracker};
pub use kind::EventKind;
pub use notify_types::event::{
    AccessKind, AccessMode, CreateKind, DataChange, MetadataKind, ModifyKind, RemoveKind,
    RenameMode,
};

/// One thing that happened to one path.
///
/// A rename is two events, `From` and `To`, with the same [tracker](Attrs::tracker).
///
/// ```
/// use notify_backend::{Event, event::{RenameMode, Tracker}};
///
/// let tracker = Tracker::new(7);
/// let from = Event::rename(RenameMode::From, "/srv/old").with_tracker(tracker);
/// let to = Event::rename(RenameMode::To, "/srv/new").with_tracker(tracker);
/// assert_eq!(from.attrs.tracker(), to.attrs.tracker());
/// assert_eq!(from.to_string(), "modify/name/from /srv/old tracker=7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To which path, spelled as the watch was given; empty for [`EventKind::Missed`].
    pub path: PathBuf,
    /// What else is known of it.
    pub attrs: Attrs,
}

// A queue of events is mostly events: their size is what a full one costs.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Event>() <= 48);

impl Event {
    /// An event without attributes. The other constructors say the same with less.
    pub fn new(kind: EventKind, path: impl Into<PathBuf>) -> Self {
        Self { kind, path: path.into(), attrs: Attrs::default() }
    }

    /// `path` was opened, read or closed.
    pub fn access(kind: AccessKind, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Access(kind), path)
    }

    /// `path` came to be.
    pub fn create(kind: CreateKind, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Create(kind), path)
    }

    /// The content of `path` changed.
    pub fn data(change: DataChange, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Modify(ModifyKind::Data(change)), path)
    }

    /// The metadata of `path` changed.
    pub fn metadata(kind: MetadataKind, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Modify(ModifyKind::Metadata(kind)), path)
    }

    /// `path` is one half of a rename.
    pub fn rename(mode: RenameMode, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Modify(ModifyKind::Name(mode)), path)
    }

    /// `path` is gone.
    pub fn remove(kind: RemoveKind, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Remove(kind), path)
    }

    /// Events were lost here; `count` is how many, if that is known.
    #[must_use]
    pub fn missed(count: Option<NonZeroU32>) -> Self {
        Self::new(EventKind::Missed(count), PathBuf::new())
    }

    /// Something happened to `path` for which there is no kind; `info` says what.
    pub fn other(info: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Other, path).with_info(info)
    }

    /// This event with the tracker that it shares with related ones.
    #[must_use]
    pub fn with_tracker(mut self, tracker: Option<Tracker>) -> Self {
        self.attrs.set_tracker(tracker);
        self
    }

    /// This event with a further word on what happened.
    #[must_use]
    pub fn with_info(mut self, info: impl Into<String>) -> Self {
        self.attrs.set_info(Some(info.into()));
        self
    }

    /// This event with the name of where it comes from.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.attrs.set_source(Some(source.into()));
        self
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        if !self.path.as_os_str().is_empty() {
            write!(f, " {}", self.path.display())?;
        }
        write!(f, "{}", self.attrs)
    }
}
