//! The system calls of fanotify and of file handles, which no crate offers without `unsafe`.
//!
//! rustix has none of them; nix has fanotify without the reports of handles and names.

use std::{
    borrow::Borrow,
    ffi::{CStr, CString, OsStr},
    fs::File,
    io,
    mem::{MaybeUninit, offset_of},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    sync::Arc,
};

/// The largest size of a handle (`MAX_HANDLE_SZ` in the kernel's `fs.h`).
pub(crate) const LARGEST_HANDLE: usize = 128;

/// The kernel's identifier of a file or folder: the same for as long as it exists, wherever it is renamed
/// to, and never used for another one. See `name_to_handle_at(2)`.
///
/// It is stored as in events: the file system as two numbers of four bytes, the handle's length and type,
/// and the handle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle(Arc<[u8]>);

/// The size of the part before the handle's own bytes.
pub(crate) const HANDLE_HEAD: usize = 16;

impl Handle {
    /// Creates a handle from the bytes in an event. Returns `None` if these are too short.
    pub(crate) fn told(bytes: &[u8]) -> Option<Self> {
        (bytes.len() >= HANDLE_HEAD).then(|| Self(bytes.into()))
    }

    pub(crate) fn new(file_system: u64, kind: i32, bytes: &[u8]) -> Self {
        let [low, high] = [file_system & u64::from(u32::MAX), file_system >> 32];
        // All of them fit.
        let [low, high, size] =
            [low, high, bytes.len() as u64].map(|word| u32::try_from(word).unwrap_or(u32::MAX));
        let head = [low, high, size, kind.cast_unsigned()].map(u32::to_ne_bytes);
        Self([head.as_flattened(), bytes].concat().into())
    }

    /// Returns the number of its file system, as in statvfs(3).
    pub(crate) fn file_system(&self) -> u64 {
        u64::from(self.word(0)) | u64::from(self.word(4)) << 32
    }

    fn word(&self, at: usize) -> u32 {
        let bytes = self.0.get(at..).and_then(<[u8]>::first_chunk).copied();
        u32::from_ne_bytes(bytes.unwrap_or_default())
    }
}

impl Borrow<[u8]> for Handle {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// `struct file_handle` with room for the longest handle.
#[repr(C)]
struct FileHandle {
    size: u32,
    kind: i32,
    bytes: [u8; LARGEST_HANDLE],
}

// It is passed in place of the system's type, which ends with an array of unknown length.
const _: () = assert!(
    offset_of!(FileHandle, size) == offset_of!(libc::file_handle, handle_bytes)
        && offset_of!(FileHandle, kind) == offset_of!(libc::file_handle, handle_type)
        && offset_of!(FileHandle, bytes) == size_of::<libc::file_handle>()
);

/// Creates a group of marks, from which events are read.
pub(crate) fn init(flags: u32) -> io::Result<OwnedFd> {
    let flags = libc::FAN_CLOEXEC | libc::FAN_NONBLOCK | libc::FAN_CLASS_NOTIF | flags;
    // SAFETY: the call takes numbers alone.
    let descriptor = check(unsafe { libc::fanotify_init(flags, 0) })?;
    // SAFETY: the kernel has just made the descriptor, and no other code knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Adds, changes or removes a mark at `folder`; it may have been opened with `O_PATH`.
pub(crate) fn mark(
    group: BorrowedFd<'_>,
    flags: u32,
    mask: u64,
    folder: BorrowedFd<'_>,
) -> io::Result<()> {
    let flags = flags | libc::FAN_MARK_ONLYDIR;
    // SAFETY: the path is a string that ends with a zero, and outlives the call.
    check(unsafe {
        libc::fanotify_mark(group.as_raw_fd(), flags, mask, folder.as_raw_fd(), c".".as_ptr())
    })?;
    Ok(())
}

/// Returns the handle of the entry `name` of `folder`, or of the folder itself if the name is empty, and
/// the number of its mount. The entry is on the given file system. A link is not followed.
pub(crate) fn handle(
    folder: BorrowedFd<'_>,
    name: &OsStr,
    file_system: u64,
) -> io::Result<(Handle, i32)> {
    let name = CString::new(name.as_bytes())?;
    let mut handle = FileHandle {
        size: u32::try_from(LARGEST_HANDLE).unwrap_or(u32::MAX),
        kind: 0,
        bytes: [0; LARGEST_HANDLE],
    };
    let mut mount = MaybeUninit::uninit();
    check(call_name_to_handle(folder, &name, &mut handle, &mut mount))?;
    // SAFETY: the call has succeeded, and so has written it.
    let mount = unsafe { mount.assume_init() };
    let bytes = handle.bytes.get(..handle.size as usize).ok_or(io::ErrorKind::InvalidData)?;
    Ok((Handle::new(file_system, handle.kind, bytes), mount))
}

fn call_name_to_handle(
    folder: BorrowedFd<'_>,
    name: &CStr,
    handle: &mut FileHandle,
    mount: &mut MaybeUninit<i32>,
) -> i32 {
    let handle: *mut FileHandle = handle;
    // SAFETY: the name ends with a zero. `FileHandle` begins like `file_handle` and has room for as
    // many bytes as `size` says, of which the kernel writes no more. All of it outlives the call.
    unsafe {
        libc::name_to_handle_at(
            folder.as_raw_fd(),
            name.as_ptr(),
            handle.cast(),
            mount.as_mut_ptr(),
            libc::AT_EMPTY_PATH,
        )
    }
}

/// Opens a folder by its handle, without causing an event (`O_PATH`). `beside` is any open file of the same
/// file system, not opened with `O_PATH`.
pub(crate) fn open_by_handle(beside: BorrowedFd<'_>, handle: &Handle) -> io::Result<OwnedFd> {
    let bytes = &handle.0[HANDLE_HEAD..];
    let mut raw = FileHandle {
        size: u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        kind: handle.word(12).cast_signed(),
        bytes: [0; LARGEST_HANDLE],
    };
    raw.bytes.get_mut(..bytes.len()).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(bytes);
    let raw: *mut FileHandle = &raw mut raw;
    // The root of a user namespace may open nothing but folders.
    let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_DIRECTORY;
    // SAFETY: `FileHandle` begins like `file_handle`, and holds as many bytes as it says. It outlives
    // the call.
    let opened = check(unsafe { libc::open_by_handle_at(beside.as_raw_fd(), raw.cast(), flags) })?;
    // SAFETY: the kernel has just made the descriptor, and no other code knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(opened) })
}

/// Fails with `EPERM` if the process may not open files by their handles.
pub(crate) fn check_open_by_handle() -> io::Result<()> {
    let any = File::open("/proc")?;
    match open_by_handle(any.as_fd(), &Handle::new(0, 0, &[0; 8])) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(error),
        // There is no such handle.
        _ => Ok(()),
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
