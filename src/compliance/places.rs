//! Where in a watched tree something happens: what works in the watched folder itself may not work below.

use super::{failure::Check, lab::Lab, tree::Tree, watcher::Watcher};
use crate::{
    backend::Watch,
    capability::Capability::{WatchNewFolders, WatchRecursively},
};

/// Makes a backend watch the case's folder as `ask` has it, with all below where it can, and returns the places
/// in there that `fill` has filled: the folder itself; one below that was there before; one that was made
/// later; and one that was moved in.
pub(super) fn watch(
    lab: &Lab,
    ask: impl Fn(Watch) -> Watch,
    fill: impl Fn(&Tree) -> Check,
) -> Check<(Watcher, Vec<Tree>)> {
    let mut places = vec![lab.tree.clone()];
    fill(&lab.tree)?;
    if !lab.has(WatchRecursively) {
        return Ok((lab.watch([ask(lab.flat())])?, places));
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
    let mut watcher = lab.watch([ask(lab.deep())])?;
    if lab.has(WatchNewFolders) {
        places.push(place("new/below")?);
        lab.tree.rename(coming.path(""), "moved")?;
        places.push(lab.tree.within("moved/below"));
        watcher.settle_in(&["new/below", "moved/below"])?;
    }
    watcher.next_step();
    Ok((watcher, places))
}
