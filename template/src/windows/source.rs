//! A folder that is read, for all watches that need it: [`Source`].

use std::{io, path::Path};

use crate::{
    folder::{Folder, Identity, Reading},
    name::{Entry, Name},
};

/// Which changes of a folder are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Those of the folders in it, apart from their content.
    Folders,
    /// Those of its entries.
    Entries,
    /// Those of everything below it.
    Everything,
}

/// A folder that is read. No other source reads a part of what it reads, so that each change is read once.
#[derive(Debug)]
pub(crate) struct Source<F> {
    pub(crate) folder: F,
    /// Its path, with all links resolved.
    pub(crate) path: Name,
    pub(crate) scope: Scope,
    /// Which folder it is, if the file system says so.
    pub(crate) id: Option<Identity>,
    /// The number of the source that reads the folder above, and this folder's name there. Nothing else tells
    /// that it is renamed.
    pub(crate) above: Option<(u32, Entry)>,
    /// How many more packets may hold changes that waited when this was asked for.
    owed: u8,
    /// What was read before its first watch began.
    pub(crate) held: Option<Vec<Reading>>,
    /// Whether it only waits for the system to give its buffer back.
    pub(crate) is_over: bool,
}

impl<F: Folder> Source<F> {
    pub(crate) fn new(folder: F, path: Name, scope: Scope) -> Self {
        let id = folder.at(Path::new("")).ok();
        Self { folder, path, scope, id, above: None, owed: 0, held: None, is_over: false }
    }

    /// Returns whether it reads all that would be read of another folder.
    pub(crate) fn has(&self, path: &Name, scope: Scope) -> bool {
        match path.below(&self.path) {
            Some(_) if self.scope == Scope::Everything => true,
            Some(below) => below.0.is_empty() && self.scope >= scope,
            None => false,
        }
    }

    /// Returns whether its folder is still at its place, as far as that can be found out.
    pub(crate) fn is_in_place(&self) -> bool {
        self.is_there(Path::new(""), self.id)
    }

    /// Returns whether a file is still at its place below, as far as that can be found out.
    pub(crate) fn is_there(&self, below: &Path, id: Option<Identity>) -> bool {
        match self.folder.at(below) {
            Ok(there) => id.is_none_or(|id| id == there),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// Makes sure that [`is_settled`](Self::is_settled) is false until all changes that wait now have been taken.
    pub(crate) fn settle(&mut self) {
        // What waits is in the read that has ended. Further changes are in the next one, which ends at once then.
        self.owed = if self.folder.has_read() { 2 } else { 0 };
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.is_over || self.owed == 0
    }

    /// Begins to read.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        self.folder.read()
    }

    /// Takes the packet of a read, and begins the next one. Returns what was read, and then that more is lost or
    /// why there is no next read, if that is so.
    pub(crate) fn take(&mut self, packet: F::Packet) -> Vec<Reading> {
        let mut taken = vec![self.folder.take(packet)];
        // The system goes on collecting meanwhile.
        while !self.folder.is_reading() && !matches!(taken[..], [.., Reading::Failed(_)]) {
            taken.extend(self.folder.read().err().map(Reading::of_error));
        }
        self.owed = if self.folder.has_read() { self.owed.saturating_sub(1) } else { 0 };
        taken
    }

    /// Ends its reads, for good.
    pub(crate) fn close(&mut self) {
        self.is_over = true;
        self.folder.cancel();
    }
}
