//! Where the stream stands: [`Position`], and the cursor that is made of it.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use notify_backend::{Cursor, prelude::*};

use crate::{
    places::Places,
    streams::{EventId, History},
};

/// Up to where events were reported. One look reports the changes of many events; until all of its items were taken, it
/// stands before these events, and knows what was taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Position {
    /// All items of the events up to this one were taken.
    pub(crate) since: EventId,
    /// What was reported about events that may be after it.
    reported: BTreeMap<OsString, Reported>,
}

/// The last report about a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported {
    /// All events up to this one were known to it.
    pub(crate) until: EventId,
    /// Whether there was anything at the path.
    pub(crate) is_there: bool,
}

impl Position {
    pub(crate) fn at(since: EventId) -> Self {
        Self { since, reported: BTreeMap::new() }
    }

    /// Notes that an item was taken that a look has found. The look began after the event `until`.
    pub(crate) fn note(&mut self, item: &StreamItem, until: EventId) {
        let Ok(event) = item else { return };
        let is_there = match event.kind {
            EventKind::Missed(_) => return,
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => false,
            _ => true,
        };
        self.reported.insert(event.path.clone().into(), Reported { until, is_there });
    }

    /// Notes that all items of the events up to this one were taken.
    pub(crate) fn advance(&mut self, since: EventId) {
        self.since = since;
        self.reported.retain(|_, reported| reported.until > since);
    }

    /// Returns what was reported last about a path, as far as that matters.
    pub(crate) fn reported(&self, path: &Path) -> Option<Reported> {
        self.reported.get(path.as_os_str()).copied()
    }

    /// Returns the cursor.
    pub(crate) fn cursor(&self, backend: &str, places: &Places) -> Cursor {
        let mut bytes = self.since.to_le_bytes().to_vec();
        let mut add = |path: &OsStr, number: EventId, rest: &[u8]| {
            bytes.extend((path.len() as u64).to_le_bytes());
            bytes.extend(path.as_bytes());
            bytes.extend(number.to_le_bytes());
            bytes.extend(rest);
        };
        for (path, reported) in &self.reported {
            add(path, reported.until, &[if reported.is_there { THERE } else { GONE }]);
        }
        for place in places.iter() {
            if let Some(history) = place.history {
                let rest = [&[PLACE][..], &history].concat();
                add(place.path.as_os_str(), place.from, &rest);
            }
        }
        Cursor::new(backend, &bytes)
    }
}

const GONE: u8 = 0;
const THERE: u8 = 1;
const PLACE: u8 = 2;

/// What a cursor says.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) position: Position,
    /// The watched paths: the last event before each was watched, and the history that its events are of.
    pub(crate) places: BTreeMap<OsString, (EventId, History)>,
}

impl Stored {
    /// Reads the cursor of the backend with this name.
    pub(crate) fn of(backend: &str, cursor: &Cursor) -> Result<Self, BackendError> {
        let mut rest = cursor.position(backend)?;
        Self::take(&mut rest).filter(|_| rest.is_empty()).ok_or_else(BackendError::invalid_cursor)
    }

    fn take(rest: &mut &[u8]) -> Option<Self> {
        let mut stored = Self::default();
        stored.position.since = u64::from_le_bytes(take(rest)?);
        while !rest.is_empty() {
            let length = u64::from_le_bytes(take(rest)?).try_into().ok()?;
            let (path, after) = rest.split_at_checked(length)?;
            *rest = after;
            let path = OsString::from_vec(path.to_vec());
            let number = u64::from_le_bytes(take(rest)?);
            match take::<1>(rest)? {
                [kind @ (GONE | THERE)] => {
                    let reported = Reported { until: number, is_there: kind == THERE };
                    stored.position.reported.insert(path, reported);
                }
                [PLACE] => {
                    stored.places.insert(path, (number, take(rest)?));
                }
                _ => return None,
            }
        }
        Some(stored)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (part, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*part)
}
