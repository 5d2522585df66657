//! Conversion to and from the events of `notify-types`.

use notify_types::event as notify;

use super::{Event, EventKind, Tracker};

/// An event as Notify's programs know it. [`EventKind::Missed`] becomes a rescan event.
///
/// The [source](super::Attrs::source) is told in the info: `notify-types` has a place for it that
/// only its own crate can fill.
impl From<Event> for notify::Event {
    fn from(event: Event) -> Self {
        let kind = match event.kind {
            EventKind::Any => notify::EventKind::Any,
            EventKind::Access(kind) => notify::EventKind::Access(kind),
            EventKind::Create(kind) => notify::EventKind::Create(kind),
            EventKind::Modify(kind) => notify::EventKind::Modify(kind),
            EventKind::Remove(kind) => notify::EventKind::Remove(kind),
            EventKind::Missed(_) | EventKind::Other => notify::EventKind::Other,
        };
        let mut out = Self::new(kind);
        if let EventKind::Missed(_) = event.kind {
            out = out.set_flag(notify::Flag::Rescan);
        }
        if let Some(tracker) = event.attrs.tracker() {
            out = out.set_tracker(tracker.get());
        }
        match (event.attrs.info(), event.attrs.source()) {
            (Some(info), Some(source)) => out = out.set_info(&format!("{info} (source: {source})")),
            (Some(info), None) => out = out.set_info(info),
            (None, Some(source)) => out = out.set_info(&format!("source: {source}")),
            (None, None) => {}
        }
        if !event.path.as_os_str().is_empty() {
            out = out.add_path(event.path);
        }
        out
    }
}

impl Event {
    /// The events that one of Notify's amounts to: one for each of its paths.
    ///
    /// A rename with both paths becomes its two halves, and a rescan becomes
    /// [`EventKind::Missed`]. An event without a path yields nothing else. A tracker of 0 is not
    /// kept.
    #[must_use]
    pub fn from_notify(event: notify::Event) -> Vec<Self> {
        use notify::{ModifyKind::Name, RenameMode};

        let kind = match event.kind {
            _ if event.need_rescan() => return vec![Self::missed(None)],
            notify::EventKind::Any => EventKind::Any,
            notify::EventKind::Access(kind) => EventKind::Access(kind),
            notify::EventKind::Create(kind) => EventKind::Create(kind),
            notify::EventKind::Modify(kind) => EventKind::Modify(kind),
            notify::EventKind::Remove(kind) => EventKind::Remove(kind),
            notify::EventKind::Other => EventKind::Other,
        };
        let both = kind == EventKind::Modify(Name(RenameMode::Both)) && event.paths.len() == 2;
        let halves = [RenameMode::From, RenameMode::To];
        let attrs = event.attrs;
        let paths = event.paths.into_iter().enumerate();
        paths
            .map(|(i, path)| {
                let kind = if both { EventKind::Modify(Name(halves[i])) } else { kind };
                let mut out = Self::new(kind, path);
                out.attrs.set_tracker(attrs.tracker().and_then(Tracker::new));
                out.attrs.set_info(attrs.info().map(Into::into));
                out.attrs.set_source(attrs.source().map(Into::into));
                out
            })
            .collect()
    }
}
