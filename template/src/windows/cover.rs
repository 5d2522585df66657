//! Which paths a watch reports: [`Cover`].

use std::path::{self, Path, PathBuf};

/// The paths that a watch reports.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    /// The watched path.
    pub(crate) path: PathBuf,
    pub(crate) reach: Reach,
}

/// What a watch reports besides its own path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Nothing,
    Entries,
    Everything,
}

impl Cover {
    /// Returns whether it covers a path.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.below(path).is_some_and(|below| {
            below.is_empty()
                || match self.reach {
                    Reach::Nothing => false,
                    Reach::Entries => !below.iter().copied().any(is_separator),
                    Reach::Everything => true,
                }
        })
    }

    /// Returns whether a path is the watched one or below it.
    pub(crate) fn is_around(&self, path: &Path) -> bool {
        self.below(path).is_some()
    }

    /// Returns the part of a path below the watched one, if it begins with that as spelled.
    fn below<'a>(&self, path: &'a Path) -> Option<&'a [u8]> {
        let own = self.path.as_os_str().as_encoded_bytes();
        let below = path.as_os_str().as_encoded_bytes().strip_prefix(own)?;
        match below.split_first() {
            None => Some(below),
            Some((&first, rest)) if is_separator(first) => Some(rest),
            // As in `C:\` and `C:`.
            Some(_) => {
                own.last().is_some_and(|&it| is_separator(it) || it == b':').then_some(below)
            }
        }
    }
}

fn is_separator(byte: u8) -> bool {
    path::is_separator(char::from(byte))
}
