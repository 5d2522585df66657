//! The optional part of an event: tracker, info, source and process.

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
/// assert_eq!((attrs.tracker(), attrs.info(), attrs.source(), attrs.process()), (None, None, None, None));
///
/// attrs.set_tracker(Tracker::new(7));
/// attrs.set_info(Some("is: symlink".into()));
/// assert_eq!(attrs.info(), Some("is: symlink"));
/// assert_eq!(attrs.to_string(), r#" tracker=7 info="is: symlink""#);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Attrs {
    tracker: Option<Tracker>,
    // Out of line: an event is to stay small. `None` where each of them is `None`, so that equal
    // attributes compare equal.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Rare {
    info: Option<String>,
    source: Option<String>,
    process: Option<u32>,
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
        self.rare.as_ref()?.info.as_deref()
    }

    /// Returns where the event comes from, for backends that collect events from several places.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.rare.as_ref()?.source.as_deref()
    }

    /// Returns the id of the process that did it, if the platform tells the backend.
    ///
    /// By the time the event is read, the process may have ended, and another one may have its id. An event
    /// that stands for several changes names a process only if it did them all.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.rare.as_ref()?.process
    }

    /// Sets or clears the tracker.
    pub fn set_tracker(&mut self, tracker: Option<Tracker>) {
        self.tracker = tracker;
    }

    /// Sets or clears the info.
    pub fn set_info(&mut self, info: Option<String>) {
        self.change(|rare| rare.info = info);
    }

    /// Sets or clears the source.
    pub fn set_source(&mut self, source: Option<String>) {
        self.change(|rare| rare.source = source);
    }

    /// Sets or clears the id of the process.
    pub fn set_process(&mut self, process: Option<u32>) {
        self.change(|rare| rare.process = process);
    }

    fn change(&mut self, change: impl FnOnce(&mut Rare)) {
        let mut rare = self.rare.take().unwrap_or_default();
        change(&mut rare);
        self.rare = (*rare != Rare::default()).then_some(rare);
    }

    /// Returns the number of bytes that the attributes take on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.rare.as_ref().map_or(0, |rare| {
            let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
            size_of::<Rare>() + text(&rare.info) + text(&rare.source)
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
        if let Some(Rare { info, source, process }) = self.rare.as_deref() {
            for (name, text) in [("info", info), ("source", source)] {
                if let Some(text) = text {
                    out.field(name, text);
                }
            }
            if let Some(process) = process {
                out.field("process", process);
            }
        }
        out.finish()
    }
}

/// Shows ` tracker=7 info="…" source="…" process=1`: the parts that are not missing, each after a space.
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
        if let Some(process) = self.process() {
            write!(f, " process={process}")?;
        }
        Ok(())
    }
}
