//! Files that have left a place and may come to another one: [`Moves`].

use notify_backend::event::Tracker;

/// The most moves that are remembered while the reader never comes to rest.
const MOST: usize = 4096;

/// The files whose old names were reported, and whose new ones may still come.
///
/// The system queues both names of a rename at once. So once the reader has come to rest, having read
/// everything that was queued, a new name comes no more. It may come in between the two, so the reader has to
/// rest twice.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    open: Vec<Move>,
    last: u64,
}

#[derive(Debug)]
struct Move {
    id: u64,
    /// The number of the root that has reported the old name.
    root: u32,
    tracker: Tracker,
    has_rested: bool,
}

impl Moves {
    /// Returns a tracker that no event has yet.
    pub(crate) fn tracker(&mut self) -> Option<Tracker> {
        self.last += 1;
        Tracker::new(self.last)
    }

    /// Notes that a file has left a place in a root. Returns the tracker of the move.
    pub(crate) fn leave(&mut self, id: u64, root: u32) -> Option<Tracker> {
        let tracker = self.tracker()?;
        self.open.retain(|open| (open.id, open.root) != (id, root));
        if self.open.len() == MOST {
            self.open.remove(0);
        }
        self.open.push(Move { id, root, tracker, has_rested: false });
        Some(tracker)
    }

    /// Returns the tracker of the move by which a file has come to a root, if it is one.
    pub(crate) fn arrive(&mut self, id: u64, root: u32) -> Option<Tracker> {
        let within = self.open.iter().position(|open| (open.id, open.root) == (id, root));
        let found = within.or_else(|| self.open.iter().position(|open| open.id == id))?;
        Some(self.open.remove(found).tracker)
    }

    /// Notes that everything that was queued has been read.
    pub(crate) fn rest(&mut self) {
        self.open.retain(|open| !open.has_rested);
        for open in &mut self.open {
            open.has_rested = true;
        }
    }

    /// Forgets what has left a root, because events of it are lost.
    pub(crate) fn lose(&mut self, root: u32) {
        self.open.retain(|open| open.root != root);
    }
}
