//! A file system and a platform that watches it: [`Machine`].

use std::collections::VecDeque;

use super::{
    disk::{Change, Disk, Done, Inode, Itself, Note, Refusal},
    inotify::Inotify,
};

/// The model of a platform.
pub(super) trait Platform {
    /// Delivers a note.
    fn note(&mut self, note: &Note);
}

impl Platform for Inotify {
    fn note(&mut self, note: &Note) {
        Self::note(self, note);
    }
}

/// A file system and its platform. Changes show at once; the platform gets their notes at any time
/// afterwards.
#[derive(Clone, Debug)]
pub(super) struct Machine<P> {
    disk: Disk,
    pub(super) platform: P,
    under_way: Vec<UnderWay>,
}

/// A change that shows, with the notes that the platform does not have yet.
#[derive(Clone, Debug)]
struct UnderWay {
    notes: VecDeque<Note>,
    locked: Vec<Inode>,
    is_across: bool,
}

impl<P: Platform> Machine<P> {
    pub(super) fn new(platform: P) -> Self {
        Self { disk: Disk::new(), platform, under_way: Vec::new() }
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Makes a change, and delivers all its notes.
    pub(super) fn make(&mut self, change: &Change) -> Result<(), Refusal> {
        self.begin(change)?;
        while self.notify(self.under_way.len() - 1) {}
        Ok(())
    }

    /// Makes a change, and delivers none of its notes yet.
    pub(super) fn begin(&mut self, change: &Change) -> Result<(), Refusal> {
        let Self { disk, under_way, .. } = self;
        let is_across = under_way.iter().any(|it| it.is_across);
        let is_locked = |folder| under_way.iter().any(|it| it.locked.contains(&folder));
        let Done { notes, locked, is_across } = disk.make(change, is_locked, is_across)?;
        under_way.push(UnderWay { notes: notes.into(), locked, is_across });
        Ok(())
    }

    /// Returns how many changes are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Delivers the next note of a change under way, and releases its locks after the last. Returns whether
    /// it is still under way.
    pub(super) fn notify(&mut self, change: usize) -> bool {
        if let Some(note) = self.under_way[change].notes.pop_front() {
            self.platform.note(&note);
        }
        let is_done = self.under_way[change].notes.is_empty();
        if is_done {
            self.under_way.remove(change);
        }
        !is_done
    }

    /// Delivers all notes of all changes.
    pub(super) fn notify_all(&mut self) {
        while self.under_way() > 0 {
            self.notify(0);
        }
    }

    /// Waits for the lock of a folder's entries.
    pub(super) fn wait_for(&mut self, folder: Inode) {
        while let Some(at) = self.under_way.iter().position(|it| it.locked.contains(&folder)) {
            while self.notify(at) {}
        }
    }

    /// Opens an inode without an event (`O_PATH`).
    pub(super) fn open(&mut self, inode: Inode) {
        self.disk.open(inode);
    }

    pub(super) fn close(&mut self, inode: Inode) {
        for note in self.disk.close(inode) {
            self.platform.note(&note);
        }
    }

    /// Lists an open folder: opens it for reading, reads and closes it.
    pub(super) fn list(&mut self, folder: Inode) -> Vec<(String, Inode)> {
        self.wait_for(folder);
        // A second read is needed to find that there are no more entries.
        for what in [Itself::Opened, Itself::Read, Itself::Read, Itself::ClosedAfterReading] {
            let note = self.disk.itself(folder, what, self.disk.entry_of(folder));
            self.platform.note(&note);
        }
        let entries = self.disk.entries(folder);
        entries.map(|(name, inode)| (name.to_string(), inode)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            inotify::flag,
            script::{Script, Step},
        },
        *,
    };

    /// Creates `/r` and `/r/a`, watched as 1 and 2.
    fn machine() -> Machine<Inotify> {
        let mut machine = Machine::new(Inotify::new(100));
        run(&mut machine, "mkdir /r\nmkdir /r/a");
        for path in ["/r", "/r/a"] {
            let inode = machine.disk().find(path, true).unwrap();
            machine.platform.add(inode, flag::CHANGES | flag::ACCESSES);
        }
        machine
    }

    fn run(machine: &mut Machine<Inotify>, script: &str) {
        for step in Script::parse(script).0 {
            match step {
                Step::Make(change) => machine.make(&change).unwrap(),
                Step::Begin(change) => machine.begin(&change).unwrap(),
                Step::Notify => _ = machine.notify(0),
                step => unreachable!("{step}"),
            }
        }
    }

    /// Reads the events in the queue: watch, flags, name.
    fn read(machine: &mut Machine<Inotify>) -> Vec<(i32, u32, String)> {
        let events = std::iter::from_fn(|| machine.platform.read());
        events.map(|it| (it.wd, it.mask & !flag::ISDIR, it.name.to_string())).collect()
    }

    #[test]
    fn another_process_acts_between_the_halves_of_a_rename() {
        let mut machine = machine();
        run(&mut machine, "begin rename /r/a /r/b\nnotify\nsymlink /r /r/b/f");
        machine.notify_all();
        let expected = [
            (1, flag::MOVED_FROM, "a".to_owned()),
            (2, flag::CREATE, "f".to_owned()),
            (1, flag::MOVED_TO, "b".to_owned()),
            (2, flag::MOVE_SELF, String::new()),
        ];
        assert_eq!(read(&mut machine), expected);
    }

    #[test]
    fn entries_are_locked_while_a_change_of_them_is_under_way() {
        let mut machine = machine();
        run(&mut machine, "begin rename /r/a /r/b");
        let change = Change::Mkdir("/r/c".into());
        assert_eq!(machine.make(&change), Err(Refusal::Locked));
        machine.notify_all();
        assert_eq!(machine.make(&change), Ok(()));
    }

    #[test]
    fn listing_a_folder_waits_for_changes_under_way_in_it() {
        let mut machine = machine();
        run(&mut machine, "begin mkdir /r/c");
        let r = machine.disk().find("/r", true).unwrap();
        assert_eq!(machine.list(r).len(), 2);
        assert_eq!(machine.under_way(), 0);
        let events = read(&mut machine);
        assert_eq!(events[0], (1, flag::CREATE, "c".into()));
        let itself = events[1..].iter().map(|it| it.1);
        // Of two adjacent reads, only one makes an event.
        assert!(itself.eq([flag::OPEN, flag::ACCESS, flag::CLOSE_NOWRITE]), "{events:?}");
    }

    #[test]
    fn listing_a_folder_is_an_event_of_the_folder_above_too() {
        let mut machine = machine();
        let a = machine.disk().find("/r/a", true).unwrap();
        machine.list(a);
        let events = read(&mut machine);
        let opened = [(1, flag::OPEN, "a".to_owned()), (2, flag::OPEN, String::new())];
        assert_eq!(events[..2], opened);
    }
}
