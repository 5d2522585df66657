//! The optional part of an event: tracker, info and source.

use std::{fmt, num::NonZeroU64};

/// Relates events to each other, such as the two halves of a rename.
///
/// Only equality has a meaning, and only among events of one backend that are near in time.
///
/// ```
/// use notify_backend::event::Tracker;
///
/// assert_eq!(Tracker::new(7), Tracker::new(7));
/// assert_eq!(Tracker::new(7).map(Tracker::get), Some(7));
/// assert_eq!(Tracker::new(0), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tracker(NonZeroU64);

impl Tracker {
    /// A tracker with the given value; none for 0, which platforms use for "no relation".
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        match NonZeroU64::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The value.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What else is known of an event: each part may be missing.
///
/// ```
/// use notify_backend::event::{Attrs, Tracker};
///
/// let mut attrs = Attrs::default();
/// assert_eq!((attrs.tracker(), attrs.info(), attrs.source()), (None, None, None));
///
/// attrs.set_tracker(Tracker::new(7));
/// attrs.set_info(Some("is: symlink".into()));
/// assert_eq!(attrs.info(), Some("is: symlink"));
/// assert_eq!(attrs.to_string(), r#" tracker=7 info="is: symlink""#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Attrs {
    tracker: Option<Tracker>,
    // Rare, and therefore out of line: an event is to stay small.
    // `None` where both texts are `None`, so that equal attributes compare equal.
    texts: Option<Box<Texts>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Texts {
    info: Option<String>,
    source: Option<String>,
}

impl Attrs {
    /// What relates this event to others.
    #[must_use]
    pub fn tracker(&self) -> Option<Tracker> {
        self.tracker
    }

    /// A further word on what happened; always there where the kind
    /// [needs one](crate::EventKind::needs_info).
    ///
    /// For people and logs: its wording is the backend's, and may change with its version.
    #[must_use]
    pub fn info(&self) -> Option<&str> {
        self.texts.as_ref()?.info.as_deref()
    }

    /// Where the event comes from, for backends that gather from several places.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.texts.as_ref()?.source.as_deref()
    }

    /// Sets or clears the tracker.
    pub fn set_tracker(&mut self, tracker: Option<Tracker>) {
        self.tracker = tracker;
    }

    /// Sets or clears the info.
    pub fn set_info(&mut self, info: Option<String>) {
        self.change_texts(|texts| texts.info = info);
    }

    /// Sets or clears the source.
    pub fn set_source(&mut self, source: Option<String>) {
        self.change_texts(|texts| texts.source = source);
    }

    fn change_texts(&mut self, change: impl FnOnce(&mut Texts)) {
        let mut texts = self.texts.take().unwrap_or_default();
        change(&mut texts);
        self.texts = (*texts != Texts::default()).then_some(texts);
    }

    /// The bytes that the texts take on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.texts.as_ref().map_or(0, |texts| {
            let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
            size_of::<Texts>() + text(&texts.info) + text(&texts.source)
        })
    }
}

/// Names what is there, e.g. `Attrs { tracker: 7, info: "unmount" }`.
impl fmt::Debug for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Attrs");
        if let Some(tracker) = self.tracker {
            out.field("tracker", &tracker.get());
        }
        if let Some(Texts { info, source }) = self.texts.as_deref() {
            for (name, text) in [("info", info), ("source", source)] {
                if let Some(text) = text {
                    out.field(name, text);
                }
            }
        }
        out.finish()
    }
}

/// ` tracker=7 info="…" source="…"`, what is there, each with a space before it.
impl fmt::Display for Attrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tracker) = self.tracker {
            write!(f, " tracker={tracker}")?;
        }
        if let Some(info) = self.info() {
            write!(f, " info={info:?}")?;
        }
        if let Some(source) = self.source() {
            write!(f, " source={source:?}")?;
        }
        Ok(())
    }
}
