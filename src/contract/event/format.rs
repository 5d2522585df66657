//! The serialised form of events, which the sample's `--json` lines use too: feature `serde`.
//!
//! An [`Event`] is one flat object. Missing parts are left out:
//!
//! | field | meaning |
//! |---|---|
//! | `kind` | the [name](EventKind::name) of the kind, e.g. `"modify/name/from"` |
//! | `path` | the path as text; parts that are not Unicode are replaced by U+FFFD. Missing if the path is empty, as in a `"missed"` that concerns everything |
//! | `path_bytes` | the bytes of the path as an array of numbers, on Unix, if `path` cannot represent it |
//! | `path_wide` | the UTF-16 units of the path as an array of numbers, on Windows, if `path` cannot represent it |
//! | `count` | for `"missed"`: the number of lost events, if it is known |
//! | `tracker` | the [tracker](super::Attrs::tracker), a number above 0 |
//! | `info` | the [info](super::Attrs::info) |
//! | `source` | the [source](super::Attrs::source) |
//! | `process` | the id of the [process](super::Attrs::process) |
//!
//! ```
//! use notify_backend::{Event, event::{RenameMode, Tracker}};
//!
//! let event = Event::rename(RenameMode::From, "/srv/old").with_tracker(Tracker::new(7));
//! let line = serde_json::to_string(&event)?;
//! assert_eq!(line, r#"{"kind":"modify/name/from","path":"/srv/old","tracker":7}"#);
//! assert_eq!(serde_json::from_str::<Event>(&line)?, event);
//! # Ok::<_, serde_json::Error>(())
//! ```
//!
//! Every event is read back unchanged, whatever the bytes of its path. An event from another family of
//! systems gets the text in `path` as its path, since the original spelling means nothing here.
//! Fields that are not in the table are skipped, so that later versions may add some. Formats that do not
//! store field names, such as Postcard, can be read only by the same version of this crate: send the version
//! along, or use a format that stores names.
//!
//! On their own, an [`EventKind`] is serialised as its `Display` text, a [`Tracker`] as a number, a
//! [`Capability`](crate::Capability) as its name, and [`Capabilities`](crate::Capabilities) as an array of
//! names.

mod path;

use std::{borrow::Cow, num::NonZeroU32};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

pub(crate) use self::path::PathText;
use super::{Event, EventKind, Tracker};

/// The fields of an event, as in the table above.
#[derive(Serialize, Deserialize)]
struct Fields<'a> {
    kind: EventKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<Cow<'a, [u8]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_wide: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tracker: Option<Tracker>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<u32>,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (kind, count) = match self.kind {
            EventKind::Missed(count) => (EventKind::Missed(None), count),
            kind => (kind, None),
        };
        let PathText { path, path_bytes, path_wide } = PathText::of(&self.path);
        let tracker = self.attrs.tracker();
        let info = self.attrs.info().map(Cow::Borrowed);
        let source = self.attrs.source().map(Cow::Borrowed);
        let process = self.attrs.process();
        if serializer.is_human_readable() {
            Fields { kind, path, path_bytes, path_wide, count, tracker, info, source, process }
                .serialize(serializer)
        } else {
            // Without names, a reader could not know which fields were left out.
            (kind, path, path_bytes, path_wide, count, tracker, info, source, process)
                .serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { mut kind, path, path_bytes, path_wide, count, tracker, info, source, process } =
            Fields::deserialize(deserializer)?;
        if let EventKind::Missed(known) = &mut kind {
            *known = count.or(*known);
        }
        let path = PathText { path, path_bytes, path_wide }.into_path();
        let mut event = Self::new(kind, path).with_tracker(tracker);
        event.attrs.set_info(info.map(Cow::into_owned));
        event.attrs.set_source(source.map(Cow::into_owned));
        event.attrs.set_process(process);
        Ok(event)
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
