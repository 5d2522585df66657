//! The descriptors and threads of this process, as `/dev/fd` and ps(1) show them on macOS and the BSDs.
//!
//! Not all of these systems show them: FreeBSD without fdescfs(5) has only the standard streams in `/dev/fd`. So
//! each is probed: what was just opened or started has to be there.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    os::fd::AsRawFd,
    process::Command,
    sync::{Barrier, OnceLock},
    thread,
};

/// The option with which ps(1) has a line for each thread.
const EACH_THREAD: &str = if cfg!(target_vendor = "apple") {
    "-M"
} else if cfg!(target_os = "netbsd") {
    "-s"
} else if cfg!(target_os = "linux") {
    "-L"
} else {
    "-H"
};

/// Returns how many descriptors this process has, with the one for counting them; none if this system does not show
/// them.
pub(super) fn descriptors() -> Option<usize> {
    static PROBED: OnceLock<bool> = OnceLock::new();
    let is_shown = || {
        let Ok(file) = File::open("/dev/null") else { return false };
        let number = file.as_raw_fd().to_string();
        list().is_ok_and(|list| list.iter().any(|it| it.as_os_str() == OsStr::new(&number)))
    };
    let is_shown = *PROBED.get_or_init(is_shown);
    is_shown.then(|| list().map(|list| list.len()).unwrap_or_default())
}

/// Returns the numbers of the descriptors.
fn list() -> io::Result<Vec<std::ffi::OsString>> {
    fs::read_dir("/dev/fd")?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

/// Returns how many lines ps(1) prints about the threads of this process: one for each, and perhaps a heading. Returns
/// none if it does not.
pub(super) fn threads() -> Option<usize> {
    const STARTED: usize = 3;
    static PROBED: OnceLock<bool> = OnceLock::new();
    let is_shown = || {
        let end = Barrier::new(STARTED + 1);
        thread::scope(|scope| {
            for _ in 0..STARTED {
                scope.spawn(|| end.wait());
            }
            let lines = lines();
            end.wait();
            // A process in one line, with a heading, is fewer.
            lines.is_ok_and(|lines| lines > STARTED)
        })
    };
    let is_shown = *PROBED.get_or_init(is_shown);
    is_shown.then(|| lines().unwrap_or_default())
}

fn lines() -> io::Result<usize> {
    let process = std::process::id().to_string();
    let output = Command::new("ps").args([EACH_THREAD, "-p", &process]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_shown_on_linux_too() {
        assert!(descriptors().is_some_and(|count| count > 3));
    }

    #[test]
    fn threads_are_shown_if_there_is_a_ps() {
        let has_ps = Command::new("ps").output().is_ok();
        assert_eq!(threads().is_some(), has_ps);
    }
}
