//! Descriptors that are kept for a look at a folder: [`Reserve`].
//!
//! If the process has too many files open, watched paths could not be distinguished from others any more.

use std::{fs::File, io, os::fd::OwnedFd};

use rustix::io::Errno;

/// The number that a look takes: the file system, the folder and the one above. One more is never closed;
/// the others are made from it.
const NEEDED: usize = 3;

/// Descriptors to be closed when others are needed.
#[derive(Debug)]
pub(crate) struct Reserve(Vec<OwnedFd>);

impl Reserve {
    pub(crate) fn new() -> io::Result<Self> {
        let first = OwnedFd::from(File::open("/dev/null")?);
        let mut all: Vec<_> = (1..=NEEDED).map(|_| first.try_clone()).collect::<io::Result<_>>()?;
        all.push(first);
        Ok(Self(all))
    }

    /// Calls a function that opens files, and once more with the reserve if too many files were open.
    pub(crate) fn lend<T>(&mut self, mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let result = act();
        let is_short = |error: &io::Error| {
            matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
        };
        if !result.as_ref().is_err_and(is_short) {
            return result;
        }
        self.0.truncate(1);
        let result = act();
        if let Some(held) = self.0.first() {
            // If another thread was faster, the next call tries again.
            let lacking = (1..=NEEDED).map_while(|_| held.try_clone().ok());
            let lacking: Vec<_> = lacking.collect();
            self.0.extend(lacking);
        }
        result
    }
}
