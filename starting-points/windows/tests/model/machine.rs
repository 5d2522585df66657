//! The model with the watches on it and a consumer, and what can be done to them: [`Machine`].

use notify_backend::Watch;

use crate::{
    adding::Wanted,
    kernel::{How, Opened, System},
    mirror::Mirror,
    name::{Entry, Name},
    record::Format,
    root::Root,
    source::{Scope, Source},
    watches::Watches,
};

/// One thing that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    File(&'static str),
    Folder(&'static str),
    Write(&'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
    /// A path is watched, perhaps with everything below it.
    Watch(&'static str, bool),
    /// As `Watch`; after so many calls of the system for it, something else happens.
    WatchAmid(&'static str, bool, usize, &'static Change),
    Unwatch(&'static str),
}

/// How much is read before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Nothing,
    One,
    Everything,
}

pub(crate) const READS: [Read; 3] = [Read::Nothing, Read::One, Read::Everything];

pub(crate) type Program = Vec<(Read, Change)>;

/// The watched paths, and how they are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) watches: &'static [(&'static str, bool)],
    pub(crate) format: Format,
    /// The size of the buffers.
    pub(crate) room: usize,
    /// Whether the folders that were opened last get a change first: the documentation leaves it open.
    pub(crate) newest_first: bool,
}

/// Room for everything.
pub(crate) const WIDE: usize = 64 * 1024;
/// Room for one or two records.
pub(crate) const NARROW: usize = 110;

pub(crate) struct Machine {
    setting: Setting,
    pub(crate) system: System,
    pub(crate) watches: Watches<Opened>,
    pub(crate) mirror: Mirror,
    /// The number of the last source.
    last: u32,
}

impl Machine {
    /// Creates the folder `w` with the file `f` and the folder `d`, and `o` beside it.
    pub(crate) fn new(setting: Setting) -> Self {
        let system = System::new(setting.newest_first);
        for folder in ["w", r"w\d", "o"] {
            assert!(system.create(folder, true));
        }
        assert!(system.create(r"w\f", false));
        let watches = Watches::new(setting.format == Format::Extended);
        let mirror = Mirror::of(&system);
        let mut machine = Self { setting, system, watches, mirror, last: 0 };
        for (path, recursive) in setting.watches {
            assert!(machine.change(Change::Watch(path, *recursive)));
        }
        machine
    }

    pub(crate) fn read(&mut self, read: Read) {
        if read == Read::Nothing {
            return;
        }
        while self.complete() {
            if read == Read::One {
                return;
            }
        }
        self.watches.rest();
    }

    /// Completes a read. Returns whether there was one to complete.
    fn complete(&mut self) -> bool {
        let Some(key) = self.system.packet() else { return false };
        self.watches.complete(key, ());
        self.mirror.notice();
        self.report();
        true
    }

    fn report(&mut self) {
        for item in self.watches.take() {
            self.mirror.take(item);
        }
    }

    /// Returns whether the change had an effect.
    pub(crate) fn change(&mut self, change: Change) -> bool {
        // What ends is still read up to some later moment.
        let covers = self.watches.roots.values().map(Root::cover).collect();
        self.mirror.note(change, Some(covers));
        let has_changed = match change {
            Change::Watch(path, recursive) => self.watch(path, recursive),
            Change::WatchAmid(path, recursive, calls, change) => {
                self.mirror.note(*change, None);
                self.system.interfere(calls, *change);
                self.watch(path, recursive);
                self.system.has_interfered()
            }
            Change::Unwatch(path) => self.watches.remove(path.replace('\\', "/").as_ref()),
            _ => self.system.change(change),
        };
        self.mirror.notice();
        has_changed
    }

    /// Returns whether the path is watched.
    fn watch(&mut self, path: &str, recursive: bool) -> bool {
        let Some(is_file) = self.system.files().get(path).map(|it| !it.is_folder) else {
            return false;
        };
        let (parent, name) = path.rsplit_once('\\').unwrap_or(("", path));
        let folder = if is_file { parent } else { path };
        let (above, folder_name) = folder.rsplit_once('\\').unwrap_or(("", folder));
        let mut watch = Watch::non_recursive(path.replace('\\', "/"));
        watch.recursive = recursive;
        let root = Root::new(watch, is_file.then(|| entry(name)), false);
        let inside = self.open(folder, root.scope());
        let above = (self.open(above, Scope::Folders), entry(folder_name));
        let above = Some(above).filter(|_| !folder.is_empty());
        let covered = self.watches.covers();
        self.watches.add(Wanted { root, inside, above });
        let added = loop {
            if let Some(added) = self.watches.added() {
                break added;
            }
            assert!(self.complete(), "a read is awaited that does not end");
            self.mirror.notice();
        };
        self.mirror.notice();
        self.report();
        self.mirror.look(&covered, &self.watches.covers());
        added.is_ok()
    }

    fn open(&mut self, path: &str, scope: Scope) -> (u32, Source<Opened>) {
        self.last += 1;
        let Setting { format, room, .. } = self.setting;
        let only_folders = scope == Scope::Folders;
        let recursive = scope == Scope::Everything;
        let how = How { recursive, only_folders, format, room };
        let opened = self.system.open(path, how, self.last);
        (self.last, Source::new(opened, name(path), scope))
    }

    /// Returns what is wrong, and stops watching.
    pub(crate) fn faults(&mut self, program: &Program) -> Vec<String> {
        self.read(Read::Everything);
        let mut faults = self.mirror.faults(&self.watches.covers());
        let Setting { watches, format, room, .. } = self.setting;
        if self.mirror.has_missed && room != NARROW {
            faults.push("a loss is reported without need".into());
        }
        faults.extend(self.mirror.too_many());
        let is_one_tree = matches!(watches, [(_, true)])
            && !program.iter().any(|(_, change)| change.is_about_watches());
        let relates_all = is_one_tree && format == Format::Extended && room != NARROW;
        if relates_all && self.mirror.unrelated > 0 {
            faults.push("a new name has no tracker".into());
        }
        let has_tracker = |report: &String| report.contains("tracker");
        if format == Format::Plain && self.mirror.reports.iter().any(has_tracker) {
            faults.push("a tracker is reported, although not all renames can be related".into());
        }
        self.watches.stop();
        self.read(Read::Everything);
        if !self.watches.is_empty() {
            faults.push("a read is still pending".into());
        }
        faults
    }
}

impl Change {
    pub(crate) fn is_about_watches(self) -> bool {
        matches!(self, Self::Watch(..) | Self::WatchAmid(..) | Self::Unwatch(_))
    }
}

/// Runs a program. Returns whether its last change had an effect.
pub(crate) fn run(setting: Setting, program: &Program) -> bool {
    let (mut machine, has_changed) = ran(setting, program);
    if has_changed {
        let faults = machine.faults(program);
        let reports = machine.mirror.reports.join("\n  ");
        assert!(faults.is_empty(), "{setting:?}\n{program:?}\nreports:\n  {reports}\n{faults:#?}");
    }
    has_changed
}

/// Runs a program. Returns what is wrong.
pub(crate) fn faults_of(setting: Setting, program: &Program) -> Vec<String> {
    ran(setting, program).0.faults(program)
}

fn ran(setting: Setting, program: &Program) -> (Machine, bool) {
    let mut machine = Machine::new(setting);
    let mut has_changed = true;
    for (read, change) in program {
        machine.read(*read);
        has_changed = machine.change(*change);
    }
    (machine, has_changed)
}

fn name(text: &str) -> Name {
    Name(text.encode_utf16().collect())
}

fn entry(text: &str) -> Entry {
    Entry { name: name(text), is_case_sensitive: false }
}
