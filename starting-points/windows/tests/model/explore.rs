//! All short programs of changes and reads, and random long ones.

use notify_backend::Watch;

use crate::{
    kernel::{How, System},
    mirror::Mirror,
    name::Name,
    record::Format,
    root::{Entry, Root},
    watches::{Part, Watches},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    File(&'static str),
    Folder(&'static str),
    Write(&'static str),
    Remove(&'static str),
    Rename(&'static str, &'static str),
}

use Change::{File, Folder, Remove, Rename, Write};

/// In the folder `w`, its folder `d`, and `o` beside it.
const CHANGES: [Change; 19] = [
    File(r"w\f"),
    File(r"w\d\f"),
    File(r"o\f"),
    Folder(r"w\e"),
    Write(r"w\f"),
    Write(r"w\d\f"),
    Remove(r"w\f"),
    Remove(r"w\d\f"),
    Remove(r"w\d"),
    Remove("w"),
    Rename(r"w\f", r"w\g"),
    Rename(r"w\g", r"w\f"),
    Rename(r"w\f", r"w\d\f"),
    Rename(r"w\d\f", r"w\f"),
    Rename(r"w\f", r"o\f"),
    Rename(r"o\f", r"w\f"),
    Rename(r"w\d", r"o\d"),
    Rename(r"o\d", r"w\d"),
    Rename("w", "v"),
];

/// How much is read before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    Nothing,
    One,
    Everything,
}

const READS: [Read; 3] = [Read::Nothing, Read::One, Read::Everything];

type Program = Vec<(Read, Change)>;

/// The watched paths; a path with `f` at its end is a file.
#[derive(Clone, Copy, Debug)]
struct Setting {
    watches: &'static [(&'static str, bool)],
    format: Format,
    /// The size of the buffers.
    room: usize,
}

/// Room for everything.
const WIDE: usize = 64 * 1024;
/// Room for one or two records.
const NARROW: usize = 110;

struct Machine {
    system: System,
    watches: Watches<crate::kernel::Opened>,
    mirror: Mirror,
}

impl Machine {
    fn new(setting: Setting) -> Self {
        let system = System::new();
        for folder in ["w", r"w\d", "o"] {
            assert!(system.create(folder, true));
        }
        assert!(system.create(r"w\f", false));
        let mut watches = Watches::new(setting.format == Format::Extended);
        for (number, (path, recursive)) in (1..).zip(setting.watches) {
            let (folder, name) = path.rsplit_once('\\').unwrap_or(("", path));
            let is_file = *name == *"f";
            let inside = if is_file { folder } else { path };
            let key = number as usize * 2;
            let how = |recursive, only_folders| How {
                recursive,
                only_folders,
                format: setting.format,
                room: setting.room,
            };
            let above = inside.rsplit_once('\\').unwrap_or(("", inside));
            let entry = |name: &str| Entry {
                name: Name(name.encode_utf16().collect()),
                is_case_sensitive: false,
            };
            let root = Root::new(
                Watch::non_recursive(path.replace('\\', "/")),
                is_file.then(|| entry(name)),
                system.open(inside, how(*recursive, false), key),
                Some((system.open(above.0, how(false, true), key + 1), entry(above.1))),
            );
            let mut root = root;
            root.watch.recursive = *recursive;
            watches.add(number, root).expect("the model's folders can be read");
        }
        let mirror = Mirror::of(&system);
        Self { system, watches, mirror }
    }

    fn read(&mut self, read: Read) {
        if read == Read::Nothing {
            return;
        }
        loop {
            let Some(key) = self.system.packet() else {
                self.watches.rest();
                return;
            };
            let part = if key % 2 == 1 { Part::Above } else { Part::Inside };
            let number = u32::try_from(key / 2).expect("there are few watches");
            self.watches.complete(number, part, ());
            for item in self.watches.take() {
                self.mirror.take(item);
            }
            if read == Read::One {
                return;
            }
        }
    }

    /// Returns whether the change had an effect.
    fn change(&mut self, change: Change) -> bool {
        let has_changed = match change {
            File(path) => self.system.create(path, false),
            Folder(path) => self.system.create(path, true),
            Write(path) => self.system.write(path),
            Remove(path) => self.system.remove(path),
            Rename(from, to) => self.system.rename(from, to),
        };
        self.mirror.notice();
        has_changed
    }
}

/// Runs a program. Returns whether its last change had an effect.
fn run(setting: Setting, program: &Program) -> bool {
    let mut machine = Machine::new(setting);
    let mut has_changed = true;
    for (read, change) in program {
        machine.read(*read);
        has_changed = machine.change(*change);
    }
    if !has_changed {
        return false;
    }
    machine.read(Read::Everything);
    let mut faults = machine.mirror.faults(&machine.watches.covers());
    let can_lose = setting.room == NARROW;
    if machine.mirror.has_missed && !can_lose {
        faults.push("a loss is reported without need".into());
    }
    let made = |path: &str| {
        let is_it = |(_, change): &&(Read, Change)| match change {
            File(made) | Folder(made) | Rename(_, made) => made.replace('\\', "/") == path,
            Write(_) | Remove(_) => false,
        };
        program.iter().filter(is_it).count()
    };
    for (path, count) in &machine.mirror.created {
        if *count > made(path) {
            faults.push(format!("{path} is reported as created {count} times"));
        }
    }
    let is_one_tree = matches!(setting.watches, [(_, true)]);
    if setting.format == Format::Extended
        && is_one_tree
        && !can_lose
        && machine.mirror.unrelated > 0
    {
        faults.push("a new name has no tracker".into());
    }
    if setting.format == Format::Plain
        && machine.mirror.reports.iter().any(|report| report.contains("tracker"))
    {
        faults.push("a tracker is reported, although not all renames can be related".into());
    }
    machine.watches.stop();
    machine.read(Read::Everything);
    if !machine.watches.is_empty() {
        faults.push("a read is still pending".into());
    }
    let reports = machine.mirror.reports.join("\n  ");
    assert!(faults.is_empty(), "{setting:?}\n{program:#?}\nreports:\n  {reports}\n{faults:#?}");
    true
}

/// Runs every program with so many changes that have an effect.
fn explore(setting: Setting, program: &mut Program, changes: usize) -> usize {
    if changes == 0 {
        return 0;
    }
    let mut count = 0;
    for change in CHANGES {
        for read in READS {
            // At the start, there is nothing to read.
            if program.is_empty() && read != Read::Nothing {
                continue;
            }
            program.push((read, change));
            if run(setting, program) {
                count += 1 + explore(setting, program, changes - 1);
            }
            program.pop();
        }
    }
    count
}

/// Settings with both formats and both rooms.
fn settings(watches: &'static [(&'static str, bool)]) -> impl Iterator<Item = Setting> {
    [
        (Format::Plain, WIDE),
        (Format::Plain, NARROW),
        (Format::Extended, WIDE),
        (Format::Extended, NARROW),
    ]
    .into_iter()
    .map(move |(format, room)| Setting { watches, format, room })
}

/// Returns how many changes a program has; more take minutes.
fn changes() -> usize {
    let asked = std::env::var("NOTIFY_BACKEND_MODEL_CHANGES").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(2)
}

fn explore_all(watches: &'static [(&'static str, bool)]) {
    let counts = settings(watches).map(|setting| explore(setting, &mut vec![], changes()));
    let count: usize = counts.sum();
    assert!(count > 100, "{count} programs");
}

#[test]
fn a_tree() {
    explore_all(&[("w", true)]);
}

#[test]
fn a_folder() {
    explore_all(&[("w", false)]);
}

#[test]
fn a_file() {
    explore_all(&[(r"w\f", false)]);
}

#[test]
fn a_tree_and_one_beside_it() {
    explore_all(&[("w", true), ("o", true)]);
}

#[test]
fn a_tree_and_one_inside_it() {
    explore_all(&[("w", true), (r"w\d", true)]);
}

/// A move out of the tree and, later, back into it are two moves.
#[test]
fn a_file_that_comes_back() {
    let setting = Setting { watches: &[("w", true)], format: Format::Extended, room: WIDE };
    let mut machine = Machine::new(setting);
    assert!(machine.change(Rename(r"w\f", r"o\f")));
    machine.read(Read::Everything);
    assert!(machine.change(Write(r"w\d\f")) || machine.change(File(r"w\d\f")));
    machine.read(Read::Everything);
    assert!(machine.change(Rename(r"o\f", r"w\f")));
    machine.read(Read::Everything);
    assert_eq!(
        machine.mirror.reports,
        ["modify/name/from w/f tracker=1", "create/file w/d/f", "create/file w/f"]
    );
}

/// What was not read before is reported for the other watch alone, and once nothing is watched, not at all.
#[test]
fn a_tree_that_is_not_wanted_any_more() {
    let watches = &[("w", true), (r"w\d", true)];
    let mut machine = Machine::new(Setting { watches, format: Format::Extended, room: WIDE });
    assert!(machine.change(File(r"w\d\f")) && machine.change(Write(r"w\f")));
    assert!(machine.watches.remove("w".as_ref()));
    machine.read(Read::Everything);
    assert!(machine.change(Write(r"w\d\f")) && machine.change(Write(r"w\f")));
    machine.read(Read::Everything);
    let inner = ["create/file w/d/f", "modify/any w/d/f"];
    // The two watches have both read what happened before.
    machine.mirror.reports.dedup();
    assert_eq!(machine.mirror.reports, inner);
    assert!(machine.watches.remove("w/d".as_ref()));
    assert!(!machine.watches.remove("w/d".as_ref()));
    assert!(machine.change(Remove(r"w\d\f")));
    machine.read(Read::Everything);
    assert_eq!(machine.mirror.reports, inner);
    assert!(machine.watches.is_empty());
}

/// A move between two watched folders is one rename.
#[test]
fn a_file_that_moves_between_watched_folders() {
    let watches = &[("w", true), ("o", true)];
    let mut machine = Machine::new(Setting { watches, format: Format::Extended, room: WIDE });
    assert!(machine.change(Rename(r"w\f", r"o\f")));
    machine.read(Read::Everything);
    let renamed = ["modify/name/from w/f tracker=1", "modify/name/to o/f tracker=1"];
    assert_eq!(machine.mirror.reports, renamed);

    let mut machine = Machine::new(Setting { watches, format: Format::Plain, room: WIDE });
    assert!(machine.change(Rename(r"w\f", r"o\f")));
    machine.read(Read::Everything);
    assert_eq!(machine.mirror.reports, ["remove/any w/f", "create/any o/f"]);
}
