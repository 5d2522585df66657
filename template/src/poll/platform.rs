//! What systems differ in: file names as bytes, and what they tell of a file beyond the standard.
//!
//! All of it is in what a look has at hand. The crate `file-id` would ask a second time for each entry,
//! and that for where a link leads on Unix, and open each file on Windows.

pub(crate) use system::*;

#[cfg(unix)]
mod system {
    use std::{
        borrow::Cow, ffi::OsStr, fs::Metadata, io, os::unix::ffi::OsStrExt,
        os::unix::fs::MetadataExt,
    };

    use notify_backend::event::MetadataKind;

    /// Whether files can be told apart by more than their paths, so that renames are seen.
    pub(crate) const HAS_IDENTITIES: bool = true;

    /// Adds a name to `bytes`.
    pub(crate) fn push_name(bytes: &mut Vec<u8>, name: &OsStr) {
        bytes.extend_from_slice(name.as_bytes());
    }

    /// A name that [`push_name`] has written.
    pub(crate) fn name(bytes: &[u8]) -> Cow<'_, OsStr> {
        OsStr::from_bytes(bytes).into()
    }

    /// The numbers of the file system and, in it, of the file.
    pub(crate) fn file_numbers(metadata: &Metadata) -> [u64; 2] {
        [metadata.dev(), metadata.ino()]
    }

    /// When anything of the file was changed, even if that leaves no other trace; in
    /// nanoseconds, and wraps.
    pub(crate) fn change_time(metadata: &Metadata) -> i64 {
        metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec())
    }

    /// Returns whether the error only means that another process has the file or folder open.
    pub(crate) fn is_in_use(_: &io::Error) -> bool {
        false
    }

    /// Whether the file system of this number gives a folder another birth while it stays the same:
    /// overlayfs does when it copies one up, which it does with all that are above a changed file.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    pub(crate) fn renews_births(device: u64) -> bool {
        // As makedev(3) puts it together; proc(5) has the fields.
        let major = (device >> 32) & 0xffff_f000 | (device >> 8) & 0xfff;
        let minor = (device >> 12) & 0xffff_ff00 | device & 0xff;
        let number = format!("{major}:{minor}");
        // Where it cannot be read, a copied folder is told as removed and made.
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        String::from_utf8_lossy(&mounts)
            .lines()
            .any(|mount| mount.contains(" - overlay ") && mount.split(' ').nth(2) == Some(&number))
    }

    /// Whether the file system of this number gives a folder another birth while it stays the same: none
    /// is known here.
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

        /// What differs.
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

    use notify_backend::event::MetadataKind;

    /// Whether files can be told apart by more than their paths, so that renames are seen. Here
    /// each file would have to be opened for it.
    pub(crate) const HAS_IDENTITIES: bool = false;

    /// Adds a name to `bytes`.
    pub(crate) fn push_name(bytes: &mut Vec<u8>, name: &OsStr) {
        bytes.extend(name.encode_wide().flat_map(u16::to_le_bytes));
    }

    /// A name that [`push_name`] has written.
    pub(crate) fn name(bytes: &[u8]) -> Cow<'_, OsStr> {
        let (units, _) = bytes.as_chunks::<2>();
        let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        OsString::from_wide(&units).into()
    }

    /// The numbers of the file system and, in it, of the file; not known here.
    pub(crate) fn file_numbers(_: &Metadata) -> [u64; 2] {
        [0, 0]
    }

    /// When anything of the file was changed; not known here.
    pub(crate) fn change_time(_: &Metadata) -> i64 {
        0
    }

    /// Whether the error says that someone else uses the file or folder, such as to remove it:
    /// `ERROR_SHARING_VIOLATION`. Wine says `ERROR_INVALID_NAME` too, which the name of something that
    /// was listed is not.
    pub(crate) fn is_in_use(error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(32 | 123))
    }

    /// Whether the file system of this number gives a folder another birth while it stays the same: births
    /// are not asked for here.
    pub(crate) fn renews_births(_: u64) -> bool {
        false
    }

    #[derive(Clone, Copy, Debug, PartialEq)]
    pub(crate) struct Attributes(u32);

    impl Attributes {
        pub(crate) fn of(metadata: &Metadata) -> Self {
            Self(metadata.file_attributes())
        }

        /// What differs.
        pub(crate) fn changes(self, new: Self) -> impl Iterator<Item = MetadataKind> {
            (self.0 != new.0).then_some(MetadataKind::Other).into_iter()
        }
    }
}
