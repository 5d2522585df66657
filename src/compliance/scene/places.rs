//! Where in a watched tree something happens: what works in the watched folder itself may not work below.
//!
//! [`of`] begins, [`Places::each`] tries something in all places, one after the other.

use super::{Scene, driver::Driver, tree::Tree};
use crate::{
    compliance::rules::failure::Step,
    contract::{
        backend::Watch,
        capability::Capability::{WatchNewFolders, WatchRecursively},
    },
};

/// The places in a case's folder, and how that is watched.
pub(crate) struct Places<'a> {
    scene: &'a Scene,
    fill: Box<dyn Fn(&Tree) -> Step + 'a>,
    ask: fn(Watch) -> Watch,
    beside: Vec<Watch>,
    may_fail: bool,
}

/// Returns the places in the folder of this case.
pub(crate) fn of(scene: &Scene) -> Places<'_> {
    let fill = Box::new(|_: &Tree| Ok(()));
    Places { scene, fill, ask: |watch| watch, beside: Vec::new(), may_fail: false }
}

impl<'a> Places<'a> {
    /// Puts something into each place before it is watched or moved in.
    pub(crate) fn filled(self, fill: impl Fn(&Tree) -> Step + 'a) -> Self {
        Self { fill: Box::new(fill), ..self }
    }

    /// Asks for more than changes.
    pub(crate) fn asking(self, ask: fn(Watch) -> Watch) -> Self {
        Self { ask, ..self }
    }

    /// Watches something else as well.
    pub(crate) fn beside(mut self, watch: Watch) -> Self {
        self.beside.push(watch);
        self
    }

    /// Accepts errors on the stream as a part of the case.
    pub(crate) fn with_errors(self) -> Self {
        Self { may_fail: true, ..self }
    }

    /// Makes a backend watch the case's folder, with all below it where it can, and returns the places
    /// in there: the folder itself; one below that was there before; one that was made later; and one
    /// that was moved in.
    pub(crate) fn watch(self) -> Step<(Driver, Vec<Tree>)> {
        let Self { scene, fill, ask, beside, may_fail } = self;
        let watch = |watch: Watch| {
            let all: Vec<_> = std::iter::once(ask(watch)).chain(beside).collect();
            let mut driver = scene.watch(all)?;
            if may_fail {
                driver.allow_errors();
            }
            Step::Ok(driver)
        };
        let mut places = vec![scene.tree.clone()];
        fill(&scene.tree)?;
        if !scene.has(WatchRecursively) {
            return Ok((watch(scene.flat())?, places));
        }
        let place = |folder: &str| {
            scene.tree.mkdir_all(folder)?;
            let place = scene.tree.within(folder);
            fill(&place)?;
            Step::Ok(place)
        };
        places.push(place("old/below")?);
        let coming = scene.outside.within("moved");
        scene.outside.mkdir_all("moved/below")?;
        fill(&coming.within("below"))?;
        let mut driver = watch(scene.deep())?;
        if scene.has(WatchNewFolders) {
            places.push(place("new/below")?);
            scene.tree.rename(coming.path(""), "moved")?;
            places.push(scene.tree.within("moved/below"));
            driver.settle_in(&["new/below", "moved/below"])?;
        }
        driver.next_step();
        Ok((driver, places))
    }

    /// As [`watch`](Self::watch), and then checks something in each place, as a step of its own.
    pub(crate) fn each(self, check: impl Fn(&mut Driver, &Tree) -> Step) -> Step {
        let (mut driver, places) = self.watch()?;
        places.iter().try_for_each(|place| {
            driver.next_step();
            check(&mut driver, place)
        })
    }
}
