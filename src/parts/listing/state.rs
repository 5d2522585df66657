//! The state of a file or folder at a look: [`State`].

use std::{
    fs::{File, FileType, Metadata},
    hash::{DefaultHasher, Hasher},
    io::{self, Read},
    num::NonZeroU64,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use super::platform::{self, Attributes};
use crate::contract::event::{CreateKind, DataChange, MetadataKind, ModifyKind, RemoveKind};

/// The state of a file or folder when it was looked at: enough to find out later what has changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    pub(super) kind: Kind,
    /// None if the system gives no more than the type.
    details: Option<Details>,
    /// Whether a file that is created after the look could still get the same birth.
    is_young: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    File,
    Folder,
    /// A link, a pipe, a socket, a device.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Details {
    length: u64,
    modified: Option<SystemTime>,
    /// When anything about it was last changed, in nanoseconds; constant if that is not known.
    touched: i64,
    attributes: Attributes,
    /// The numbers of the file system and, in it, of the file.
    numbers: [u64; 2],
    /// When it was created, in nanoseconds; zero if that is not known, or if it does not distinguish files.
    birth: i64,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    NotCompared,
    Unreadable,
    Hash(NonZeroU64),
}

/// The identity of a file: its numbers, its birth, and its type.
pub(super) type Identity = ([u64; 2], i64, Kind);

impl State {
    /// Creates the state from the metadata that was found by a look that began at `start`.
    pub(super) fn of(metadata: &Metadata, start: SystemTime) -> Self {
        let kind = Kind::of(metadata.file_type());
        let details = Details {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            touched: platform::change_time(metadata),
            attributes: Attributes::of(metadata),
            numbers: platform::file_numbers(metadata),
            birth: birth(metadata),
            content: Content::NotCompared,
        };
        let is_young = nanoseconds(start) < details.birth.saturating_add(clock_step(details.birth));
        Self { kind, details: Some(details), is_young }
    }

    /// Creates the state of a file or folder of which only the type is known.
    pub(super) fn unknown(file_type: io::Result<FileType>) -> Self {
        Self { kind: file_type.map_or(Kind::Other, Kind::of), details: None, is_young: true }
    }

    /// Adds the content of a file. Stops reading early if `stop` is set.
    pub(super) fn read_content(&mut self, path: &Path, stop: &AtomicBool) -> io::Result<()> {
        let (Kind::File, Some(details)) = (self.kind, &mut self.details) else { return Ok(()) };
        details.content = Content::Unreadable;
        details.content = Content::Hash(hash_of(path, stop)?);
        Ok(())
    }

    /// Returns whether it has everything that can be known about its path, if links are followed or not.
    pub(super) fn is_of_path(&self, follow_links: bool) -> bool {
        self.details.is_some() && !(follow_links && self.kind == Kind::Other)
    }

    /// Returns the number of its file system, if that is known.
    pub(super) fn device(&self) -> Option<u64> {
        self.details.map(|details| details.numbers[0])
    }

    /// Returns whether it is the same file as `other`, as far as its numbers show.
    pub(super) fn has_numbers_of(&self, other: &Self) -> bool {
        let numbers = |state: &Self| state.details.map(|details| details.numbers);
        (self.kind, numbers(self)) == (other.kind, numbers(other))
    }

    /// Returns its identity, if the system has one. The numbers alone are not enough, since those of a removed file are
    /// soon given to a new one.
    pub(super) fn identity(&self) -> Option<Identity> {
        let details = self.details.as_ref()?;
        (details.birth != 0).then_some((details.numbers, details.birth, self.kind))
    }

    /// Returns when it was created, in nanoseconds; zero if it has no identity.
    pub(super) fn birth(&self) -> i64 {
        self.details.map_or(0, |details| details.birth)
    }

    /// Returns whether it is `old` at another path, if their identities are equal. For a young file, that
    /// may be chance: the old file was removed, and a new one got its number and was born in the same step
    /// of the clock. So a young file must also show a mark of the rename, and no other change.
    pub(super) fn is_renamed(&self, old: &Self) -> bool {
        let (Some(new), Some(before)) = (&self.details, &old.details) else { return false };
        let is_marked = new.touched != new.birth
            && new.touched != before.touched
            && (new.modified, new.length) == (before.modified, before.length)
            && new.attributes == before.attributes;
        is_marked || !old.is_young
    }

    /// Returns whether it is certainly another folder than `old`, though at the same path: it is on another
    /// file system, or was born at another time. The number in a file system proves nothing: some give the
    /// same folder another one.
    pub(super) fn is_another_folder_than(&self, old: &Self) -> bool {
        let Some((new, before)) = self.details.zip(old.details) else { return false };
        let is_born_anew = || {
            new.birth != before.birth
                && ![new.birth, before.birth].contains(&0)
                && !platform::renews_births(new.numbers[0])
        };
        self.kind == Kind::Folder && (new.numbers[0] != before.numbers[0] || is_born_anew())
    }

    /// Returns whether a part of it could not be read that could be read of `old`.
    pub(super) fn is_less_known_than(&self, old: Option<&Self>) -> bool {
        let gaps = |state: &Self| match &state.details {
            None => 2,
            Some(details) => u8::from(details.content == Content::Unreadable),
        };
        gaps(self) > old.map_or(0, gaps)
    }

    /// Returns the changes between two looks at one path. If there was a `rename` in between, its own mark
    /// on the file does not count.
    pub(super) fn changes(&self, new: &Self, rename: bool) -> Vec<ModifyKind> {
        let (Some(before), Some(after)) = (&self.details, &new.details) else { return Vec::new() };
        let is_folder = self.kind == Kind::Folder;
        // A folder's size and times show changes of its entries, which have their own events.
        let data = if is_folder { None } else { before.data_change(after) };
        let metadata = before.attributes.changes(after.attributes).map(ModifyKind::Metadata);
        let mut changes: Vec<_> = data.into_iter().chain(metadata).collect();
        if changes.is_empty() && !is_folder && !rename && before.touched != after.touched {
            // A write whose time was set back leaves no other trace.
            let is_metadata = self.kind != Kind::File || before.has_content_of(after);
            let metadata = ModifyKind::Metadata(MetadataKind::Any);
            changes.push(if is_metadata { metadata } else { ModifyKind::Any });
        }
        changes
    }
}

/// The time of the look does not count.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.details) == (other.kind, other.details)
    }
}

impl Details {
    /// Returns whether the contents were compared, and are the same.
    fn has_content_of(&self, new: &Self) -> bool {
        matches!(
            (self.content, new.content),
            (Content::Hash(old), Content::Hash(new)) if old == new
        )
    }

    fn data_change(&self, new: &Self) -> Option<ModifyKind> {
        if let (Content::Hash(old), Content::Hash(new)) = (self.content, new.content)
            && old != new
        {
            return Some(ModifyKind::Data(DataChange::Content));
        }
        if self.length != new.length {
            Some(ModifyKind::Data(DataChange::Size))
        } else if self.modified == new.modified {
            None
        } else if self.has_content_of(new) {
            Some(ModifyKind::Metadata(MetadataKind::WriteTime))
        } else {
            // It was written, or its time was set.
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

fn birth(metadata: &Metadata) -> i64 {
    let created = platform::HAS_IDENTITIES.then(|| metadata.created().ok()).flatten();
    created.map(nanoseconds).unwrap_or_default()
}

fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok();
    since.and_then(|since| since.as_nanos().try_into().ok()).unwrap_or_default()
}

/// Returns the nanoseconds within which files may get the same birth. The clocks of file systems have steps
/// of a hundredth of a second at most, or of one or two seconds if they have no fractions.
fn clock_step(birth: i64) -> i64 {
    if birth % 1_000_000_000 == 0 { 2_000_000_000 } else { 20_000_000 }
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
