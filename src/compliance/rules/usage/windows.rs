//! The handles and threads of this process, as Windows counts them.
#![expect(unsafe_code, reason = "no crate offers these calls alone without it")]

use std::{
    io,
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle},
    process, ptr,
};

use windows_sys::{
    Wdk::System::SystemInformation::NtQuerySystemInformation,
    Win32::{
        Foundation::{INVALID_HANDLE_VALUE, STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS},
        System::{
            Diagnostics::ToolHelp::{
                CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First,
                Thread32Next,
            },
            Threading::{GetCurrentProcess, GetProcessHandleCount},
        },
    },
};

/// Returns the number of handles.
pub(super) fn handles() -> io::Result<usize> {
    let mut count = 0;
    // SAFETY: the pseudo handle of this process is always valid, and the result has room where the pointer
    // leads.
    let is_counted = unsafe { GetProcessHandleCount(GetCurrentProcess(), &raw mut count) };
    match (is_counted, count) {
        (0, _) => Err(io::Error::last_os_error()),
        // Wine 8 does not count.
        (_, 0) => listed_handles(),
        _ => Ok(count as usize),
    }
}

/// Returns the number of handles, from the list of those of all processes.
fn listed_handles() -> io::Result<usize> {
    /// `SystemExtendedHandleInformation`
    const CLASS: i32 = 64;
    /// The words before the entries, those of an entry, and the place of the process in it.
    const HEAD: usize = 2;
    const ENTRY: usize = 5;
    const PROCESS: usize = 1;

    let mut list = vec![0_usize; 0x4000];
    loop {
        let size = u32::try_from(size_of_val(list.as_slice())).map_err(io::Error::other)?;
        // SAFETY: the list has this size; the last argument may be null.
        let status = unsafe {
            NtQuerySystemInformation(CLASS, list.as_mut_ptr().cast(), size, ptr::null_mut())
        };
        match status {
            STATUS_SUCCESS => break,
            STATUS_INFO_LENGTH_MISMATCH => list.resize(list.len() * 2, 0),
            _ => {
                return Err(io::Error::other(format!("the handles cannot be listed: {status:#x}")));
            }
        }
    }
    let (entries, _) = list[HEAD..].as_chunks::<ENTRY>();
    let entries = entries.iter().take(list[0]);
    Ok(entries.filter(|entry| entry[PROCESS] == process::id() as usize).count())
}

/// Returns the number of threads.
pub(super) fn threads() -> io::Result<usize> {
    // SAFETY: the call takes no pointers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    if snapshot == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is new, and no other code knows it.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(snapshot) };
    let size = u32::try_from(size_of::<THREADENTRY32>()).unwrap_or_default();
    let mut entry = THREADENTRY32 { dwSize: size, ..THREADENTRY32::default() };
    let mut count = 0;
    // SAFETY: the snapshot is open, and the entry says its size.
    let mut is_there = unsafe { Thread32First(snapshot.as_raw_handle(), &raw mut entry) };
    // The snapshot has the threads of all processes.
    while is_there != 0 {
        count += usize::from(entry.th32OwnerProcessID == process::id());
        // SAFETY: as above.
        is_there = unsafe { Thread32Next(snapshot.as_raw_handle(), &raw mut entry) };
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, sync::mpsc, thread};

    use super::*;

    #[test]
    fn an_open_file_is_a_handle() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // Other tests open and close files at the same time.
        let more: Vec<_> = (0..1000).map(|_| File::open(file.path()).unwrap()).collect();
        let with = handles().unwrap();
        let count = more.len();
        drop(more);
        let without = handles().unwrap();
        assert!(with >= without + count / 2, "{with} with {count} files, {without} without");
    }

    #[test]
    fn a_thread_is_counted_until_it_ends() {
        const MORE: usize = 100;

        let before = threads().unwrap();
        let waiting = (0..MORE).map(|_| {
            let (stop, stopped) = mpsc::channel::<()>();
            (stop, thread::spawn(move || stopped.recv().is_err()))
        });
        let (stops, waiting): (Vec<_>, Vec<_>) = waiting.unzip();
        let with = threads().unwrap();
        drop(stops);
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
        let after = threads().unwrap();
        // Other tests start and end threads at the same time.
        assert!(
            with >= before.max(after) + MORE / 2,
            "{before} before, {with} with, {after} after"
        );
    }
}
