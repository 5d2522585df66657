//! The resources that a process holds, where the system tells them: [`ResourceUsage`].

#[cfg(all(unix, any(test, not(target_os = "linux"))))]
mod shown;
#[cfg(windows)]
mod windows;

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{
    failure::{Step, violates},
    invariants,
};

/// The descriptors or handles of this process, and its threads.
#[derive(Debug)]
pub(crate) struct ResourceUsage {
    /// What each descriptor leads to, sorted. That is known on Linux only.
    descriptors: Vec<String>,
    threads: usize,
}

impl ResourceUsage {
    /// Whether this system says what each descriptor leads to. On Windows, no case has to know.
    pub(crate) const IS_NAMED: bool = cfg!(any(target_os = "linux", windows));

    /// Returns whether this system counts them.
    #[cfg(any(target_os = "linux", windows))]
    pub(crate) fn is_counted() -> bool {
        true
    }

    /// Returns whether this system counts them.
    #[cfg(all(unix, not(target_os = "linux")))]
    pub(crate) fn is_counted() -> bool {
        shown::descriptors().is_some() && shown::threads().is_some()
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn count() -> Self {
        let list = |folder| fs::read_dir(folder).into_iter().flatten().flatten();
        let target = |entry: &fs::DirEntry| fs::read_link(entry.path()).ok();
        // The descriptor of the listing itself is gone by the time it is looked at.
        let descriptors = list("/proc/self/fd").filter_map(|entry| target(&entry));
        let mut descriptors: Vec<_> =
            descriptors.map(|target| target.display().to_string()).collect();
        descriptors.retain(|target| !target.ends_with("/fd"));
        descriptors.sort();
        Self { descriptors, threads: list("/proc/self/task").count() }
    }

    /// Counts what this system shows.
    #[cfg(all(unix, not(target_os = "linux")))]
    pub(crate) fn count() -> Self {
        let descriptors = vec!["a descriptor".into(); shown::descriptors().unwrap_or_default()];
        Self { descriptors, threads: shown::threads().unwrap_or_default() }
    }

    #[cfg(windows)]
    pub(crate) fn count() -> Self {
        // Both fail only if the system is out of memory.
        let handles = windows::handles().unwrap_or_default();
        let threads = windows::threads().unwrap_or_default();
        Self { descriptors: vec!["a handle".into(); handles], threads }
    }

    /// Counts without the descriptors of files that are left out, where [the system names them](Self::IS_NAMED).
    pub(crate) fn count_but(is_left_out: impl Fn(&Path) -> bool) -> Self {
        let mut count = Self::count();
        count.descriptors.retain(|target| !is_left_out(Path::new(target)));
        count
    }

    /// Returns the descriptors or handles that are not among the `earlier` ones; none if there are no more of them.
    pub(crate) fn descriptors_beyond(mut self, earlier: &Self) -> Vec<String> {
        if self.descriptors.len() <= earlier.descriptors.len() {
            return Vec::new();
        }
        for old in &earlier.descriptors {
            if let Some(at) = self.descriptors.iter().position(|new| new == old) {
                self.descriptors.remove(at);
            }
        }
        self.descriptors
    }

    /// Returns how many watches of inotify, and marks of fanotify, this process has; zero where the system
    /// does not tell.
    pub(crate) fn watches() -> usize {
        const WATCHES: [&str; 4] =
            ["inotify wd:", "fanotify ino:", "fanotify mnt_id:", "fanotify sdev:"];

        let descriptors = fs::read_dir("/proc/self/fdinfo").into_iter().flatten().flatten();
        let texts = descriptors.filter_map(|file| fs::read_to_string(file.path()).ok());
        let is_watch = |line: &&str| WATCHES.iter().any(|start| line.starts_with(start));
        texts.map(|text| text.lines().filter(is_watch).count()).sum()
    }

    /// Returns the memory that this process has in use, in bytes; zero where the system does not tell.
    pub(crate) fn memory() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kilobytes.and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() * 1024
    }

    /// Returns the processor time that this process has used, all threads that live together; zero where
    /// the system does not tell.
    pub(crate) fn cpu_time() -> Duration {
        scheduled(0)
    }

    /// Returns for how long the threads of this process could have run and got no processor; zero where the
    /// system does not tell.
    pub(crate) fn waited() -> Duration {
        scheduled(1)
    }

    /// Waits until no more is left than at this count, and fails if that takes too long.
    pub(crate) fn expect_same(&self, patience: Duration) -> Step {
        // A thread that has been told to end takes a moment.
        let deadline = Instant::now() + patience;
        loop {
            let now = Self::count();
            let threads = now.threads.saturating_sub(self.threads);
            let new = now.descriptors_beyond(self);
            if threads == 0 && new.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let left = format!("{threads} threads and the descriptors {new:?} are left");
                return Err(violates(invariants::NO_LEAK, left));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Returns the sum of a field of what the scheduler knows of the threads, in nanoseconds.
fn scheduled(field: usize) -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().nth(field)?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}
