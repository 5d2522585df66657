//! Every path that existed while a case ran: [`History`].

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Every path that has existed in a case.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Mutex<Past>>);

#[derive(Debug, Default)]
struct Past {
    paths: HashSet<PathBuf>,
    /// From where to where something was renamed.
    renames: HashSet<(PathBuf, PathBuf)>,
}

impl History {
    /// Notes that `path` is about to exist.
    pub(crate) fn note(&self, path: &Path) {
        self.lock().paths.insert(path.to_path_buf());
    }

    /// Notes that everything at or below `from` is about to be at `to`.
    pub(crate) fn note_rename(&self, from: &Path, to: &Path) {
        self.lock().renames.insert((from.to_path_buf(), to.to_path_buf()));
        self.note_moved(from, to);
    }

    fn note_moved(&self, from: &Path, to: &Path) {
        self.note(to);
        // Goes by the disk: going by the history, each rename would double it.
        if from.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            for entry in fs::read_dir(from).into_iter().flatten().flatten() {
                self.note_moved(&entry.path(), &to.join(entry.file_name()));
            }
        }
    }

    /// Returns how many paths have existed.
    pub(crate) fn count(&self) -> usize {
        self.lock().paths.len()
    }

    /// Returns whether `path` exists, or did.
    pub(crate) fn existed(&self, path: &Path) -> bool {
        self.lock().paths.contains(path) || path.symlink_metadata().is_ok()
    }

    /// Returns whether each name of `path` was in the folder above at some time, whatever that was called
    /// then.
    pub(crate) fn was_by_parts(&self, path: &Path) -> bool {
        let past = self.lock();
        let (mut seen, mut open) = (HashSet::new(), vec![path.to_path_buf()]);
        while let Some(path) = open.pop() {
            if past.paths.contains(&path) {
                return true;
            }
            for (from, to) in &past.renames {
                if let Ok(below) = path.strip_prefix(to)
                    && below != Path::new("")
                {
                    let earlier = from.join(below);
                    if seen.insert(earlier.clone()) {
                        open.push(earlier);
                    }
                }
            }
        }
        false
    }

    fn lock(&self) -> MutexGuard<'_, Past> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a` had `b` in it, which was gone when `a` was renamed to `e`.
    fn history() -> History {
        let history = History::default();
        for path in ["/no/a", "/no/a/b", "/no/a/d"] {
            history.note(Path::new(path));
        }
        history.note_rename(Path::new("/no/a"), Path::new("/no/e"));
        history
    }

    #[test]
    fn name_gone_before_a_rename_has_not_existed_after_it() {
        assert!(!history().existed(Path::new("/no/e/b")));
    }

    #[test]
    fn name_was_in_the_folder_whatever_that_was_called() {
        assert!(history().was_by_parts(Path::new("/no/e/b")));
    }

    #[test]
    fn name_that_was_never_in_the_folder_was_not() {
        assert!(!history().was_by_parts(Path::new("/no/e/c")));
        assert!(!history().was_by_parts(Path::new("/no/f/b")));
    }

    #[test]
    fn renames_to_and_fro_have_an_end() {
        let history = history();
        history.note_rename(Path::new("/no/e"), Path::new("/no/a"));
        assert!(!history.was_by_parts(Path::new("/no/e/c")));
    }
}
