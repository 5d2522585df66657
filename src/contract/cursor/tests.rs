//! Cursors that are whole, damaged, or of another backend.

use super::{Cursor, checksum};
use crate::contract::error::BackendError;

fn cursor() -> Cursor {
    Cursor::new("acme/acme", b"c:1:2\0\xff")
}

fn is_refused(cursor: &Cursor, backend: &str) -> bool {
    matches!(cursor.position(backend), Err(BackendError::InvalidCursor))
}

#[test]
fn the_position_survives_as_bytes() {
    let stored = cursor().as_bytes().to_vec();
    let read = Cursor::from_bytes(stored);
    assert_eq!(read, cursor());
    assert_eq!(read.position("acme/acme").unwrap(), b"c:1:2\0\xff");
    assert_eq!(Cursor::new("acme/acme", b"").position("acme/acme").unwrap(), b"");
}

/// Names that begin alike are different, too.
#[test]
fn another_backend_is_refused() {
    for name in ["acme/other", "acme/acm", "acme/acme2", ""] {
        assert!(is_refused(&cursor(), name), "{name}");
    }
}

#[test]
fn damage_is_recognised() {
    let whole = cursor().as_bytes().to_vec();
    for length in 0..whole.len() {
        assert!(is_refused(&Cursor::from_bytes(&whole[..length]), "acme/acme"), "{length} bytes");
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            assert!(is_refused(&Cursor::from_bytes(bytes), "acme/acme"), "bit {bit} of byte {at}");
        }
    }
    assert!(is_refused(&Cursor::from_bytes([whole.as_slice(), b"more"].concat()), "acme/acme"));
}

/// The vectors of the algorithm's authors.
#[test]
fn the_checksum_is_the_well_known_one() {
    assert_eq!(checksum(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(checksum(b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(checksum(b"foobar"), 0x8594_4171_f739_67e8);
}

#[test]
fn it_can_be_printed() {
    let shown = format!("{:?}", Cursor::from_bytes(*b"acme/acme\0\x01"));
    assert_eq!(shown, r"Cursor(acme/acme\x00\x01)");
}
