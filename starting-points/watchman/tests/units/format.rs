//! Watchman's format: what is written is read as it was, and any bytes do no harm.

use proptest::{collection::vec, prelude::*, sample::Index};

use crate::bser::{Frames, Malformed, Term, Value, decode, encode};

fn terms() -> impl Strategy<Value = Term> {
    let leaf = prop_oneof![
        vec(any::<u8>(), 0..20).prop_map(Term::Text),
        any::<i64>().prop_map(Term::Number),
        any::<bool>().prop_map(Term::Flag),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        let keys = prop_oneof![Just("name"), Just(""), Just("files")];
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Term::List),
            vec((keys, inner), 0..5).prop_map(Term::Map),
        ]
    })
}

/// Returns whether this value is what the term says.
fn is_it(value: &Value<'_>, term: &Term) -> bool {
    match (value, term) {
        (Value::Bytes(bytes), Term::Text(text)) => *bytes == text.as_slice(),
        (Value::Int(int), Term::Number(number)) => int == number,
        (Value::Bool(bool), Term::Flag(flag)) => bool == flag,
        (Value::List(values), Term::List(terms)) => {
            values.len() == terms.len()
                && values.iter().zip(terms).all(|(one, other)| is_it(one, other))
        }
        (Value::Map(values), Term::Map(terms)) => {
            let is_same = |((key, value), (name, term)): (&(&[u8], Value<'_>), &(&str, Term))| {
                *key == name.as_bytes() && is_it(value, term)
            };
            values.len() == terms.len() && values.iter().zip(terms).all(is_same)
        }
        _ => false,
    }
}

/// Returns how many values there are, each of which takes memory.
fn count(value: &Value<'_>) -> usize {
    1 + match value {
        Value::List(values) => values.iter().map(count).sum(),
        Value::Map(members) => members.iter().map(|(_, value)| count(value)).sum(),
        _ => 0,
    }
}

/// Feeds bytes in pieces of this length, and returns what is done with each message.
fn read<T>(
    bytes: &[u8],
    piece: usize,
    take: impl Fn(&[u8]) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let (mut frames, mut read) = (Frames::default(), vec![]);
    for piece in bytes.chunks(piece) {
        frames.push(piece);
        while let Some(message) = frames.next(&take)? {
            read.push(message);
        }
    }
    Ok(read)
}

proptest! {
    #[test]
    fn what_is_written_is_read_in_any_pieces(terms in vec(terms(), 1..4), piece in 1..50_usize) {
        let bytes: Vec<u8> = terms.iter().flat_map(encode).collect();
        let bodies = read(&bytes, piece, |body| Ok(body.to_vec())).unwrap();
        prop_assert_eq!(bodies.len(), terms.len());
        for (body, term) in bodies.iter().zip(&terms) {
            prop_assert!(is_it(&decode(body).unwrap(), term));
        }
    }

    /// Memory is bounded by what has arrived, whatever lengths are in it.
    #[test]
    fn any_bytes_are_no_more_values_than_bytes(body in vec(prop_oneof![0..0x10_u8, any::<u8>()], 0..200)) {
        if let Ok(value) = decode(&body) {
            prop_assert!(count(&value) <= body.len());
        }
    }

    #[test]
    fn any_stream_does_no_harm(mut bytes in vec(any::<u8>(), 0..200), has_magic: bool, piece in 1..50_usize) {
        if has_magic {
            bytes.splice(..0, [0x00, 0x01, 0x03]);
        }
        _ = read(&bytes, piece, |body| decode(body).map(drop));
    }

    #[test]
    fn a_damaged_message_does_no_harm(
        term in terms(),
        damages in vec((any::<Index>(), any::<u8>()), 1..4),
        length: Index,
        piece in 1..50_usize,
    ) {
        let mut bytes = encode(&term);
        for (place, byte) in damages {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(length.index(bytes.len() + 1));
        _ = read(&bytes, piece, |body| {
            let value = decode(body)?;
            assert!(count(&value) <= body.len(), "{value:?}");
            Ok(())
        });
    }
}

/// A message of which only the length has arrived takes no memory for the rest.
#[test]
fn a_length_is_not_trusted() {
    for length in [i64::MAX, i64::MIN, -1, (256 << 20) + 1] {
        let mut bytes = vec![0x00, 0x01, 0x06];
        bytes.extend(length.to_ne_bytes());
        bytes.push(0x0a);
        assert!(read(&bytes, 1, |_| Ok(())).is_err(), "{length}");
    }
    let mut bytes = vec![0x00, 0x01, 0x06];
    bytes.extend((256_i64 << 20).to_ne_bytes());
    bytes.push(0x0a);
    assert_eq!(read(&bytes, 1, |_| Ok(())).unwrap().len(), 0);
}

/// A table may say that it has many rows of no columns, which take no bytes.
#[test]
fn rows_without_columns_are_refused() {
    let table = [0x0b, 0x00, 0x03, 0, 0x03, 2];
    assert!(decode(&[table.as_slice(), &[0x0a; 10]].concat()).is_err());
}
