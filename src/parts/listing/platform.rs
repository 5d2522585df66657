//! Differences between systems: file names as bytes, and metadata beyond the standard.
//!
//! All of this is in the metadata that a look has already read. The crate `file-id` would read it a second
//! time for each entry, on Unix that of a link's target, and on Windows by opening each file.

pub(crate) use system::*;

#[cfg(unix)]
mod system {
    use std::{
        borrow::Cow, ffi::OsStr, fs::Metadata, io, os::unix::ffi::OsStrExt,
        os::unix::fs::MetadataExt,
    };

    use crate::event::MetadataKind;

    /// Whether files can be distinguished by more than their paths, so that renames are seen.
    pub(crate) const HAS_IDENTITIES: bool = true;

    /// Adds a name to `bytes`.
    pub(crate) fn push_name(bytes: &mut Vec<u8>, name: &OsStr) {
        bytes.extend_from_slice(name.as_bytes());
    }

    /// Returns a name that [`push_name`] has written.
    pub(crate) fn name(bytes: &[u8]) -> Cow<'_, OsStr> {
        OsStr::from_bytes(bytes).into()
    }

    /// Returns the numbers of the file system and of the file in it.
    pub(crate) fn file_numbers(metadata: &Metadata) -> [u64; 2] {
        [metadata.dev(), metadata.ino()]
    }

    /// Returns when anything about the file was last changed, even if that leaves no other trace. In
    /// nanoseconds; wraps.
    pub(crate) fn change_time(metadata: &Metadata) -> i64 {
        metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec())
    }

    /// Returns whether the error only means that another process has the file or folder open.
    pub(crate) fn is_in_use(_: &io::Error) -> bool {
        false
    }

    /// Returns whether the file system with this number may change the birth of a folder. Overlayfs does so
    /// when it copies one up, as it does with all folders above a changed file.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    pub(crate) fn renews_births(device: u64) -> bool {
        // The layout of makedev(3); proc(5) describes the fields.
        let major = (device >> 32) & 0xffff_f000 | (device >> 8) & 0xfff;
        let minor = (device >> 12) & 0xffff_ff00 | device & 0xff;
        let number = format!("{major}:{minor}");
        // If the file cannot be read, a copied folder is reported as removed and created.
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        String::from_utf8_lossy(&mounts)
            .lines()
            .any(|mount| mount.contains(" - overlay ") && mount.split(' ').nth(2) == Some(&number))
    }

    /// Returns whether the file system with this number may change the birth of a folder: none is known to
    /// do so here.
    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    pub(crate) fn renews_births(_: u64) -> bool {
        false
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(crate) struct Attributes {
        mode: u32,
        owner: [u32; 2],
    }

    impl Attributes {
        pub(crate) fn of(metadata: &Metadata) -> Self {
            Self { mode: metadata.mode(), owner: [metadata.uid(), metadata.gid()] }
        }

        /// Returns the differences.
        pub(crate) fn changes(self, new: Self) -> impl Iterator<Item = MetadataKind> {
            let mode = (self.mode != new.mode).then_some(MetadataKind::Permissions);
            let owner = (self.owner != new.owner).then_some(MetadataKind::Ownership);
            mode.into_iter().chain(owner)
        }
    }
}

#[cfg(windows)]
mod system {
    use std::{
        borrow::Cow,
        ffi::{OsStr, OsString},
        fs::Metadata,
        io,
        os::windows::{
            ffi::{OsStrExt, OsStringExt},
            fs::MetadataExt,
        },
    };

    use crate::event::MetadataKind;

    /// Whether files can be distinguished by more than their paths, so that renames are seen. Here, each
    /// file would have to be opened for that.
    pub(crate) const HAS_IDENTITIES: bool = false;

    /// Adds a name to `bytes`.
    pub(crate) fn push_name(bytes: &mut Vec<u8>, name: &OsStr) {
        bytes.extend(name.encode_wide().flat_map(u16::to_le_bytes));
    }

    /// Returns a name that [`push_name`] has written.
    pub(crate) fn name(bytes: &[u8]) -> Cow<'_, OsStr> {
        let (units, _) = bytes.as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        OsString::from_wide(&units).into()
    }

    /// Returns the numbers of the file system and of the file in it; not known here.
    pub(crate) fn file_numbers(_: &Metadata) -> [u64; 2] {
        [0, 0]
    }

    /// Returns when anything about the file was last changed; not known here.
    pub(crate) fn change_time(_: &Metadata) -> i64 {
        0
    }

    /// Returns whether the error says that another process uses the file or folder, for example to remove
    /// it: `ERROR_SHARING_VIOLATION`. Wine also gives `ERROR_INVALID_NAME`, which cannot be true for a
    /// listed name.
    pub(crate) fn is_in_use(error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(32 | 123))
    }

    /// Returns whether the file system with this number may change the birth of a folder: births are not
    /// used here.
    pub(crate) fn renews_births(_: u64) -> bool {
        false
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(crate) struct Attributes(u32);

    impl Attributes {
        pub(crate) fn of(metadata: &Metadata) -> Self {
            Self(metadata.file_attributes())
        }

        /// Returns the differences.
        pub(crate) fn changes(self, new: Self) -> impl Iterator<Item = MetadataKind> {
            (self.0 != new.0).then_some(MetadataKind::Other).into_iter()
        }
    }
}
