//! Programs of which it is known, word for word, what has to be reported.

use crate::{
    machine::{
        Change::{File, Folder, Rename},
        Machine, NARROW, Read, Setting, WIDE,
    },
    record::Format,
};

fn tree_with_room(room: usize) -> Machine {
    let watches = &[("w", true)];
    Machine::new(Setting { watches, format: Format::Extended, room, newest_first: false })
}

/// The reader may have read everything that was queued when the system has queued the first half alone.
#[test]
fn a_rename_whose_halves_are_read_one_after_the_other_has_one_tracker() {
    let mut machine = tree_with_room(WIDE);
    assert!(machine.change(Rename(r"w\f", r"w\d\f")));
    machine.read(Read::One);
    machine.watches.rest();
    machine.read(Read::Everything);
    let renamed = ["modify/name/from w/f tracker=1", "modify/name/to w/d/f tracker=1"];
    assert_eq!(machine.mirror.reports, renamed);
}

/// The other half may be among what is lost.
#[test]
fn a_half_from_before_a_loss_has_another_tracker_than_one_from_after_it() {
    let mut machine = tree_with_room(NARROW);
    assert!(machine.change(Rename(r"w\f", r"o\f")));
    assert!(machine.change(File(r"w\g")) && machine.change(File(r"w\h")));
    machine.read(Read::One);
    machine.read(Read::One);
    assert!(machine.change(Rename(r"o\f", r"w\f")));
    machine.read(Read::Everything);
    let reports = ["modify/name/from w/f tracker=1", "missed w", "create/file w/f"];
    assert_eq!(machine.mirror.reports, reports);
}

#[test]
fn a_watched_folder_that_goes_to_another_one_is_renamed() {
    let mut machine = tree_with_room(WIDE);
    assert!(machine.change(Rename("w", r"o\w")));
    machine.read(Read::Everything);
    assert_eq!(machine.mirror.reports, ["modify/name/from w"]);
    assert!(machine.watches.covers().is_empty());
}

/// Its end is among what the folder above has lost.
#[test]
fn a_watched_folder_that_goes_amid_a_loss_is_reported_as_gone() {
    let mut machine = tree_with_room(NARROW);
    assert!(machine.change(Folder("x")) && machine.change(Folder("y")));
    assert!(machine.change(Rename("w", "v")));
    machine.read(Read::Everything);
    assert_eq!(machine.mirror.reports, ["missed w", "remove/any w"]);
    assert!(machine.watches.covers().is_empty());
}
