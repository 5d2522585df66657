//! The optional part of an event: tracker, info and source.

use std::{fmt, num::NonZeroU64};

/// Relates events to each other, such as the two halves of a rename.
///
/// Only equality has a meaning, and only among events of one backend that are close in time.
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
    /// Creates a tracker with this value; returns `None` for 0, which platforms use for "no relation".
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        match NonZeroU64::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Returns the value.
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

/// What else is known about an event. Each part may be missing.
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
    /// Returns the tracker that relates this event to others.
    #[must_use]
    pub fn tracker(&self) -> Option<Tracker> {
        self.tracker
    }

    /// Returns more detail about what happened; never missing if the kind
    /// [needs it](crate::EventKind::needs_info).
    ///
    /// It is for people and logs: each backend has its own wording, which may change in any version.
    #[must_use]
    pub fn info(&self) -> Option<&str> {
        self.texts.as_ref()?.info.as_deref()
    }

    /// Returns where the event comes from, for backends that collect events from several places.
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

    /// Returns the number of bytes that the texts take on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.texts.as_ref().map_or(0, |texts| {
            let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
            size_of::<Texts>() + text(&texts.info) + text(&texts.source)
        })
    }
}

/// Shows the parts that are not missing, e.g. `Attrs { tracker: 7, info: "unmount" }`.
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

/// Shows ` tracker=7 info="…" source="…"`: the parts that are not missing, each after a space.
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
