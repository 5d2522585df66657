//! The kernel's records, as bytes: [`RawRecord`], and parsed: [`Record`]. See fanotify(7).

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use crate::sys::{HANDLE_HEAD, Handle, LARGEST_HANDLE};

/// The size of `struct fanotify_event_metadata`.
const HEAD: usize = 24;
/// The size of the type and length of a record's part.
const PART_HEAD: usize = 4;

/// The largest size of a record: two names in folders, and a handle.
pub(crate) const LARGEST: usize =
    HEAD + 3 * (PART_HEAD + HANDLE_HEAD + LARGEST_HANDLE) + 2 * 256 + 3 * 4;

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) folder: Handle,
    pub(crate) name: OsString,
}

/// An event, or several merged events of the same file under the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// What happened, as bits (`FAN_…`).
    pub(crate) mask: u64,
    /// The place where it happened; none if the kernel names no place.
    pub(crate) at: Option<Entry>,
    /// The place that it was renamed to.
    pub(crate) to: Option<Entry>,
    /// The file or folder itself.
    pub(crate) child: Option<Handle>,
    /// The process that did it, if the kernel names it: it is in this process's namespace.
    pub(crate) process: Option<u32>,
    /// Whether it is a rename after another one of the same file, and may stand for several that were
    /// merged.
    pub(crate) is_repeated: bool,
}

impl Record {
    /// Creates the record of an overflow of the queue.
    pub(crate) fn overflow() -> Self {
        Self::new(libc::FAN_Q_OVERFLOW, None)
    }

    fn new(mask: u64, process: Option<u32>) -> Self {
        Self { mask, at: None, to: None, child: None, process, is_repeated: false }
    }

    pub(crate) fn is(&self, bit: u64) -> bool {
        self.mask & bit != 0
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.is(libc::FAN_ONDIR)
    }
}

/// The bytes of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRecord<'a>(pub(crate) &'a [u8]);

impl<'a> RawRecord<'a> {
    /// Takes the first record out of the bytes that were read. Returns `None` if no complete one is left.
    pub(crate) fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let (whole, rest) = bytes.split_at_checked(length.max(HEAD))?;
        *bytes = rest;
        Some(Self(whole))
    }

    pub(crate) fn mask(self) -> u64 {
        self.0.get(8..).and_then(<[u8]>::first_chunk).copied().map_or(0, u64::from_ne_bytes)
    }

    pub(crate) fn is(self, bit: u64) -> bool {
        self.mask() & bit != 0
    }

    fn process(self) -> Option<u32> {
        let id = self.0.get(20..)?.first_chunk().copied().map(u32::from_ne_bytes)?;
        Some(id).filter(|&id| id != 0)
    }

    /// Returns the parts after its head.
    fn parts(self) -> impl Iterator<Item = RawPart<'a>> {
        let length =
            |bytes: &[u8], at| Some(u16::from_ne_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let head = length(self.0, 6).map_or(HEAD, usize::from);
        let mut rest = self.0.get(head..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (part, others) = rest.split_at_checked(usize::from(length(rest, 2)?))?;
            rest = others;
            RawPart::new(part)
        })
    }

    /// Returns the handle of the file or folder itself.
    pub(crate) fn child(self) -> Option<&'a [u8]> {
        self.parts().find(|part| part.kind == libc::FAN_EVENT_INFO_TYPE_FID).map(|part| part.handle)
    }

    /// Returns the handles of the folders that it concerns, with the names in them.
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'a [u8], &'a OsStr)> {
        let named = self.parts().filter(|part| part.kind != libc::FAN_EVENT_INFO_TYPE_FID);
        named.map(|part| (part.handle, part.name))
    }

    pub(crate) fn parse(self) -> Record {
        let mut record = Record::new(self.mask(), self.process());
        for part in self.parts() {
            let Some(folder) = Handle::told(part.handle) else { continue };
            match part.kind {
                libc::FAN_EVENT_INFO_TYPE_FID => record.child = Some(folder),
                libc::FAN_EVENT_INFO_TYPE_DFID_NAME | libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME => {
                    record.at = Some(Entry { folder, name: part.name.into() });
                }
                libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME => {
                    record.to = Some(Entry { folder, name: part.name.into() });
                }
                // Not requested.
                _ => {}
            }
        }
        record
    }
}

/// A part of a record: a handle, and a name that may be empty.
#[derive(Clone, Copy, Debug)]
struct RawPart<'a> {
    kind: u8,
    handle: &'a [u8],
    name: &'a OsStr,
}

impl<'a> RawPart<'a> {
    fn new(part: &'a [u8]) -> Option<Self> {
        let size = part.get(PART_HEAD + 8..)?.first_chunk().copied().map(u32::from_ne_bytes)?;
        let (handle, padded) =
            part.get(PART_HEAD..)?.split_at_checked(HANDLE_HEAD.checked_add(size as usize)?)?;
        let length = padded.iter().position(|&byte| byte == 0).unwrap_or(padded.len());
        Some(Self { kind: part[0], handle, name: OsStr::from_bytes(&padded[..length]) })
    }
}
