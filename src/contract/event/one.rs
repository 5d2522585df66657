//! One thing that happened: [`Event`].

use std::{fmt, num::NonZeroU32, path::PathBuf};

use super::{
    AccessKind, Attrs, CreateKind, DataChange, EventKind, MetadataKind, ModifyKind, RemoveKind,
    RenameMode, Tracker,
};
use crate::contract::display::Quoted;

/// One thing that happened to one path.
///
/// There is a constructor for every group of kinds, and [`Event::new`] for the rest. A rename is
/// two events, [`From`](RenameMode::From) and [`To`](RenameMode::To), with the same
/// [tracker](Attrs::tracker); if the platform gives only one of the names, only one of these events.
///
/// For logs, [`Display`](fmt::Display) writes an event on one line: the kind's
/// [name](EventKind::name), the path, and the attributes, if any. A path that would break
/// the line or that is not valid Unicode is quoted, with escapes.
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
    /// To which path, in the spelling of the watch. For [`EventKind::Missed`], the path at which, and below
    /// which, events were lost; empty if that may be everywhere.
    pub path: PathBuf,
    /// What else is known about it.
    pub attrs: Attrs,
}

// A queue consists mostly of events, so their size decides what a full one takes. On Windows, paths are 8
// bytes larger.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Event>() <= if cfg!(windows) { 56 } else { 48 });

impl Event {
    /// Creates an event without attributes. The other constructors are shorter.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::new(EventKind::Any, "/srv");
    /// assert_eq!(event.to_string(), "any /srv");
    /// ```
    #[must_use]
    pub fn new(kind: EventKind, path: impl Into<PathBuf>) -> Self {
        Self { kind, path: path.into(), attrs: Attrs::default() }
    }

    /// Creates an event: `path` was opened, read or closed.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::access(AccessKind::Close(AccessMode::Write), "/srv/page");
    /// assert_eq!(event.to_string(), "access/close/write /srv/page");
    /// ```
    #[must_use]
    pub fn access(kind: AccessKind, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Access(kind), path)
    }

    /// Creates an event: `path` was created.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::create(CreateKind::Folder, "/srv/www");
    /// assert_eq!(event.to_string(), "create/folder /srv/www");
    /// ```
    #[must_use]
    pub fn create(kind: CreateKind, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Create(kind), path)
    }

    /// Creates an event: `path` changed in some way, with [`ModifyKind::Any`] if the platform does not say
    /// how. Some kinds have a shorter constructor: [`data`](Self::data), [`metadata`](Self::metadata),
    /// [`rename`](Self::rename).
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::modify(ModifyKind::Any, "/srv/page");
    /// assert_eq!(event.to_string(), "modify/any /srv/page");
    /// ```
    #[must_use]
    pub fn modify(kind: ModifyKind, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Modify(kind), path)
    }

    /// Creates an event: the content of `path` changed.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::data(DataChange::Content, "/srv/page");
    /// assert_eq!(event.to_string(), "modify/data/content /srv/page");
    /// ```
    #[must_use]
    pub fn data(change: DataChange, path: impl Into<PathBuf>) -> Self {
        Self::modify(ModifyKind::Data(change), path)
    }

    /// Creates an event: the metadata of `path` changed, such as permissions, owner or times.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::metadata(MetadataKind::Permissions, "/srv/page");
    /// assert_eq!(event.to_string(), "modify/metadata/permissions /srv/page");
    /// ```
    #[must_use]
    pub fn metadata(kind: MetadataKind, path: impl Into<PathBuf>) -> Self {
        Self::modify(ModifyKind::Metadata(kind), path)
    }

    /// Creates the event of one half of a rename: `path` is the old name with [`RenameMode::From`], the new
    /// one with [`RenameMode::To`].
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::rename(RenameMode::From, "/srv/old").with_tracker(Tracker::new(7));
    /// assert_eq!(event.to_string(), "modify/name/from /srv/old tracker=7");
    /// ```
    #[must_use]
    pub fn rename(mode: RenameMode, path: impl Into<PathBuf>) -> Self {
        Self::modify(ModifyKind::Name(mode), path)
    }

    /// Creates an event: `path` is gone.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::remove(RemoveKind::File, "/srv/page");
    /// assert_eq!(event.to_string(), "remove/file /srv/page");
    /// ```
    #[must_use]
    pub fn remove(kind: RemoveKind, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Remove(kind), path)
    }

    /// Creates an event: events were lost here, which may concern every watched path; `count` is their
    /// number, if it is known.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    /// use std::num::NonZeroU32;
    ///
    /// assert_eq!(Event::missed(None).to_string(), "missed");
    /// assert_eq!(Event::missed(NonZeroU32::new(3)).to_string(), "missed count=3");
    /// ```
    #[must_use]
    pub fn missed(count: Option<NonZeroU32>) -> Self {
        Self::missed_below(PathBuf::new(), count)
    }

    /// Creates the event for a loss that concerns `path` and the entries below it, and nothing else. For
    /// a platform that names the folder, or has a queue for each: consumers have less to rescan.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    /// use std::num::NonZeroU32;
    ///
    /// let event = Event::missed_below("/srv/www", NonZeroU32::new(3));
    /// assert_eq!(event.to_string(), "missed /srv/www count=3");
    /// ```
    #[must_use]
    pub fn missed_below(path: impl Into<PathBuf>, count: Option<NonZeroU32>) -> Self {
        Self::new(EventKind::Missed(count), path)
    }

    /// Creates an event: something happened to `path` for which there is no kind; `info` says what. If it is
    /// not about a path, such as an error of the whole file system, `path` is the watched one.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::other("unmount", "/mnt/usb");
    /// assert_eq!(event.to_string(), r#"other /mnt/usb info="unmount""#);
    /// ```
    #[must_use]
    pub fn other(info: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::new(EventKind::Other, path).with_info(info)
    }

    /// Returns this event with the tracker that it shares with related ones.
    ///
    /// The argument is the result of [`Tracker::new`] for a platform's value, where 0 stands for "no
    /// relation".
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let cookie: u32 = 0;
    /// let event = Event::rename(RenameMode::To, "/srv/new").with_tracker(Tracker::new(cookie.into()));
    /// assert_eq!(event.attrs.tracker(), None);
    /// ```
    #[must_use]
    pub fn with_tracker(mut self, tracker: Option<Tracker>) -> Self {
        self.attrs.set_tracker(tracker);
        self
    }

    /// Returns this event with more detail about what happened.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::create(CreateKind::Other, "/run/sock").with_info("socket");
    /// assert_eq!(event.attrs.info(), Some("socket"));
    /// ```
    #[must_use]
    pub fn with_info(mut self, info: impl Into<String>) -> Self {
        self.attrs.set_info(Some(info.into()));
        self
    }

    /// Returns this event with the name of its origin.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::remove(RemoveKind::Any, "/srv/page").with_source("replica-2");
    /// assert_eq!(event.attrs.source(), Some("replica-2"));
    /// ```
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.attrs.set_source(Some(source.into()));
        self
    }

    /// Returns this event with the id of the process that did it.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// let event = Event::create(CreateKind::File, "/srv/page").with_process(std::process::id());
    /// assert_eq!(event.attrs.process(), Some(std::process::id()));
    /// ```
    #[must_use]
    pub fn with_process(mut self, process: u32) -> Self {
        self.attrs.set_process(Some(process));
        self
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if !self.path.as_os_str().is_empty() {
            write!(f, " {}", Quoted(&self.path))?;
        }
        if let EventKind::Missed(Some(count)) = self.kind {
            write!(f, " count={count}")?;
        }
        write!(f, "{}", self.attrs)
    }
}
