//! The system calls: a completion port ([`Port`]), and folders whose changes are read ([`OpenFolder`]).
//!
//! No crate offers `ReadDirectoryChangesW` without unsafe code. All of it is here.

use std::{
    ffi::c_void,
    fs::File,
    io,
    mem::{self, offset_of},
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle},
    path::{Path, PathBuf},
    ptr::{self, NonNull},
    sync::OnceLock,
};

use windows_sys::{
    Win32::{
        Foundation::{
            ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_FUNCTION, ERROR_INVALID_PARAMETER,
            ERROR_NOT_SUPPORTED, HANDLE, INVALID_HANDLE_VALUE, STATUS_PENDING, WAIT_TIMEOUT,
        },
        Storage::FileSystem::{
            BY_HANDLE_FILE_INFORMATION, FILE_CASE_SENSITIVE_INFO, FILE_FLAG_BACKUP_SEMANTICS,
            FILE_ID_DESCRIPTOR, FILE_ID_DESCRIPTOR_0, FILE_NOTIFY_CHANGE,
            FILE_NOTIFY_EXTENDED_INFORMATION, FILE_NOTIFY_INFORMATION, FILE_SHARE_DELETE,
            FILE_SHARE_READ, FILE_SHARE_WRITE, FileCaseSensitiveInfo, FileIdType, FindClose,
            FindFirstFileW, GetFileInformationByHandle, GetFileInformationByHandleEx, OpenFileById,
            READ_DIRECTORY_NOTIFY_INFORMATION_CLASS, ReadDirectoryChangesW,
            ReadDirectoryNotifyExtendedInformation, WIN32_FIND_DATAW,
        },
        System::{
            IO::{
                CancelIoEx, CreateIoCompletionPort, GetQueuedCompletionStatus,
                LPOVERLAPPED_COMPLETION_ROUTINE, OVERLAPPED, PostQueuedCompletionStatus,
            },
            LibraryLoader::{GetModuleHandleW, GetProcAddress},
        },
    },
    core::BOOL,
};

use crate::{
    folder::{Folder, Identity, Reading},
    name::Name,
    open::{Resolved, open},
    record::{Format, Record},
};

// What `record.rs` assumes.
const _: () = {
    assert!(offset_of!(FILE_NOTIFY_INFORMATION, Action) == 4);
    assert!(offset_of!(FILE_NOTIFY_INFORMATION, FileNameLength) == 8);
    assert!(offset_of!(FILE_NOTIFY_INFORMATION, FileName) == 12);
    assert!(offset_of!(FILE_NOTIFY_EXTENDED_INFORMATION, Action) == 4);
    assert!(offset_of!(FILE_NOTIFY_EXTENDED_INFORMATION, FileAttributes) == 56);
    assert!(offset_of!(FILE_NOTIFY_EXTENDED_INFORMATION, FileId) == 64);
    assert!(offset_of!(FILE_NOTIFY_EXTENDED_INFORMATION, FileNameLength) == 80);
    assert!(offset_of!(FILE_NOTIFY_EXTENDED_INFORMATION, FileName) == 84);
};

/// The queue in which the system puts the ends of reads.
#[derive(Debug)]
pub(crate) struct Port(OwnedHandle);

/// The key of the packets by which a thread wakes the one that waits.
const WAKE: usize = 0;

/// What comes out of a port.
#[derive(Debug)]
pub(crate) enum Packet {
    /// [`Port::wake`] was called.
    Wake,
    Read(Done),
}

/// The end of a read.
#[derive(Debug)]
pub(crate) struct Done {
    /// The key of the folder.
    pub(crate) key: usize,
    /// The address of the read.
    overlapped: *mut OVERLAPPED,
    result: io::Result<u32>,
}

impl Port {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: these arguments ask for a new port, and point nowhere.
        let port = unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) };
        if port.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the handle is new, and no other code knows it.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(port) }))
    }

    /// Lets the ends of all reads of a folder come here. `key` must not be 0.
    fn attach(&self, folder: &File, key: usize) -> io::Result<()> {
        let (folder, port) = (folder.as_raw_handle(), self.0.as_raw_handle());
        // SAFETY: both handles are open.
        let same = unsafe { CreateIoCompletionPort(folder, port, key, 0) };
        if same.is_null() { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Lets a [`take`](Self::take) return.
    pub(crate) fn wake(&self) -> io::Result<()> {
        // SAFETY: the handle is open, and the packet points nowhere.
        check(unsafe { PostQueuedCompletionStatus(self.0.as_raw_handle(), 0, WAKE, ptr::null()) })
    }

    /// Takes the next packet. Waits for it for some milliseconds at most, or without end (`INFINITE`).
    pub(crate) fn take(&self, millis: u32) -> io::Result<Option<Packet>> {
        let (mut bytes, mut key, mut overlapped) = (0, WAKE, ptr::null_mut());
        let port = self.0.as_raw_handle();
        // SAFETY: the handle is open, and the results have room where the pointers lead.
        let taken = check(unsafe {
            GetQueuedCompletionStatus(
                port,
                &raw mut bytes,
                &raw mut key,
                &raw mut overlapped,
                millis,
            )
        });
        match taken {
            Err(error) if overlapped.is_null() => {
                let is_timeout = error.raw_os_error() == Some(WAIT_TIMEOUT.cast_signed());
                if is_timeout { Ok(None) } else { Err(error) }
            }
            Ok(()) if key == WAKE => Ok(Some(Packet::Wake)),
            taken => {
                let result = taken.map(|()| bytes);
                Ok(Some(Packet::Read(Done { key, overlapped, result })))
            }
        }
    }
}

type ReadExtended = unsafe extern "system" fn(
    HANDLE,
    *mut c_void,
    u32,
    BOOL,
    FILE_NOTIFY_CHANGE,
    *mut u32,
    *mut OVERLAPPED,
    LPOVERLAPPED_COMPLETION_ROUTINE,
    READ_DIRECTORY_NOTIFY_INFORMATION_CLASS,
) -> BOOL;

/// Returns `ReadDirectoryChangesExW`, which systems have from Windows 10, version 1709, on.
fn read_extended() -> Option<ReadExtended> {
    static FOUND: OnceLock<Option<ReadExtended>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let library: Vec<u16> = "kernel32.dll\0".encode_utf16().collect();
        // SAFETY: the names end with a zero, and this library is never unloaded.
        let found = unsafe {
            let library = GetModuleHandleW(library.as_ptr());
            GetProcAddress(library, c"ReadDirectoryChangesExW".as_ptr().cast())?
        };
        // SAFETY: this is the function's documented type.
        Some(unsafe { mem::transmute::<unsafe extern "system" fn() -> isize, ReadExtended>(found) })
    })
}

/// Returns whether the system numbers files in its records.
pub(crate) fn has_extended() -> bool {
    read_extended().is_some()
}

/// A read that the system may be writing to. The allocations are held by pointers, since the system has
/// others to them.
#[derive(Debug)]
struct Read {
    overlapped: NonNull<OVERLAPPED>,
    buffer: NonNull<[u64]>,
    is_pending: bool,
}

impl Read {
    fn new(bytes: usize) -> Self {
        let overlapped = Box::leak(Box::new(OVERLAPPED::default())).into();
        // In words, since a buffer has to begin at a multiple of four bytes, and has numbers of eight.
        let buffer = Box::leak(vec![0; bytes / size_of::<u64>()].into_boxed_slice()).into();
        Self { overlapped, buffer, is_pending: false }
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        // While the system may still write to them, they stay, for ever if need be: no caller lets that
        // happen unless it panics.
        if !self.is_pending {
            // SAFETY: both come from a `Box`, and the system is done with them.
            unsafe {
                drop(Box::from_raw(self.overlapped.as_ptr()));
                drop(Box::from_raw(self.buffer.as_ptr()));
            }
        }
    }
}

/// A folder whose changes are read.
#[derive(Debug)]
pub(crate) struct OpenFolder {
    folder: File,
    /// Its path, with all links resolved.
    real: PathBuf,
    how: How,
    format: Format,
    read: Read,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) recursive: bool,
    pub(crate) filter: FILE_NOTIFY_CHANGE,
    /// The size of the buffer, in bytes.
    pub(crate) bytes: usize,
}

impl OpenFolder {
    /// Takes a folder that was opened with `FILE_LIST_DIRECTORY` and `FILE_FLAG_OVERLAPPED`. The ends of its
    /// reads come out of the port with this key, which must not be 0.
    pub(crate) fn new(folder: Resolved, how: How, port: &Port, key: usize) -> io::Result<Self> {
        let Resolved { folder, path: real } = folder;
        port.attach(&folder, key)?;
        let format = if has_extended() { Format::Extended } else { Format::Plain };
        Ok(Self { folder, real, how, format, read: Read::new(how.bytes) })
    }

    fn try_read(&mut self) -> io::Result<()> {
        let folder = self.folder.as_raw_handle();
        let How { recursive, filter, .. } = self.how;
        let (overlapped, buffer) = (self.read.overlapped.as_ptr(), self.read.buffer.as_ptr());
        let length = size_of::<u64>() * buffer.len();
        let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let (buffer, recursive, mut unused) = (buffer.cast(), recursive.into(), 0);
        // SAFETY: no read is pending (`Folder::read` has checked), so these are only ours.
        unsafe { overlapped.write(OVERLAPPED::default()) };
        // SAFETY: the folder is open. Buffer and `OVERLAPPED` stay until the packet of this read has come:
        // see the drop of `Read`. Without a routine, none is called.
        check(unsafe {
            match (self.format, read_extended()) {
                (Format::Extended, Some(read)) => read(
                    folder,
                    buffer,
                    length,
                    recursive,
                    filter,
                    &raw mut unused,
                    overlapped,
                    None,
                    ReadDirectoryNotifyExtendedInformation,
                ),
                _ => ReadDirectoryChangesW(
                    folder,
                    buffer,
                    length,
                    recursive,
                    filter,
                    &raw mut unused,
                    overlapped,
                    None,
                ),
            }
        })?;
        self.read.is_pending = true;
        Ok(())
    }
}

impl Folder for OpenFolder {
    type Packet = Done;

    fn read(&mut self) -> io::Result<()> {
        if self.read.is_pending {
            return Ok(());
        }
        let read = self.try_read();
        let is_refused = read.as_ref().is_err_and(|error| {
            let code = error.raw_os_error().map(i32::cast_unsigned);
            // For example on FAT.
            let refused = [
                ERROR_CALL_NOT_IMPLEMENTED,
                ERROR_INVALID_FUNCTION,
                ERROR_INVALID_PARAMETER,
                ERROR_NOT_SUPPORTED,
            ];
            code.is_some_and(|code| refused.contains(&code))
        });
        if is_refused && self.format == Format::Extended {
            self.format = Format::Plain;
            return self.try_read();
        }
        read
    }

    fn cancel(&self) {
        if self.read.is_pending {
            // SAFETY: the folder is open, and the read's `OVERLAPPED` is there, as it is pending.
            // It fails if the read has ended, whose packet is under way then.
            unsafe { CancelIoEx(self.folder.as_raw_handle(), self.read.overlapped.as_ptr()) };
        }
    }

    fn is_reading(&self) -> bool {
        self.read.is_pending
    }

    fn has_read(&self) -> bool {
        // SAFETY: it is there as long as `self`. The system may write to it meanwhile, as to any status of a pending
        // read: `HasOverlappedIoCompleted` reads it in the same way.
        let status =
            unsafe { (&raw const (*self.read.overlapped.as_ptr()).Internal).read_volatile() };
        self.read.is_pending && status != STATUS_PENDING.cast_unsigned() as usize
    }

    fn take(&mut self, packet: Done) -> Reading {
        if !self.read.is_pending || packet.overlapped != self.read.overlapped.as_ptr() {
            let text = "the packet of another folder's read";
            return Reading::Failed(io::Error::other(text));
        }
        self.read.is_pending = false;
        let bytes = match packet.result {
            Ok(0) => return Reading::Lost,
            Ok(bytes) => bytes as usize,
            Err(error) => return Reading::of_error(error),
        };
        let buffer = self.read.buffer.as_ptr();
        let length = bytes.min(size_of::<u64>() * buffer.len());
        // SAFETY: the read has ended, as its packet was there, so the buffer is only ours, and it has at
        // least this length.
        let read = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) };
        Record::parse(read, self.format).map_or(Reading::Lost, Reading::Records)
    }

    fn at(&self, below: &Path) -> io::Result<Identity> {
        let is_own = below.as_os_str().is_empty();
        // A separator at the end would be refused.
        let there = if is_own { open(&self.real, 0)? } else { open(&self.real.join(below), 0)? };
        identity(&there)
    }

    fn has_file(&self, id: u64) -> bool {
        let descriptor = FILE_ID_DESCRIPTOR {
            dwSize: u32::try_from(size_of::<FILE_ID_DESCRIPTOR>()).unwrap_or_default(),
            Type: FileIdType,
            Anonymous: FILE_ID_DESCRIPTOR_0 { FileId: id.cast_signed() },
        };
        // SAFETY: the folder is open, and the description says by its type which number it has.
        let opened = unsafe {
            OpenFileById(
                self.folder.as_raw_handle(),
                &raw const descriptor,
                0,
                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                ptr::null(),
                FILE_FLAG_BACKUP_SEMANTICS,
            )
        };
        if opened == INVALID_HANDLE_VALUE {
            return false;
        }
        // SAFETY: the handle is new, and no other code knows it.
        drop(unsafe { OwnedHandle::from_raw_handle(opened) });
        true
    }

    fn long_name(&self, path: &Path) -> Option<Name> {
        long_name(&self.real.join(path))
    }
}

/// Returns the name that the entry at a path has in its folder, in its long form.
pub(crate) fn long_name(path: &Path) -> Option<Name> {
    let Name(mut path) = path.as_os_str().to_owned().into();
    path.push(0);
    let mut data = WIN32_FIND_DATAW::default();
    // SAFETY: the path ends with a zero, and the result has room where the pointer leads.
    let search = unsafe { FindFirstFileW(path.as_ptr(), &raw mut data) };
    if search == INVALID_HANDLE_VALUE {
        return None;
    }
    // SAFETY: the search has just been opened.
    unsafe { FindClose(search) };
    let name = data.cFileName.split(|unit| *unit == 0).next()?;
    Some(Name(name.to_vec()))
}

/// Returns the numbers of a file's volume and of the file in it.
fn identity(file: &File) -> io::Result<Identity> {
    let mut it = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the file is open, and the result has room where the pointer leads.
    check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut it) })?;
    let id = u64::from(it.nFileIndexHigh) << 32 | u64::from(it.nFileIndexLow);
    Ok((it.dwVolumeSerialNumber, id))
}

/// Returns whether a folder distinguishes names by case.
pub(crate) fn is_case_sensitive(folder: &File) -> bool {
    /// `FILE_CS_FLAG_CASE_SENSITIVE_DIR`
    const CASE_SENSITIVE: u32 = 1;

    let mut it = FILE_CASE_SENSITIVE_INFO::default();
    let size = u32::try_from(size_of_val(&it)).unwrap_or_default();
    let (folder, result) = (folder.as_raw_handle(), (&raw mut it).cast());
    // SAFETY: the folder is open, and the result has the size that the class needs. It fails on older
    // systems, where no folder does.
    let asked =
        check(unsafe { GetFileInformationByHandleEx(folder, FileCaseSensitiveInfo, result, size) });
    asked.is_ok() && it.Flags & CASE_SENSITIVE != 0
}

fn check(result: BOOL) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
