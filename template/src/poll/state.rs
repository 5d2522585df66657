//! What is known of a file or folder: [`State`].

use std::{
    fs::{File, FileType, Metadata},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    num::NonZeroU64,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use notify_backend::prelude::*;

use crate::platform::{self, Attributes};

/// What a file or folder was like when it was looked at: enough to tell later what was changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) kind: Kind,
    /// Not there where the system refuses to tell more than the kind.
    details: Option<Details>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    File,
    Folder,
    /// A link, a pipe, a socket, a device.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Details {
    length: u64,
    modified: Option<SystemTime>,
    attributes: Attributes,
    identity: Option<NonZeroU64>,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    NotCompared,
    Unreadable,
    Hash(NonZeroU64),
}

impl State {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let kind = Kind::of(metadata.file_type());
        let details = Details {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            attributes: Attributes::of(metadata),
            identity: identity(metadata),
            content: Content::NotCompared,
        };
        Self { kind, details: Some(details) }
    }

    /// The state of something of which the system tells nothing but its type.
    pub(crate) fn unknown(file_type: io::Result<FileType>) -> Self {
        Self { kind: file_type.map_or(Kind::Other, Kind::of), details: None }
    }

    /// Adds what is in the file, if it is one. The reading ends early if it is to `stop`.
    pub(crate) fn read_content(&mut self, path: &Path, stop: &AtomicBool) -> io::Result<()> {
        let (Kind::File, Some(details)) = (self.kind, &mut self.details) else { return Ok(()) };
        details.content = Content::Unreadable;
        details.content = Content::Hash(hash_of(path, stop)?);
        Ok(())
    }

    /// What tells it from all other files, if the system does.
    pub(crate) fn identity(&self) -> Option<NonZeroU64> {
        self.details.as_ref()?.identity
    }

    /// Whether something of it could not be read that could be read of `old`.
    pub(crate) fn is_less_known_than(&self, old: Option<&Self>) -> bool {
        let gaps = |state: &Self| match &state.details {
            None => 2,
            Some(details) => u8::from(details.content == Content::Unreadable),
        };
        gaps(self) > old.map_or(0, gaps)
    }

    /// What was changed between two looks at one path. Where there was a `rename` in between, its own
    /// mark on the file does not count.
    pub(crate) fn changes(&self, new: &Self, rename: bool) -> Vec<ModifyKind> {
        let (Some(before), Some(after)) = (&self.details, &new.details) else { return Vec::new() };
        let is_folder = self.kind == Kind::Folder;
        // A folder's size and times tell what becomes of its entries, which have their own events.
        let data = if is_folder { None } else { before.data_change(after) };
        let metadata = before.attributes.changes(&after.attributes).map(ModifyKind::Metadata);
        let mut changes: Vec<_> = data.into_iter().chain(metadata).collect();
        if changes.is_empty()
            && !is_folder
            && !rename
            && before.attributes.is_touched(&after.attributes)
        {
            changes.push(ModifyKind::Metadata(MetadataKind::Any));
        }
        changes
    }
}

impl Details {
    fn data_change(&self, new: &Self) -> Option<ModifyKind> {
        let is_compared = match (self.content, new.content) {
            (Content::Hash(old), Content::Hash(new)) if old != new => {
                return Some(ModifyKind::Data(DataChange::Content));
            }
            (Content::Hash(_), Content::Hash(_)) => true,
            _ => false,
        };
        if self.length != new.length {
            Some(ModifyKind::Data(DataChange::Size))
        } else if self.modified == new.modified {
            None
        } else if is_compared {
            Some(ModifyKind::Metadata(MetadataKind::WriteTime))
        } else {
            // Written, or its time was set.
            Some(ModifyKind::Any)
        }
    }
}

impl Kind {
    fn of(file_type: FileType) -> Self {
        if file_type.is_file() {
            Self::File
        } else if file_type.is_dir() {
            Self::Folder
        } else {
            Self::Other
        }
    }
}

impl From<Kind> for CreateKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Folder => Self::Folder,
            Kind::Other => Self::Other,
        }
    }
}

impl From<Kind> for RemoveKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Folder => Self::Folder,
            Kind::Other => Self::Other,
        }
    }
}

/// A number for the file itself, whatever it is called. The numbers of a removed file are soon given
/// to a new one, so what else a rename leaves as it is counts too.
fn identity(metadata: &Metadata) -> Option<NonZeroU64> {
    if !platform::HAS_IDENTITIES {
        return None;
    }
    let numbers = platform::file_numbers(metadata);
    match metadata.created() {
        Ok(created) => Some(hash(&(numbers, created))),
        Err(_) => Some(hash(&(numbers, metadata.modified().ok(), metadata.len()))),
    }
}

fn hash_of(path: &Path, stop: &AtomicBool) -> io::Result<NonZeroU64> {
    let mut file = File::open(path)?;
    let mut hasher = DefaultHasher::new();
    let mut buffer = [0; 16 * 1024];
    while !stop.load(Ordering::Relaxed) {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.write(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN))
}

fn hash(value: &impl Hash) -> NonZeroU64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}

/// Whether the error says that there is nothing at the path.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
