//! Where in a watched tree something happens: what works in the watched folder itself may not work below.
//!
//! [`of`] begins, [`Places::each`] tries something in all places, one after the other.

use super::{failure::Check, lab::Lab, tree::Tree, watcher::Watcher};
use crate::{
    backend::Watch,
    capability::Capability::{WatchNewFolders, WatchRecursively},
};

/// The places in a case's folder, and how that is watched.
pub(super) struct Places<'a> {
    lab: &'a Lab,
    fill: Box<dyn Fn(&Tree) -> Check + 'a>,
    ask: fn(Watch) -> Watch,
    beside: Vec<Watch>,
    may_fail: bool,
}

/// The places in the folder of this case.
pub(super) fn of(lab: &Lab) -> Places<'_> {
    let fill = Box::new(|_: &Tree| Ok(()));
    Places { lab, fill, ask: |watch| watch, beside: Vec::new(), may_fail: false }
}

impl<'a> Places<'a> {
    /// Puts something into each place before it is watched, or comes.
    pub(super) fn filled(self, fill: impl Fn(&Tree) -> Check + 'a) -> Self {
        Self { fill: Box::new(fill), ..self }
    }

    /// Asks for more than changes.
    pub(super) fn asking(self, ask: fn(Watch) -> Watch) -> Self {
        Self { ask, ..self }
    }

    /// Watches something else as well.
    pub(super) fn beside(mut self, watch: Watch) -> Self {
        self.beside.push(watch);
        self
    }

    /// Takes errors on the stream for a part of the case.
    pub(super) fn with_errors(self) -> Self {
        Self { may_fail: true, ..self }
    }

    /// Makes a backend watch the case's folder, with all below it where it can, and returns the places
    /// in there: the folder itself; one below that was there before; one that was made later; and one
    /// that was moved in.
    pub(super) fn watch(self) -> Check<(Watcher, Vec<Tree>)> {
        let Self { lab, fill, ask, beside, may_fail } = self;
        let watch = |watch: Watch| {
            let all: Vec<_> = std::iter::once(ask(watch)).chain(beside).collect();
            let mut watcher = lab.watch(all)?;
            if may_fail {
                watcher.allow_errors();
            }
            Check::Ok(watcher)
        };
        let mut places = vec![lab.tree.clone()];
        fill(&lab.tree)?;
        if !lab.has(WatchRecursively) {
            return Ok((watch(lab.flat())?, places));
        }
        let place = |folder: &str| {
            lab.tree.mkdir_all(folder)?;
            let place = lab.tree.within(folder);
            fill(&place)?;
            Check::Ok(place)
        };
        places.push(place("old/below")?);
        let coming = lab.outside.within("moved");
        lab.outside.mkdir_all("moved/below")?;
        fill(&coming.within("below"))?;
        let mut watcher = watch(lab.deep())?;
        if lab.has(WatchNewFolders) {
            places.push(place("new/below")?);
            lab.tree.rename(coming.path(""), "moved")?;
            places.push(lab.tree.within("moved/below"));
            watcher.settle_in(&["new/below", "moved/below"])?;
        }
        watcher.next_step();
        Ok((watcher, places))
    }

    /// As [`watch`](Self::watch), and then checks something in each place, as a step of its own.
    pub(super) fn each(self, check: impl Fn(&mut Watcher, &Tree) -> Check) -> Check {
        let (mut watcher, places) = self.watch()?;
        places.iter().try_for_each(|place| {
            watcher.next_step();
            check(&mut watcher, place)
        })
    }
}
