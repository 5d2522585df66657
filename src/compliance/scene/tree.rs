//! The folder that a case changes things in, and every change it can make: [`Tree`].

use std::{
    fmt::Write as _,
    fs::{self, File, FileTimes, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{pace::Pace, platform};
use crate::compliance::{
    record::{history::History, mode::Mode, timeline::Timeline},
    rules::failure::{Step, Stop},
};

/// A folder of the case. Every change goes through it, so that failures can show what was done and the suite
/// knows what ever existed.
///
/// Paths are relative to the folder; absolute ones, such as those of another tree, are taken as they
/// are.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    timeline: Timeline,
    history: History,
    /// The pace to wait for after each change.
    pace: Option<Pace>,
    /// Whether a change is tried again while another process is in its way.
    insists: bool,
}

/// The result of an operation on files.
type Io<T = ()> = io::Result<T>;

impl Tree {
    pub(crate) fn new(root: PathBuf, timeline: Timeline, history: History) -> Step<Self> {
        let tree = Self { root, timeline, history, pace: None, insists: true };
        fs::create_dir_all(&tree.root).map_err(|error| broken("make", &tree.root, &error))?;
        tree.history.note(&tree.root);
        Ok(tree)
    }

    /// Returns the tree of a folder in this one.
    pub(crate) fn within(&self, folder: impl AsRef<Path>) -> Self {
        Self { root: self.path(folder), ..self.clone() }
    }

    /// Makes a change, or none if it is not possible.
    pub(crate) fn attempt(&self, change: impl FnOnce(&Self) -> Step) -> Step {
        match change(&Self { insists: false, ..self.clone() }) {
            Err(Stop::Broken(_)) => Ok(()),
            made => made,
        }
    }

    /// Returns this tree, which waits after each change if `mode` asks for that.
    pub(crate) fn paced(&self, mode: Mode, pace: Pace) -> Self {
        Self { pace: (mode == Mode::Stepped).then_some(pace), ..self.clone() }
    }

    /// Returns the absolute path of `path`; of the folder itself for an empty one.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        if path.as_os_str().is_empty() { self.root.clone() } else { self.root.join(path) }
    }

    /// Makes an empty file, or empties one.
    pub(crate) fn create(&self, path: impl AsRef<Path>) -> Step {
        self.make("create", path, |path| File::create(path).map(drop))
    }

    /// Makes empty files named 0, 1, 2 and so on, recorded as one change.
    pub(crate) fn create_many(&self, count: usize) -> Step {
        for i in 0..count {
            self.history.note(&self.path(i.to_string()));
        }
        self.make(&format!("create {count} files in"), "", |folder| {
            (0..count).try_for_each(|i| File::create(folder.join(i.to_string())).map(drop))
        })
    }

    /// Renames a file along these names, which are noted, and back.
    pub(crate) fn rename_along(&self, file: &str, names: &[PathBuf]) -> Step {
        let start = self.path(file);
        let (mut at, mut left) = (&start, names.iter().chain([&start]).peekable());
        self.make(&format!("rename along {} names and back to", names.len()), file, |_| {
            while let Some(next) = left.peek() {
                fs::rename(at, next)?;
                at = next;
                left.next();
            }
            Ok(())
        })
    }

    /// Notes and returns so many names that nothing has had yet.
    pub(crate) fn new_names(&self, prefix: &str, count: usize) -> Vec<PathBuf> {
        let start = self.history.count();
        let names = (start..start + count).map(|i| self.path(format!("{prefix}{i}")));
        names.inspect(|path| self.history.note(path)).collect()
    }

    /// Makes a file with a content, or replaces that of one.
    pub(crate) fn write(&self, path: impl AsRef<Path>, content: &str) -> Step {
        self.make("write", path, |path| fs::write(path, content))
    }

    /// Adds to the end of a file.
    pub(crate) fn append(&self, path: impl AsRef<Path>, content: &str) -> Step {
        self.make("append to", path, |path| {
            OpenOptions::new().append(true).open(path)?.write_all(content.as_bytes())
        })
    }

    /// Sets the length of a file.
    pub(crate) fn truncate(&self, path: impl AsRef<Path>, length: u64) -> Step {
        self.make("truncate", path, |path| {
            OpenOptions::new().write(true).open(path)?.set_len(length)
        })
    }

    /// Makes a folder.
    pub(crate) fn mkdir(&self, path: impl AsRef<Path>) -> Step {
        self.make("mkdir", path, |path| fs::create_dir(path))
    }

    /// Makes a folder and those above it, as one change.
    pub(crate) fn mkdir_all(&self, path: impl AsRef<Path>) -> Step {
        for folder in self.path(&path).ancestors() {
            self.history.note(folder);
        }
        self.make("mkdir -p", path, |path| fs::create_dir_all(path))
    }

    /// Removes a file or link.
    pub(crate) fn remove(&self, path: impl AsRef<Path>) -> Step {
        self.make("remove", path, |path| fs::remove_file(path))
    }

    /// Removes an empty folder.
    pub(crate) fn rmdir(&self, path: impl AsRef<Path>) -> Step {
        self.make("rmdir", path, |path| fs::remove_dir(path))
    }

    /// Removes a folder and what is in it, as one change.
    pub(crate) fn remove_all(&self, path: impl AsRef<Path>) -> Step {
        self.make("remove all of", path, |path| fs::remove_dir_all(path))
    }

    /// Renames or moves.
    pub(crate) fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Step {
        let (from, to) = (self.path(from), self.path(to));
        self.history.note_rename(&from, &to);
        let what = format!("rename {} to", self.timeline.show(&from));
        self.make(&what, &to, |to| fs::rename(&from, to))
    }

    /// Makes a symbolic link at `path` that leads to `target`, which is taken as it is.
    pub(crate) fn symlink(&self, target: impl AsRef<Path>, path: impl AsRef<Path>) -> Step {
        let target = target.as_ref();
        let what = format!("link to {} from", self.timeline.show(target));
        self.make(&what, path, |path| platform::symlink(target, path))
    }

    /// Gives a file a second name.
    pub(crate) fn hard_link(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Step {
        let from = self.path(from);
        let what = format!("hard link {} as", self.timeline.show(&from));
        self.make(&what, to, |to| fs::hard_link(&from, to))
    }

    /// Sets the permission bits.
    pub(crate) fn chmod(&self, path: impl AsRef<Path>, mode: u32) -> Step {
        self.make(&format!("chmod {mode:o}"), path, |path| platform::chmod(path, mode))
    }

    /// Sets whether a file may be written.
    pub(crate) fn set_read_only(&self, path: impl AsRef<Path>, read_only: bool) -> Step {
        let what = if read_only { "make read-only" } else { "make writable" };
        self.make(what, path, |path| {
            let mut permissions = path.metadata()?.permissions();
            permissions.set_readonly(read_only);
            fs::set_permissions(path, permissions)
        })
    }

    /// Sets the times of the last access and modification; both, since Linux takes the setting of
    /// one of them for a write.
    pub(crate) fn set_times(&self, path: impl AsRef<Path>, time: SystemTime) -> Step {
        self.make("set the times of", path, |path| {
            let times = FileTimes::new().set_accessed(time).set_modified(time);
            OpenOptions::new().write(true).open(path)?.set_times(times)
        })
    }

    /// Sets the time of the last modification alone.
    pub(crate) fn set_modified(&self, path: impl AsRef<Path>, time: SystemTime) -> Step {
        self.make("set the time of modification of", path, |path| {
            OpenOptions::new().write(true).open(path)?.set_modified(time)
        })
    }

    /// Exchanges two entries in one step.
    pub(crate) fn exchange(&self, one: impl AsRef<Path>, other: impl AsRef<Path>) -> Step {
        let (one, other) = (self.path(one), self.path(other));
        self.history.note_rename(&one, &other);
        self.history.note_rename(&other, &one);
        let what = format!("exchange {} with", self.timeline.show(&one));
        self.make(&what, &other, |other| platform::exchange(&one, other))
    }

    /// Notes a change that is made by other means, and makes it.
    pub(crate) fn make<T>(
        &self,
        what: &str,
        path: impl AsRef<Path>,
        mut change: impl FnMut(&Path) -> Io<T>,
    ) -> Step<T> {
        let path = self.path(path);
        self.history.note(&path);
        let mut text = String::new();
        _ = write!(text, "{what} {}", self.timeline.show(&path));
        self.timeline.did(text);
        let made = self.timeline.while_changing(|| self.insist(|| change(&path)));
        let made = made.map_err(|error| broken(what, &path, &error))?;
        if let Some(pace) = &self.pace {
            pace.changed();
        }
        Ok(made)
    }

    /// Tries again while a process, such as that of the backend, has the file or folder open, which prevents
    /// changes of it on Windows.
    fn insist<T>(&self, mut change: impl FnMut() -> Io<T>) -> Io<T> {
        let start = Instant::now();
        loop {
            let made = change();
            // ERROR_ACCESS_DENIED and ERROR_SHARING_VIOLATION
            let is_held = |error: &io::Error| matches!(error.raw_os_error(), Some(5 | 32));
            let is_late = start.elapsed() > Duration::from_secs(2);
            if !cfg!(windows) || !self.insists || is_late || !made.as_ref().is_err_and(is_held) {
                return made;
            }
            thread::yield_now();
        }
    }
}

fn broken(what: &str, path: &Path, error: &io::Error) -> Stop {
    Stop::Broken(format!("could not {what} {}: {error}", path.display()))
}
