//! Conversion to and from the events of `notify-types`.

use notify_types::event as notify;

use super::{Attrs, Event, EventKind, ModifyKind, RenameMode, Tracker};

/// Converts an event for programs that use notify. [`EventKind::Missed`] becomes a rescan event, with its
/// path if it has one, and without its count.
///
/// The [source](Attrs::source) becomes part of the info: `notify-types` has a field for it that only its
/// own crate can set.
///
/// ```
/// use notify_backend::prelude::*;
///
/// let event = notify_types::event::Event::from(Event::create(CreateKind::File, "/srv/page"));
/// assert!(event.kind.is_create());
/// assert_eq!(event.paths, [Path::new("/srv/page")]);
///
/// let rescan = notify_types::event::Event::from(Event::missed_below("/srv", None));
/// assert!(rescan.need_rescan());
/// assert_eq!(rescan.paths, [Path::new("/srv")]);
/// ```
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
            out = out.set_tracker(folded(tracker.get()));
        }
        match (event.attrs.info(), event.attrs.source()) {
            (Some(info), Some(source)) => out = out.set_info(&format!("{info} (source: {source})")),
            (Some(info), None) => out = out.set_info(info),
            (None, Some(source)) => out = out.set_info(&format!("source: {source}")),
            (None, None) => {}
        }
        if let Some(process) = event.attrs.process() {
            out = out.set_process_id(process);
        }
        if !event.path.as_os_str().is_empty() {
            out.paths = vec![event.path];
        }
        out
    }
}

/// Returns a tracker of notify's width. If that is half as wide, it combines both halves.
#[allow(clippy::cast_possible_truncation, reason = "what is cut off is in the lower half as well")]
fn folded(tracker: u64) -> usize {
    (tracker ^ tracker.checked_shr(usize::BITS).unwrap_or(0)) as usize
}

impl Event {
    /// Converts an event of notify's: returns one event for each of its paths.
    ///
    /// - A rescan event becomes an [`EventKind::Missed`] for each of its paths, or one for everything
    ///   if it has none.
    /// - A rename with both paths becomes its two halves. Notify's inotify watcher reports such an
    ///   event after the two halves; code that forwards that watcher's events drops it.
    /// - An event that needs an info and has none gets `unspecified`.
    /// - Any other event without a path is dropped, and so is a tracker of 0.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    /// use notify_types::event::EventKind as NotifyKind;
    ///
    /// let both = ModifyKind::Name(RenameMode::Both);
    /// let event = notify_types::event::Event::new(NotifyKind::Modify(both))
    ///     .add_path("/srv/old".into())
    ///     .add_path("/srv/new".into());
    ///
    /// let halves = Event::from_notify(event);
    /// assert_eq!(halves[0], Event::rename(RenameMode::From, "/srv/old"));
    /// assert_eq!(halves[1], Event::rename(RenameMode::To, "/srv/new"));
    /// ```
    #[must_use]
    pub fn from_notify(event: notify::Event) -> Vec<Self> {
        let mut attrs = Attrs::default();
        attrs.set_tracker(event.tracker().and_then(|tracker| Tracker::new(tracker as u64)));
        attrs.set_info(event.info().map(Into::into));
        attrs.set_source(event.source().map(Into::into));
        attrs.set_process(event.attrs.process_id());

        let kind = match event.kind {
            _ if event.need_rescan() && event.paths.is_empty() => {
                return vec![Self { attrs, ..Self::missed(None) }];
            }
            _ if event.need_rescan() => EventKind::Missed(None),
            notify::EventKind::Any => EventKind::Any,
            notify::EventKind::Access(kind) => EventKind::Access(kind),
            notify::EventKind::Create(kind) => EventKind::Create(kind),
            notify::EventKind::Modify(kind) => EventKind::Modify(kind),
            notify::EventKind::Remove(kind) => EventKind::Remove(kind),
            notify::EventKind::Other => EventKind::Other,
        };
        if kind.needs_info() && attrs.info().is_none() {
            attrs.set_info(Some("unspecified".into()));
        }
        let half = |mode| EventKind::Modify(ModifyKind::Name(mode));
        let kinds = if kind == half(RenameMode::Both) && event.paths.len() == 2 {
            [half(RenameMode::From), half(RenameMode::To)]
        } else {
            [kind; 2]
        };
        let kinds = kinds.into_iter().chain(std::iter::repeat(kind));
        let paths = event.paths.into_iter();
        paths.zip(kinds).map(|(path, kind)| Self { kind, path, attrs: attrs.clone() }).collect()
    }
}
