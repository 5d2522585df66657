//! Folders whose place is in question since something was renamed: [`Renames`].

use std::{ffi::OsStr, mem};

use notify_backend::recursion::{Node, Via, WatchTree};

/// The two halves of a rename come as two events, with others between them; of one that leads out of
/// what is watched, the second does not come at all.
#[derive(Debug, Default)]
pub(crate) struct Renames {
    displaced: Vec<Displaced>,
    suspected: Vec<Suspected>,
}

/// An entry of a folder.
pub(crate) type Place = (Node, Box<OsStr>);

/// A folder that was taken from its place, and whose new one is not known yet.
#[derive(Debug)]
struct Displaced {
    folder: Node,
    reason: Reason,
    // Whether the kernel has been read to its end since.
    is_old: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Reason {
    /// It was renamed, with this cookie.
    Moved(u32),
    /// Something else was given its name. Either it was an empty folder, and is gone; or the two
    /// exchange their names, and it is about to move.
    Replaced(Place),
}

/// A folder that was renamed, or one was that had its name earlier. If it was this one, it says so
/// itself (`IN_MOVE_SELF`), before anything else is reported of the folders that it left and came to.
#[derive(Debug)]
pub(crate) struct Suspected {
    folder: Node,
    cookie: u32,
    /// Where the rename has led, if that is watched.
    pub(crate) to: Option<Place>,
    // As for those that are displaced.
    is_old: bool,
}

impl Renames {
    /// A folder was renamed, and is detached.
    pub(crate) fn moved(&mut self, folder: Node, cookie: u32) {
        self.suspected.retain(|it| it.folder != folder);
        self.displaced.push(Displaced { folder, reason: Reason::Moved(cookie), is_old: false });
    }

    /// Something else was given the place of a folder, which is detached.
    pub(crate) fn replaced(&mut self, folder: Node, place: Place) {
        self.displaced.push(Displaced { folder, reason: Reason::Replaced(place), is_old: false });
    }

    /// Something was renamed. Returns whether it is what was [replaced](Self::replaced) in its place.
    pub(crate) fn exchanged(
        &mut self,
        place: Place,
        via: Via,
        cookie: u32,
        tree: &WatchTree<i32>,
    ) -> bool {
        let replaced = Reason::Replaced(place);
        let is_it = |it: &&mut Displaced| it.reason == replaced && tree.via(it.folder) == Some(via);
        let Some(displaced) = self.displaced.iter_mut().find(is_it) else {
            return false;
        };
        displaced.reason = Reason::Moved(cookie);
        true
    }

    /// The folder that was renamed with this cookie.
    pub(crate) fn take_moved(&mut self, cookie: u32) -> Option<Node> {
        let at = self.displaced.iter().position(|it| it.reason == Reason::Moved(cookie))?;
        Some(self.displaced.remove(at).folder)
    }

    /// The folder `wd`, if something else was given its place.
    ///
    /// The kernel says of a folder that another one was renamed over that it has lost its link
    /// (`IN_ATTRIB`, from `fsnotify_move` in its `include/linux/fsnotify.h`), and does not of one that
    /// is exchanged.
    pub(crate) fn overwritten(&self, wd: i32, tree: &WatchTree<i32>) -> Option<Node> {
        let is_it = |it: &&Displaced| {
            matches!(it.reason, Reason::Replaced(_)) && tree.id(it.folder) == Some(wd)
        };
        self.displaced.iter().find(is_it).map(|it| it.folder)
    }

    /// A folder, or one that had its place earlier, was renamed.
    pub(crate) fn suspect(&mut self, folder: Node, cookie: u32) {
        self.suspected.push(Suspected { folder, cookie, to: None, is_old: false });
    }

    /// Where a rename of a [suspected](Self::suspect) folder has led.
    pub(crate) fn led_to(&mut self, parent: Node, name: &OsStr, cookie: u32) {
        for suspected in self.suspected.iter_mut().filter(|it| it.cookie == cookie) {
            suspected.to = Some((parent, name.into()));
        }
    }

    /// A folder says that it was renamed. Returns what it was [suspected](Self::suspect) of.
    pub(crate) fn proven(&mut self, folder: Node) -> Option<Suspected> {
        self.suspected.extract_if(.., |it| it.folder == folder).last()
    }

    /// A folder was removed.
    pub(crate) fn forget(&mut self, folder: Node) {
        self.displaced.retain(|it| it.folder != folder);
        self.suspected.retain(|it| it.folder != folder);
    }

    /// All events that were read are applied, and the kernel had no more at that time. Returns the
    /// folders that are somewhere else: what would tell where has not come by now.
    pub(crate) fn settle(&mut self) -> Vec<Node> {
        self.suspected.retain_mut(|it| !mem::replace(&mut it.is_old, true));
        let gone = self.displaced.extract_if(.., |it| mem::replace(&mut it.is_old, true));
        gone.map(|it| it.folder).collect()
    }
}
