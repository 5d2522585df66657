//! A folder whose changes are read: [`Folder`].

use std::{io, path::Path};

use crate::{name::Name, record::Record};

/// The numbers of a file's volume and of the file in it.
pub(crate) type Identity = (u32, u64);

/// A folder whose changes are read, one buffer after the other. The system's are in `sys.rs`; the tests have
/// others.
pub(crate) trait Folder {
    /// The system's message that a read has ended.
    type Packet;

    /// Begins to read the next changes. The system collects them from the first call on.
    fn read(&mut self) -> io::Result<()>;

    /// Ends a read early: its packet comes soon.
    fn cancel(&self);

    /// Returns whether a packet is still to come.
    fn is_reading(&self) -> bool;

    /// Returns whether the read has ended, so that its packet is under way. If not, no change waits to be read.
    fn has_read(&self) -> bool;

    /// Takes what was read.
    fn take(&mut self, packet: Self::Packet) -> Reading;

    /// Returns which file is at a path below this folder's, now. The empty path is the folder's own.
    fn at(&self, below: &Path) -> io::Result<Identity>;

    /// Returns whether the file with this number exists.
    fn has_file(&self, id: u64) -> bool;

    /// Returns the long form of the last name of a path below it.
    fn long_name(&self, below: &Path) -> Option<Name>;
}

/// The result of a read.
#[derive(Debug)]
pub(crate) enum Reading {
    Records(Vec<Record>),
    /// There were more changes than the buffer holds, and all of them are lost.
    Lost,
    Failed(io::Error),
}

impl Reading {
    /// `ERROR_NOTIFY_ENUM_DIR`
    const LOST: i32 = 1022;
    /// `ERROR_ACCESS_DENIED`, which here is `STATUS_DELETE_PENDING`, and `ERROR_DELETE_PENDING`. fsnotify and
    /// notify take it for the removal too.
    const REMOVED: [i32; 2] = [5, 303];

    /// Converts the system's error.
    pub(crate) fn of_error(error: io::Error) -> Self {
        if error.raw_os_error() == Some(Self::LOST) { Self::Lost } else { Self::Failed(error) }
    }

    /// Returns whether the error means that the folder is being removed.
    pub(crate) fn is_removal(error: &io::Error) -> bool {
        error.raw_os_error().is_some_and(|code| Self::REMOVED.contains(&code))
    }
}
