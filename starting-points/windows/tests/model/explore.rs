//! All short programs of changes and reads.

use crate::{
    machine::{
        Change::{self, File, Folder, Remove, Rename, Unwatch, Watch, WatchAmid, Write},
        Machine, NARROW, Program, READS, Read, Setting, WIDE, run,
    },
    record::Format,
};

/// What happens to files and folders.
pub(crate) const CHANGES: &[Change] = &[
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

/// What happens to files, folders and watches.
pub(crate) const CHANGES_OF_WATCHES: &[Change] = &[
    File(r"w\d\f"),
    Write(r"w\f"),
    Write(r"w\d\f"),
    Remove(r"w\f"),
    Rename(r"w\f", r"w\d\f"),
    Rename(r"w\d", r"o\d"),
    Rename(r"o\d", r"w\d"),
    Rename("w", "v"),
    Watch("w", true),
    Watch("w", false),
    Watch(r"w\d", true),
    Watch(r"w\d", false),
    Watch(r"w\f", false),
    Watch(r"w\d\f", false),
    WatchAmid("w", true, 0, &Write(r"w\d\f")),
    WatchAmid("w", true, 1, &Write(r"w\d\f")),
    WatchAmid("w", true, 2, &Write(r"w\d\f")),
    WatchAmid("w", true, 3, &Write(r"w\d\f")),
    WatchAmid("w", true, 4, &Write(r"w\d\f")),
    WatchAmid("w", true, 5, &Write(r"w\d\f")),
    WatchAmid("w", true, 6, &Write(r"w\d\f")),
    WatchAmid("w", true, 7, &Write(r"w\d\f")),
    WatchAmid("w", true, 8, &Write(r"w\d\f")),
    WatchAmid("w", true, 9, &Write(r"w\d\f")),
    WatchAmid("w", true, 10, &Write(r"w\d\f")),
    WatchAmid("w", true, 11, &Write(r"w\d\f")),
    WatchAmid("w", true, 12, &Write(r"w\d\f")),
    WatchAmid("w", true, 3, &Rename(r"w\f", r"w\d\f")),
    WatchAmid("w", true, 5, &Rename(r"w\f", r"w\d\f")),
    WatchAmid("w", true, 6, &Rename(r"w\f", r"w\d\f")),
    WatchAmid(r"w\d", true, 2, &Rename(r"w\d", r"o\d")),
    WatchAmid(r"w\d", true, 4, &Rename(r"w\d", r"o\d")),
    Unwatch("w"),
    Unwatch(r"w\d"),
    Unwatch(r"w\f"),
];

/// Runs every program with so many changes that have an effect. Returns their number.
fn explore(setting: Setting, all: &[Change], program: &mut Program, changes: usize) -> usize {
    if changes == 0 {
        return 0;
    }
    let mut count = 0;
    for change in all {
        for read in READS {
            // At the start, there is nothing to read.
            if program.is_empty() && read != Read::Nothing {
                continue;
            }
            program.push((read, *change));
            if run(setting, program) {
                count += 1 + explore(setting, all, program, changes - 1);
            }
            program.pop();
        }
    }
    count
}

/// Returns settings with both formats and both rooms.
pub(crate) fn settings(watches: &'static [(&'static str, bool)]) -> impl Iterator<Item = Setting> {
    [
        (Format::Plain, WIDE, false),
        (Format::Plain, NARROW, true),
        (Format::Extended, WIDE, true),
        (Format::Extended, NARROW, false),
    ]
    .into_iter()
    .map(move |(format, room, newest_first)| Setting { watches, format, room, newest_first })
}

/// Returns how many changes a program has; more take minutes.
fn changes() -> usize {
    let asked = std::env::var("NOTIFY_BACKEND_MODEL_CHANGES").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(2)
}

fn explore_all(watches: &'static [(&'static str, bool)], all: &[Change]) {
    let counts = settings(watches).map(|setting| explore(setting, all, &mut vec![], changes()));
    let count: usize = counts.sum();
    println!("{count} programs of up to {} changes", changes());
    assert!(count > 100, "{count} programs");
}

#[test]
fn a_tree() {
    explore_all(&[("w", true)], CHANGES);
}

#[test]
fn a_folder() {
    explore_all(&[("w", false)], CHANGES);
}

#[test]
fn a_file() {
    explore_all(&[(r"w\f", false)], CHANGES);
}

#[test]
fn a_tree_and_one_beside_it() {
    explore_all(&[("w", true), ("o", true)], CHANGES);
}

#[test]
fn a_tree_and_one_inside_it() {
    explore_all(&[("w", true), (r"w\d", true)], CHANGES);
}

#[test]
fn a_folder_and_one_inside_it() {
    explore_all(&[("w", false), (r"w\d", false)], CHANGES);
}

#[test]
fn watches_that_come_and_go() {
    explore_all(&[], CHANGES_OF_WATCHES);
}

#[test]
fn watches_that_come_to_one_inside_and_go() {
    explore_all(&[(r"w\d", true)], CHANGES_OF_WATCHES);
}

#[test]
fn watches_that_come_and_go_around_one_inside() {
    explore_all(&[("w", true), (r"w\d", true)], CHANGES_OF_WATCHES);
}

#[test]
fn watches_that_come_and_go_in_a_folder() {
    explore_all(&[("w", false), (r"w\f", false), (r"w\d", false)], CHANGES_OF_WATCHES);
}

/// A move out of the tree and, later, back into it are two moves.
#[test]
fn a_file_that_comes_back() {
    let setting = Setting {
        watches: &[("w", true)],
        format: Format::Extended,
        room: WIDE,
        newest_first: false,
    };
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
    let mut machine = Machine::new(Setting {
        watches,
        format: Format::Extended,
        room: WIDE,
        newest_first: false,
    });
    assert!(machine.change(File(r"w\d\f")) && machine.change(Write(r"w\f")));
    assert!(machine.watches.remove("w".as_ref()));
    machine.read(Read::Everything);
    assert!(machine.change(Write(r"w\d\f")) && machine.change(Write(r"w\f")));
    machine.read(Read::Everything);
    let inner = ["create/file w/d/f", "modify/any w/d/f"];
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
    let mut machine = Machine::new(Setting {
        watches,
        format: Format::Extended,
        room: WIDE,
        newest_first: false,
    });
    assert!(machine.change(Rename(r"w\f", r"o\f")));
    machine.read(Read::Everything);
    let renamed = ["modify/name/from w/f tracker=1", "modify/name/to o/f tracker=1"];
    assert_eq!(machine.mirror.reports, renamed);

    let mut machine =
        Machine::new(Setting { watches, format: Format::Plain, room: WIDE, newest_first: false });
    assert!(machine.change(Rename(r"w\f", r"o\f")));
    machine.read(Read::Everything);
    assert_eq!(machine.mirror.reports, ["remove/any w/f", "create/any o/f"]);
}
