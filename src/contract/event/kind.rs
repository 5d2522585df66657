//! What can happen: [`EventKind`], and the name of every kind.

use std::{fmt, num::NonZeroU32};

use super::{
    AccessKind, AccessMode, CreateKind, DataChange, MetadataKind, ModifyKind, RemoveKind,
    RenameMode,
};

/// What happened.
///
/// The inner kinds are those of `notify-types`. A backend uses the most specific kind that it can
/// guarantee, `Any` if the platform does not say more, and `Other` (with an
/// [info](super::Attrs::info)) if no kind here fits. Later versions may add kinds: a
/// match needs an arm for kinds that it does not name.
///
/// ```
/// use notify_backend::prelude::*;
///
/// let kind = EventKind::Modify(ModifyKind::Metadata(MetadataKind::WriteTime));
/// assert_eq!(kind.to_string(), "modify/metadata/write-time");
/// ```
///
#[doc = include_str!("kinds.md")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// Something happened; the platform does not say what.
    #[default]
    Any,
    /// A file was opened, read or closed, without a change of its content or metadata.
    Access(AccessKind),
    /// Something was created.
    Create(CreateKind),
    /// Content, metadata or name changed.
    Modify(ModifyKind),
    /// Something is gone.
    Remove(RemoveKind),
    /// Events were lost. A consumer that mirrors the watched paths has to rescan: below the event's
    /// [path](super::Event::path) if it has one, otherwise everything. The number is a hint;
    /// platforms often do not give it.
    Missed(Option<NonZeroU32>),
    /// Something for which there is no kind here; the event's info says what.
    Other,
}

/// Writes the list of all kinds and the name of each, so that neither can miss one: the match has
/// no wildcard.
macro_rules! kinds {
    ($([$($kind:tt)+] $name:literal)*) => {
        impl EventKind {
            /// Every kind, including inner kinds; [`Missed`](Self::Missed) appears once, without a count.
            ///
            /// ```
            /// use notify_backend::EventKind;
            ///
            /// assert_eq!(EventKind::ALL.first(), Some(&EventKind::Any));
            /// assert_eq!(EventKind::ALL.last(), Some(&EventKind::Missed(None)));
            /// ```
            pub const ALL: &[Self] = &[$($($kind)+,)* Missed(None)];

            /// Returns the kind's name, a lower-case path.
            ///
            /// The names are an interface: the sample's `--json` lines and the `serde` format use
            /// them.
            ///
            /// ```
            /// use notify_backend::prelude::*;
            ///
            /// let kind = EventKind::Modify(ModifyKind::Name(RenameMode::From));
            /// assert_eq!(kind.name(), "modify/name/from");
            /// ```
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($($kind)+ => $name,)*
                    Missed(_) => "missed",
                }
            }
        }
    };
}

use EventKind::{Access, Create, Missed, Modify, Remove};
use ModifyKind::{Data, Metadata, Name};

kinds! {
    [EventKind::Any] "any"
    [Access(AccessKind::Any)] "access/any"
    [Access(AccessKind::Read)] "access/read"
    [Access(AccessKind::Open(AccessMode::Any))] "access/open/any"
    [Access(AccessKind::Open(AccessMode::Execute))] "access/open/execute"
    [Access(AccessKind::Open(AccessMode::Read))] "access/open/read"
    [Access(AccessKind::Open(AccessMode::Write))] "access/open/write"
    [Access(AccessKind::Open(AccessMode::Other))] "access/open/other"
    [Access(AccessKind::Close(AccessMode::Any))] "access/close/any"
    [Access(AccessKind::Close(AccessMode::Execute))] "access/close/execute"
    [Access(AccessKind::Close(AccessMode::Read))] "access/close/read"
    [Access(AccessKind::Close(AccessMode::Write))] "access/close/write"
    [Access(AccessKind::Close(AccessMode::Other))] "access/close/other"
    [Access(AccessKind::Other)] "access/other"
    [Create(CreateKind::Any)] "create/any"
    [Create(CreateKind::File)] "create/file"
    [Create(CreateKind::Folder)] "create/folder"
    [Create(CreateKind::Other)] "create/other"
    [Modify(ModifyKind::Any)] "modify/any"
    [Modify(Data(DataChange::Any))] "modify/data/any"
    [Modify(Data(DataChange::Size))] "modify/data/size"
    [Modify(Data(DataChange::Content))] "modify/data/content"
    [Modify(Data(DataChange::Other))] "modify/data/other"
    [Modify(Metadata(MetadataKind::Any))] "modify/metadata/any"
    [Modify(Metadata(MetadataKind::AccessTime))] "modify/metadata/access-time"
    [Modify(Metadata(MetadataKind::WriteTime))] "modify/metadata/write-time"
    [Modify(Metadata(MetadataKind::Permissions))] "modify/metadata/permissions"
    [Modify(Metadata(MetadataKind::Ownership))] "modify/metadata/ownership"
    [Modify(Metadata(MetadataKind::Extended))] "modify/metadata/extended"
    [Modify(Metadata(MetadataKind::Other))] "modify/metadata/other"
    [Modify(Name(RenameMode::Any))] "modify/name/any"
    [Modify(Name(RenameMode::To))] "modify/name/to"
    [Modify(Name(RenameMode::From))] "modify/name/from"
    [Modify(Name(RenameMode::Both))] "modify/name/both"
    [Modify(Name(RenameMode::Other))] "modify/name/other"
    [Modify(ModifyKind::Other)] "modify/other"
    [Remove(RemoveKind::Any)] "remove/any"
    [Remove(RemoveKind::File)] "remove/file"
    [Remove(RemoveKind::Folder)] "remove/folder"
    [Remove(RemoveKind::Other)] "remove/other"
    [EventKind::Other] "other"
}

impl EventKind {
    /// Returns whether an event of this kind needs an [info](super::Attrs::info), because the kind says
    /// nothing by itself: true for [`Other`](Self::Other) and every inner `Other`.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// assert!(EventKind::Create(CreateKind::Other).needs_info());
    /// assert!(!EventKind::Create(CreateKind::File).needs_info());
    /// ```
    #[must_use]
    pub const fn needs_info(self) -> bool {
        matches!(self.name().as_bytes(), [.., b'o', b't', b'h', b'e', b'r'])
    }
}

/// The [name](EventKind::name), and the count of a [`Missed`](EventKind::Missed) that has one.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())?;
        match self {
            Missed(Some(count)) => write!(f, " count={count}"),
            _ => Ok(()),
        }
    }
}
