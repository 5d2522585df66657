//! Watchman's binary format, in which names are bytes: [`encode`], [`decode`] and [`Frames`]. {%- capture source %}
//!
//! See <https://facebook.github.io/watchman/docs/bser>. Version 1 of it is used, which every Watchman knows. What
//! arrives is checked as if anyone had written it: no length is trusted before the bytes are there.

use std::fmt;

/// A value that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    Text(Vec<u8>),
    Number(i64),
    Flag(bool),
    List(Vec<Term>),
    Map(Vec<(&'static str, Term)>),
}

impl From<&str> for Term {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

/// A value that has arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Real(f64),
    Bytes(&'a [u8]),
    List(Vec<Value<'a>>),
    Map(Vec<(&'a [u8], Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Returns the member of a map with this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
    }

    /// Returns the bytes of the member with this name, if that is a text.
    pub(crate) fn bytes(&self, name: &str) -> Option<&'a [u8]> {
        match self.get(name)? {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Returns whether the member with this name is there and true.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(&Self::Bool(true))
    }
}

/// What arrived is not in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

impl Malformed {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self(what)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watchman sent something that is not in its format: {}", self.0)
    }
}

const ARRAY: u8 = 0x00;
const OBJECT: u8 = 0x01;
const BYTES: u8 = 0x02;
const INT8: u8 = 0x03;
const INT16: u8 = 0x04;
const INT32: u8 = 0x05;
const INT64: u8 = 0x06;
const REAL: u8 = 0x07;
const TRUE: u8 = 0x08;
const FALSE: u8 = 0x09;
const NULL: u8 = 0x0a;
const TEMPLATE: u8 = 0x0b;
const SKIP: u8 = 0x0c;
const UTF8: u8 = 0x0d;

/// What each message begins with.
const MAGIC: [u8; 2] = [0x00, 0x01];
/// How many values may be nested in each other. Replies to our commands have three levels.
const DEPTH: usize = 16;

/// Returns the message with this value.
pub(crate) fn encode(term: &Term) -> Vec<u8> {
    let mut body = vec![];
    write(term, &mut body);
    let mut message = MAGIC.to_vec();
    write_int(length(body.len()), &mut message);
    message.extend(body);
    message
}

fn length(length: usize) -> i64 {
    i64::try_from(length).expect("nothing in memory is that long")
}

fn write(term: &Term, to: &mut Vec<u8>) {
    match term {
        Term::Text(text) => write_bytes(text, to),
        Term::Number(number) => write_int(*number, to),
        Term::Flag(flag) => to.push(if *flag { TRUE } else { FALSE }),
        Term::List(terms) => {
            to.push(ARRAY);
            write_int(length(terms.len()), to);
            for term in terms {
                write(term, to);
            }
        }
        Term::Map(members) => {
            to.push(OBJECT);
            write_int(length(members.len()), to);
            for (name, term) in members {
                write_bytes(name.as_bytes(), to);
                write(term, to);
            }
        }
    }
}

fn write_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    to.push(BYTES);
    write_int(length(bytes.len()), to);
    to.extend(bytes);
}

fn write_int(number: i64, to: &mut Vec<u8>) {
    // The daemon runs on the same machine, so numbers are in its order of bytes.
    to.push(INT64);
    to.extend(number.to_ne_bytes());
}

/// Returns the value in the body of a message.
pub(crate) fn decode(body: &[u8]) -> Result<Value<'_>, Malformed> {
    let mut reader = Reader { rest: body };
    let value = reader.value(DEPTH)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(Malformed("more than one value")) }
}

/// Reads values from bytes.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed("cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed("cut off"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn int(&mut self) -> Result<i64, Malformed> {
        let kind = self.byte()?;
        self.int_of(kind)
    }

    fn int_of(&mut self, kind: u8) -> Result<i64, Malformed> {
        match kind {
            INT8 => Ok(i8::from_ne_bytes(self.array()?).into()),
            INT16 => Ok(i16::from_ne_bytes(self.array()?).into()),
            INT32 => Ok(i32::from_ne_bytes(self.array()?).into()),
            INT64 => Ok(i64::from_ne_bytes(self.array()?)),
            _ => Err(Malformed("no number where one belongs")),
        }
    }

    /// Reads how many values follow. Each takes a byte at least, so there cannot be more than bytes.
    fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.int()?).map_err(|_| Malformed("a negative length"))?;
        if count > self.rest.len() { Err(Malformed("cut off")) } else { Ok(count) }
    }

    fn text(&mut self, kind: u8) -> Result<&'a [u8], Malformed> {
        if kind != BYTES && kind != UTF8 {
            return Err(Malformed("no text where one belongs"));
        }
        let count = self.count()?;
        self.take(count)
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        let Some(depth) = depth.checked_sub(1) else { return Err(Malformed("nested too deep")) };
        match self.byte()? {
            NULL => Ok(Value::Null),
            TRUE => Ok(Value::Bool(true)),
            FALSE => Ok(Value::Bool(false)),
            REAL => Ok(Value::Real(f64::from_ne_bytes(self.array()?))),
            kind @ (BYTES | UTF8) => Ok(Value::Bytes(self.text(kind)?)),
            ARRAY => {
                let count = self.count()?;
                (0..count).map(|_| self.value(depth)).collect::<Result<_, _>>().map(Value::List)
            }
            OBJECT => {
                let count = self.count()?;
                let mut member = || {
                    let kind = self.byte()?;
                    Ok((self.text(kind)?, self.value(depth)?))
                };
                (0..count).map(|_| member()).collect::<Result<_, _>>().map(Value::Map)
            }
            TEMPLATE => self.template(depth),
            kind => self.int_of(kind).map(Value::Int),
        }
    }

    /// Reads a list of objects with the same members, whose names come first.
    fn template(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        if self.byte()? != ARRAY {
            return Err(Malformed("a table without a head"));
        }
        let width = self.count()?;
        let mut names = vec![];
        for _ in 0..width {
            let kind = self.byte()?;
            names.push(self.text(kind)?);
        }
        let rows = self.count()?;
        if width == 0 && rows > 0 {
            return Err(Malformed("a table without columns"));
        }
        let mut list = vec![];
        for _ in 0..rows {
            let mut row = vec![];
            for name in &names {
                if self.rest.first() == Some(&SKIP) {
                    self.byte()?;
                } else {
                    row.push((*name, self.value(depth)?));
                }
            }
            list.push(Value::Map(row));
        }
        Ok(Value::List(list))
    }
}

/// Cuts what arrives into messages.
#[derive(Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// The longest message, in bytes. A change of a million paths takes about as much.
    const LONGEST: usize = 256 << 20;
    /// What a buffer keeps between messages.
    const KEPT: usize = 64 << 10;

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Calls `take` with the body of the next message, if all of it is there.
    pub(crate) fn next<T>(
        &mut self,
        take: impl FnOnce(&[u8]) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        let mut reader = Reader { rest: &self.bytes };
        let Ok(magic) = reader.array::<2>() else { return Ok(None) };
        if magic != MAGIC {
            return Err(Malformed("another beginning"));
        }
        let Some(&kind) = reader.rest.first() else { return Ok(None) };
        let width = match kind {
            INT8 => 1,
            INT16 => 2,
            INT32 => 4,
            INT64 => 8,
            _ => return Err(Malformed("no length")),
        };
        if reader.rest.len() <= width {
            return Ok(None);
        }
        let length = usize::try_from(reader.int()?).map_err(|_| Malformed("a negative length"))?;
        if length > Self::LONGEST {
            return Err(Malformed("a message of more than 256 MiB"));
        }
        let Some(body) = reader.rest.get(..length) else { return Ok(None) };
        let rest = reader.rest.len() - length;
        let taken = take(body);
        self.bytes.drain(..self.bytes.len() - rest);
        self.bytes.shrink_to(Self::KEPT);
        taken.map(Some)
    }
}

/// The number of bytes that wait.
impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frames({} bytes)", self.bytes.len())
    }
}
//~{% endcapture %}{{ source | remove: "//~" -}}
