//! What is parsed from bytes, whatever they are.

use crate::{
    name::Name,
    record::{Action, Format, Record},
};

fn name(text: &str) -> Name {
    Name(text.encode_utf16().collect())
}

fn plain(next: u32, action: u32, name: &[u16]) -> Vec<u8> {
    let words = [next, action, u32::try_from(name.len() * 2).expect("names are short")];
    let name = name.iter().copied().flat_map(u16::to_le_bytes);
    words.into_iter().flat_map(u32::to_le_bytes).chain(name).collect()
}

#[test]
fn records_may_begin_anywhere() {
    let mut bytes = plain(14, 4, &[97]);
    bytes.extend(plain(0, 5, &[98, 99]));
    let records = Record::parse(&bytes, Format::Plain).unwrap();
    assert_eq!(records[0].action, Action::OldName);
    assert_eq!(records[0].name, name("a"));
    assert_eq!(records[1].action, Action::NewName);
    assert_eq!(records[1].name, name("bc"));
}

#[test]
fn names_need_not_be_valid() {
    let bytes = plain(0, 1, &[0xd800, 97]);
    let records = Record::parse(&bytes, Format::Plain).unwrap();
    assert_eq!(records[0].name, Name(vec![0xd800, 97]));
}

#[test]
fn unknown_actions_are_kept() {
    let records = Record::parse(&plain(0, 77, &[97]), Format::Plain).unwrap();
    assert_eq!(records[0].action, Action::Unknown);
}

/// Whatever is read, there is a result, and no panic.
#[test]
fn broken_bytes_are_no_records() {
    let whole = plain(0, 1, &[97, 98]);
    for length in 0..whole.len() {
        assert_eq!(Record::parse(&whole[..length], Format::Plain), None);
        assert_eq!(Record::parse(&whole[..length], Format::Extended), None);
    }
    for (at, value) in (0..whole.len()).flat_map(|at| [1, 2, 0x7f, 0xff].map(|value| (at, value))) {
        let mut broken = whole.clone();
        broken[at] = value;
        _ = Record::parse(&broken, Format::Plain);
        _ = Record::parse(&broken, Format::Extended);
    }
}

#[test]
fn names_are_compared_as_the_file_system_does() {
    assert!(name("Straße.TXT").is_same_ignoring_case(&name("strAße.txt")));
    assert!(name("ÄÖ").is_same_ignoring_case(&name("äö")));
    assert!(!name("straße").is_same_ignoring_case(&name("strasse")));
    assert!(!name("a").is_same_ignoring_case(&name("b")));
}

#[test]
fn short_names() {
    for short in ["PROGRA~1", "LONGNA~2.TXT", "A~9"] {
        assert!(name(short).may_be_short(), "{short}");
    }
    for long in ["file~", "~", "a name that is long~1.txt", "plain.txt"] {
        assert!(!name(long).may_be_short(), "{long}");
    }
}
