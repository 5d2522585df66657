//! The system's records, parsed from the bytes of a buffer: [`Record`].

use crate::name::Name;

/// Which of the two structures the records have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `FILE_NOTIFY_INFORMATION`
    Plain,
    /// `FILE_NOTIFY_EXTENDED_INFORMATION`
    Extended,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Added,
    Removed,
    Modified,
    OldName,
    NewName,
    /// One that no documentation mentions.
    Unknown,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) action: Action,
    /// The path below the folder that is read.
    pub(crate) name: Name,
    /// Whether it is a folder, if the record says so.
    pub(crate) is_folder: Option<bool>,
    /// The number of the file, if the record and the file system have one.
    pub(crate) id: Option<u64>,
}

const FILE_ATTRIBUTE_DIRECTORY: u32 = 0x10;

impl Record {
    /// Parses what was read into a buffer. Returns `None` if these are no records.
    pub(crate) fn parse(bytes: &[u8], format: Format) -> Option<Vec<Self>> {
        let mut records = vec![];
        let mut at = 0;
        loop {
            // Under Wine, records begin anywhere.
            let bytes = bytes.get(at..)?;
            records.push(Self::first(bytes, format)?);
            match word(bytes, 0)? as usize {
                0 => return Some(records),
                next => at = at.checked_add(next)?,
            }
        }
    }

    fn first(bytes: &[u8], format: Format) -> Option<Self> {
        let action = match word(bytes, 4)? {
            1 => Action::Added,
            2 => Action::Removed,
            3 => Action::Modified,
            4 => Action::OldName,
            5 => Action::NewName,
            _ => Action::Unknown,
        };
        let (length_at, is_folder, id) = match format {
            Format::Plain => (8, None, None),
            Format::Extended => {
                let is_folder = word(bytes, 56)? & FILE_ATTRIBUTE_DIRECTORY != 0;
                let id = u64::from(word(bytes, 64)?) | u64::from(word(bytes, 68)?) << 32;
                // A file system whose numbers take more bits says -1, one without any 0.
                let id = Some(id).filter(|id| ![0, u64::MAX].contains(id));
                (80, Some(is_folder), id)
            }
        };
        let length = word(bytes, length_at)? as usize;
        let name = bytes.get(length_at + 4..)?.get(..length)?;
        let (units, _) = name.as_chunks::<2>();
        let name = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        Some(Self { action, name: Name(name), is_folder, id })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}
