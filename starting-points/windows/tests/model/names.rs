//! Names in their short form, and in other letters' case.

use crate::{
    cover::{Cover, Reach},
    machine::{
        Change::{Remove, Rename, Watch, Write},
        Machine, Read, Setting, WIDE,
    },
    record::Format,
};

fn watching(watches: &'static [(&'static str, bool)]) -> Machine {
    Machine::new(Setting { watches, format: Format::Extended, room: WIDE, newest_first: false })
}

/// Programs use the long form, and know the short one only of files that are gone.
#[test]
fn a_short_name_is_reported_in_its_long_form_as_long_as_the_file_exists() {
    let mut machine = watching(&[("w", true)]);
    machine.system.write_by_short(r"w\f", "F~1");
    machine.read(Read::Everything);
    machine.system.write_by_short(r"w\f", "F~1");
    assert!(machine.change(Remove(r"w\f")));
    machine.read(Read::Everything);
    let expected = ["modify/any w/f", "modify/any w/F~1", "remove/file w/f"];
    assert_eq!(machine.mirror.reports, expected);
}

#[test]
fn a_watched_file_is_recognised_by_its_short_name() {
    let mut machine = watching(&[(r"w\f", false)]);
    machine.system.write_by_short(r"w\f", "F~1");
    machine.read(Read::Everything);
    assert_eq!(machine.mirror.reports, ["modify/any w/f"]);
}

#[test]
fn a_rename_that_only_changes_the_case() {
    let mut machine = watching(&[("w", true)]);
    assert!(machine.change(Rename(r"w\f", r"w\F")));
    machine.read(Read::Everything);
    let renamed = ["modify/name/from w/f tracker=1", "modify/name/to w/F tracker=1"];
    assert_eq!(machine.mirror.reports, renamed);
}

/// The path that is watched leads to it as before.
#[test]
fn a_watched_file_whose_case_changes_is_still_watched() {
    let mut machine = watching(&[(r"w\f", false)]);
    assert!(machine.change(Rename(r"w\f", r"w\F")) && machine.change(Write(r"w\F")));
    machine.read(Read::Everything);
    let expected =
        ["modify/name/from w/f tracker=1", "modify/name/to w/f tracker=1", "modify/any w/f"];
    assert_eq!(machine.mirror.reports, expected);
}

/// A folder that gets another name is not watched any more, even if the old one still leads to it.
#[test]
fn a_watched_folder_whose_case_changes_has_ended() {
    let mut machine = watching(&[("w", true)]);
    assert!(machine.change(Watch(r"w\d", true)));
    assert!(machine.watches.remove("w".as_ref()));
    assert!(machine.change(Rename(r"w\d", r"w\D")));
    machine.read(Read::Everything);
    assert_eq!(machine.mirror.reports, ["modify/name/from w/d"]);
    assert!(machine.watches.covers().is_empty());
}

/// What waits for `w` goes with its watch, and what waits for `wide` stays.
#[test]
fn a_folder_covers_no_other_whose_name_begins_alike() {
    for reach in [Reach::Nothing, Reach::Entries, Reach::Everything] {
        let cover = Cover { path: "w".into(), reach };
        assert!(cover.has("w".as_ref()));
        assert_eq!(cover.has("w/f".as_ref()), reach != Reach::Nothing);
        assert_eq!(cover.has("w/d/f".as_ref()), reach == Reach::Everything);
        for other in ["wide", "wide/f", "v", ""] {
            assert!(!cover.has(other.as_ref()), "{reach:?} of w has {other}");
        }
    }
}
