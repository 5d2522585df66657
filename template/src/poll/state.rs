//! What is known of a file or folder: [`State`].

use std::{
    fs::{File, FileType, Metadata},
    hash::{DefaultHasher, Hasher},
    io::{self, Read},
    num::NonZeroU64,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use notify_backend::prelude::*;

use crate::platform::{self, Attributes};

/// What a file or folder was like when it was looked at: enough to tell later what was changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    pub(crate) kind: Kind,
    /// Not there where the system refuses to tell more than the kind.
    details: Option<Details>,
    /// Whether a file that came to be after the look could still get the same birth.
    is_young: bool,
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
    /// When anything of it was changed, in nanoseconds; always the same where that is not told.
    touched: i64,
    attributes: Attributes,
    /// The numbers of the file system and, in it, of the file.
    numbers: [u64; 2],
    /// When it came to be, in nanoseconds; zero if the system does not tell, or if it does not tell
    /// files apart.
    birth: i64,
    content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    NotCompared,
    Unreadable,
    Hash(NonZeroU64),
}

impl State {
    /// What a look found that began at the time `start`.
    pub(crate) fn of(metadata: &Metadata, start: SystemTime) -> Self {
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

    /// The state of something of which the system tells nothing but its type.
    pub(crate) fn unknown(file_type: io::Result<FileType>) -> Self {
        Self { kind: file_type.map_or(Kind::Other, Kind::of), details: None, is_young: true }
    }

    /// Adds what is in the file, if it is one. The reading ends early if it is to `stop`.
    pub(crate) fn read_content(&mut self, path: &Path, stop: &AtomicBool) -> io::Result<()> {
        let (Kind::File, Some(details)) = (self.kind, &mut self.details) else { return Ok(()) };
        details.content = Content::Unreadable;
        details.content = Content::Hash(hash_of(path, stop)?);
        Ok(())
    }

    /// Whether it is all that can be known of its path, if links are to be followed or not.
    pub(crate) fn is_of_path(&self, follow_links: bool) -> bool {
        self.details.is_some() && !(follow_links && self.kind == Kind::Other)
    }

    /// The number of the file system that it is on, if that is known.
    pub(crate) fn device(&self) -> Option<u64> {
        self.details.map(|details| details.numbers[0])
    }

    /// What tells it from all other files, if the system does: its numbers and its birth. The numbers
    /// of a removed file are soon given to a new one, so that they tell nothing on their own.
    pub(crate) fn identity(&self) -> Option<([u64; 2], i64)> {
        let details = self.details.as_ref()?;
        (details.birth != 0).then_some((details.numbers, details.birth))
    }

    /// Whether it is `old` at another path, their identities being the same. Of a young file that may
    /// be chance: the old one was removed, and the new one got its number and was born in the same
    /// step of the clock. It is believed of one that has a mark of the rename, and no other.
    pub(crate) fn is_renamed(&self, old: &Self) -> bool {
        let (Some(new), Some(before)) = (&self.details, &old.details) else { return false };
        let is_marked = new.touched != new.birth
            && new.touched != before.touched
            && (new.modified, new.length) == (before.modified, before.length)
            && new.attributes == before.attributes;
        is_marked || !old.is_young
    }

    /// Whether it is certainly another folder than `old`, though at the same path: one of another file
    /// system, or born at another time. Its number in one does not tell: some file systems give the same
    /// folder another one.
    pub(crate) fn is_another_folder_than(&self, old: &Self) -> bool {
        let Some((new, before)) = self.details.zip(old.details) else { return false };
        let is_born_anew = || {
            new.birth != before.birth
                && ![new.birth, before.birth].contains(&0)
                && !platform::renews_births(new.numbers[0])
        };
        self.kind == Kind::Folder && (new.numbers[0] != before.numbers[0] || is_born_anew())
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
        let metadata = before.attributes.changes(after.attributes).map(ModifyKind::Metadata);
        let mut changes: Vec<_> = data.into_iter().chain(metadata).collect();
        if changes.is_empty() && !is_folder && !rename && before.touched != after.touched {
            // Of a write whose time was set back, there is no other trace.
            let is_metadata = self.kind != Kind::File || before.has_content_of(after);
            let metadata = ModifyKind::Metadata(MetadataKind::Any);
            changes.push(if is_metadata { metadata } else { ModifyKind::Any });
        }
        changes
    }
}

/// When a look began is no part of what it found.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.details) == (other.kind, other.details)
    }
}

impl Details {
    /// Whether the contents were compared, and are the same.
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

fn birth(metadata: &Metadata) -> i64 {
    let created = platform::HAS_IDENTITIES.then(|| metadata.created().ok()).flatten();
    created.map(nanoseconds).unwrap_or_default()
}

fn nanoseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok();
    since.and_then(|since| since.as_nanos().try_into().ok()).unwrap_or_default()
}

/// The nanoseconds within which all files are born at the same time. The clocks of file systems go in
/// steps of a hundredth of a second at most, or of one or two seconds if they tell no parts of one.
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
