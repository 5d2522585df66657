//! A watch that begins: [`Adding`].

use crate::{
    name::{Entry, Name},
    record::{Action, Record},
    root::Root,
    source::Source,
};

/// A source with its number.
pub(crate) type Numbered<F> = (u32, Source<F>);

/// A watch to begin.
#[derive(Debug)]
pub(crate) struct Wanted<F> {
    pub(crate) root: Root,
    /// What is to read its folder.
    pub(crate) inside: Numbered<F>,
    /// What is to read the folder above that, and the folder's name there.
    pub(crate) above: Option<(Numbered<F>, Entry)>,
}

/// A watch that begins.
#[derive(Debug)]
pub(crate) enum Adding<F> {
    /// What happened until now is reported first.
    Settling(Box<Wanted<F>>),
    /// Its own source has begun to read. Those whose folders are in its own are read until they have nothing more
    /// from before.
    Starting { root: Box<Root>, old: Vec<u32>, told: Vec<Told> },
    /// Its own source is read until it has all that those have reported.
    Matching { root: Box<Root>, old: Vec<u32>, told: Vec<Told> },
}

/// A record that was reported, with its whole path.
pub(crate) type Told = (Name, Action, Option<u64>);

impl<F> Adding<F> {
    /// Returns the number of the source that has begun to read.
    pub(crate) fn source(&self) -> Option<u32> {
        match self {
            Self::Settling(_) => None,
            Self::Starting { root, .. } | Self::Matching { root, .. } => Some(root.source),
        }
    }

    /// Notes a record that another source reports.
    pub(crate) fn note(&mut self, number: u32, folder: &Name, record: &Record) {
        if let Self::Starting { old, told, .. } | Self::Matching { old, told, .. } = self
            && old.contains(&number)
        {
            told.push(told_of(folder, record));
        }
    }
}

/// Returns a record with its whole path.
pub(crate) fn told_of(folder: &Name, record: &Record) -> Told {
    (folder.join(&record.name), record.action, record.id)
}
