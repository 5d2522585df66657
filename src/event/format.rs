//! The serialised form of events, which is also that of the sample's `--json` lines: feature
//! `serde`.
//!
//! An [`Event`] is one flat object. Only what is there is written:
//!
//! | field | meaning |
//! |---|---|
//! | `kind` | the [name](EventKind::name) of the kind, e.g. `"modify/name/from"` |
//! | `path` | the path as text; what is not Unicode in it is replaced by U+FFFD. Not there if it is empty, as that of a `"missed"` is that concerns everything |
//! | `path_bytes` | the bytes of the path as an array of numbers, on Unix, if `path` cannot tell it |
//! | `path_wide` | the UTF-16 units of the path as an array of numbers, on Windows, if `path` cannot tell it |
//! | `count` | of `"missed"`: how many events were lost, if that is known |
//! | `tracker` | the [tracker](super::Attrs::tracker), a number above 0 |
//! | `info` | the [info](super::Attrs::info) |
//! | `source` | the [source](super::Attrs::source) |
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
//! Every event is read back as it was, with a path of any bytes. An event from a machine of
//! another family has the path that `path` tells, since its own spelling means nothing here.
//! Fields that are not in the table are skipped, so that later versions may add some. What a format
//! writes that keeps no field names, such as Postcard, is for the same version of this crate alone:
//! send the version with it, or use a format that keeps them.
//!
//! On their own, an [`EventKind`] is the text that its `Display` gives, a
//! [`Tracker`] a number, a [`Capability`](crate::Capability) its name, and
//! [`Capabilities`](crate::Capabilities) an array of names.

mod path;

use std::{borrow::Cow, num::NonZeroU32};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

pub(crate) use self::path::PathText;
use super::{Event, EventKind, Tracker};

/// The fields of an event, as the table above has them.
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
        if serializer.is_human_readable() {
            Fields { kind, path, path_bytes, path_wide, count, tracker, info, source }
                .serialize(serializer)
        } else {
            // A format that does not write names could not tell which fields were left out.
            (kind, path, path_bytes, path_wide, count, tracker, info, source).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fields { mut kind, path, path_bytes, path_wide, count, tracker, info, source } =
            Fields::deserialize(deserializer)?;
        if let EventKind::Missed(known) = &mut kind {
            *known = count.or(*known);
        }
        let path = PathText { path, path_bytes, path_wide }.into_path();
        let mut event = Self::new(kind, path).with_tracker(tracker);
        event.attrs.set_info(info.map(Cow::into_owned));
        event.attrs.set_source(source.map(Cow::into_owned));
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
