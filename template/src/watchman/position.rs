//! Where a watch stands in the daemon's history: [`Position`], and the cursor that is made of those of all. {%- capture source %}

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, sync::Arc};

use notify_backend::{Cursor, prelude::*};

/// A moment in the life of one root, such as `c:1795816958:10376:2:5`: when the daemon started, its process, the
/// number of the root, and a tick, which goes up with each change. Only the tick is taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clock(Arc<[u8]>);

impl From<&[u8]> for Clock {
    fn from(clock: &[u8]) -> Self {
        Self(clock.into())
    }
}

impl Clock {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether this moment is not after `other`, of the same root.
    pub(crate) fn is_by(&self, other: &Self) -> bool {
        matches!((self.parts(), other.parts()), (Some((root, tick)), Some((other_root, other_tick)))
            if root == other_root && tick <= other_tick)
    }

    /// Returns whether the two are moments of the same root, as it is watched by one daemon.
    pub(crate) fn is_of_root_of(&self, other: &Self) -> bool {
        let roots = (self.parts().map(|(root, _)| root), other.parts().map(|(root, _)| root));
        matches!(roots, (Some(root), Some(other)) if root == other)
    }

    pub(crate) fn tick(&self) -> Option<u64> {
        self.parts().map(|(_, tick)| tick)
    }

    fn parts(&self) -> Option<(&[u8], u64)> {
        let at = self.0.iter().rposition(|&byte| byte == b':')?;
        let tick = str::from_utf8(&self.0[at + 1..]).ok()?.parse().ok()?;
        Some((&self.0[..at], tick))
    }
}

/// Where a watch stands: in the middle of the changes between two moments, which come together, or between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// All changes until then have been read.
    pub(crate) since: Clock,
    /// Of those that came together after that, some have been read.
    pub(crate) part: Option<Part>,
}

impl Position {
    /// Returns a position of which no daemon knows anything.
    pub(crate) fn unknown() -> Self {
        Self { since: Clock::from(&b"c:0:0:0:0"[..]), part: None }
    }
}

/// How much has been read of changes that came together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) until: Clock,
    /// The last one, in the order in which they are reported.
    pub(crate) last: Key,
}

/// The place of a change among those that came together: what is gone comes first, the deepest first; then what is
/// there, folders before their entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) is_there: bool,
    pub(crate) name: Vec<u8>,
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_name = || {
            let names = self.name.cmp(&other.name);
            if self.is_there { names } else { names.reverse() }
        };
        self.is_there.cmp(&other.is_there).then_with(by_name)
    }
}

/// Returns the cursor at the positions of these paths.
pub(crate) fn cursor<'a>(
    backend: &str,
    positions: impl Iterator<Item = (&'a Path, &'a Position)>,
) -> Cursor {
    let mut bytes = vec![];
    let mut add = |part: &[u8]| {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    };
    for (path, Position { since, part }) in positions {
        add(path.as_os_str().as_bytes());
        add(since.as_bytes());
        match part {
            None => add(b""),
            Some(Part { until, last }) => {
                add(if last.is_there { b"+" } else { b"-" });
                add(until.as_bytes());
                add(&last.name);
            }
        }
    }
    Cursor::new(backend, &bytes)
}

/// The positions in a cursor, by path.
#[derive(Debug)]
pub(crate) struct Positions(Vec<(PathBuf, Position)>);

impl Positions {
    /// Reads the cursor of the backend with this name.
    pub(crate) fn of(backend: &str, cursor: &Cursor) -> Result<Self, BackendError> {
        let mut rest = cursor.position(backend)?;
        let mut positions = vec![];
        while !rest.is_empty() {
            positions.push(take_position(&mut rest).ok_or_else(BackendError::invalid_cursor)?);
        }
        Ok(Self(positions))
    }

    pub(crate) fn get(&self, path: &Path) -> Option<&Position> {
        // By spelling: as paths, `a` and `a/.` are equal.
        let is_it = |(known, _): &&(PathBuf, _)| known.as_os_str() == path.as_os_str();
        self.0.iter().find(is_it).map(|(_, position)| position)
    }
}

fn take_position(rest: &mut &[u8]) -> Option<(PathBuf, Position)> {
    let path = PathBuf::from(OsStr::from_bytes(take(rest)?));
    let since = Clock::from(take(rest)?);
    let part = match take(rest)? {
        b"" => None,
        kind @ (b"+" | b"-") => {
            let until = Clock::from(take(rest)?);
            let last = Key { is_there: kind == b"+", name: take(rest)?.to_vec() };
            Some(Part { until, last })
        }
        _ => return None,
    };
    Some((path, Position { since, part }))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (part, after) = after.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
    *rest = after;
    Some(part)
}
//~{% endcapture %}{{ source | remove: "//~" -}}
