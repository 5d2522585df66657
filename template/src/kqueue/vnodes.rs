//! What the backend needs of the kernel, and nothing else: [`Vnodes`].

use std::{fmt::Debug, io, os::fd::AsFd, path::Path, time::Duration};

/// A queue of notes about open files and folders (*vnodes*): `EVFILT_VNODE` of kqueue(2).
///
/// The backend is written against this trait, so that its tests can run on a model where there is no kqueue.
pub trait Vnodes: Debug + Send + Sync + Sized + 'static {
    /// An open file or folder.
    type File: AsFd + Debug + Send + Sync;

    /// Creates a queue.
    ///
    /// # Errors
    ///
    /// The system's error. [`Unsupported`](io::ErrorKind::Unsupported) means that it has no kqueue.
    fn new() -> io::Result<Self>;

    /// Opens a file or folder in order to watch it, and for nothing else. Links are followed. It does not wait for
    /// the other end of a pipe.
    ///
    /// # Errors
    ///
    /// The system's error.
    fn open(path: &Path) -> io::Result<Self::File>;

    /// Watches an open file or folder, wherever it is renamed to, until it is closed. Its notes have this token.
    ///
    /// # Errors
    ///
    /// The system's error, if this file system sends no notes.
    fn watch(&self, file: &Self::File, token: usize) -> io::Result<()>;

    /// Waits until there are notes, and takes some of them, in any order. Returns none after `timeout` or a
    /// [`wake`](Self::wake).
    ///
    /// The notes about one file that were not taken are one note, with the facts of all of them.
    ///
    /// # Errors
    ///
    /// The system's error. Nothing more can be read then.
    fn take(&self, timeout: Option<Duration>) -> io::Result<Vec<Note>>;

    /// Ends a waiting [`take`](Self::take), and those after it.
    fn wake(&self);
}

/// Something has happened to a watched file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// The token that it was watched with.
    pub token: usize,
    /// Whether it was written (`NOTE_WRITE`). A folder is, when an entry comes or goes.
    pub is_written: bool,
}
