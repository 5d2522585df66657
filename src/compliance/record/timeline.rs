//! What happened in a case, with the time of each thing: [`Timeline`].

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The record of a case, shared by all that take part in it.
#[derive(Clone, Debug)]
pub(crate) struct Timeline(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    start: Instant,
    /// The folder that paths are shown relative to.
    base: PathBuf,
    entries: Vec<Entry>,
    /// What the backend is being asked to do right now, and since when.
    call: Option<(&'static str, Instant)>,
    /// How many changes there have been.
    changes: usize,
    /// How many are being made, since when, and how long others have taken.
    changing: (usize, Instant, Duration),
}

/// A part of a record.
#[derive(Debug)]
pub(crate) struct Entries(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    at: Duration,
    kind: &'static str,
    text: String,
}

/// How many lines are shown from the beginning and from the end of a long record.
const SHOWN: usize = 20;

impl Timeline {
    /// Creates a record that begins now and shows paths relative to `base`.
    pub(crate) fn new(base: PathBuf) -> Self {
        let start = Instant::now();
        Self(Arc::new(Mutex::new(Inner {
            start,
            base,
            entries: Vec::new(),
            call: None,
            changes: 0,
            changing: (0, start, Duration::ZERO),
        })))
    }

    /// Notes that the suite did something.
    pub(crate) fn did(&self, text: impl Into<String>) {
        self.add("did", &text.into());
        self.lock().changes += 1;
    }

    /// Returns how many changes the suite has made.
    pub(crate) fn changes(&self) -> usize {
        self.lock().changes
    }

    /// Makes a change, and remembers how long that takes.
    pub(crate) fn while_changing<T>(&self, change: impl FnOnce() -> T) -> T {
        let mut inner = self.lock();
        if inner.changing.0 == 0 {
            inner.changing.1 = Instant::now();
        }
        inner.changing.0 += 1;
        drop(inner);
        let made = change();
        let mut inner = self.lock();
        inner.changing.0 -= 1;
        if inner.changing.0 == 0 {
            let took = inner.changing.1.elapsed();
            inner.changing.2 += took;
        }
        drop(inner);
        made
    }

    /// Returns for how long changes have been made.
    pub(crate) fn time_of_changes(&self) -> Duration {
        let made = self.lock().changing.2;
        made + self.unfinished_change().unwrap_or_default()
    }

    /// Returns how long a change has lasted that is being made.
    pub(crate) fn unfinished_change(&self) -> Option<Duration> {
        let (making, since, _) = self.lock().changing;
        (making > 0).then(|| since.elapsed())
    }

    /// Notes a call of the backend, or something other than an event that came from it.
    pub(crate) fn note(&self, kind: &'static str, text: impl Into<String>) {
        self.add(kind, &text.into());
    }

    /// Notes that the backend reported an event, as `text`.
    pub(crate) fn reported(&self, text: &str) {
        self.add("event", text);
    }

    /// Takes what happened so far out of the record; dropping it forgets it, for cases in which very
    /// much happens.
    pub(crate) fn take(&self) -> Entries {
        Entries(std::mem::take(&mut self.lock().entries))
    }

    /// Puts back into the record what was taken out of it.
    pub(crate) fn put_back(&self, entries: Entries) {
        self.lock().entries = entries.0;
    }

    /// Runs a call into the backend, and remembers while it lasts which one it is.
    pub(crate) fn during<T>(&self, call: &'static str, body: impl FnOnce() -> T) -> T {
        self.lock().call = Some((call, Instant::now()));
        let value = body();
        self.lock().call = None;
        value
    }

    /// Returns the call into the backend that has not returned, and how long it has lasted.
    pub(crate) fn unfinished_call(&self) -> Option<(&'static str, Duration)> {
        self.lock().call.map(|(call, since)| (call, since.elapsed()))
    }

    /// `path` as the record shows it.
    pub(crate) fn show(&self, path: &Path) -> String {
        let shown = self.shorten(&path.display().to_string());
        // A name may hold anything; line breaks would make two lines of it.
        shown.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
    }

    /// `text` with the paths in it as the record shows them.
    pub(crate) fn shorten(&self, text: &str) -> String {
        let base = format!("{}{}", self.lock().base.display(), std::path::MAIN_SEPARATOR);
        text.replace(&base, "")
    }

    fn add(&self, kind: &'static str, text: &str) {
        let text = self.shorten(text);
        let mut inner = self.lock();
        let at = inner.start.elapsed();
        inner.entries.push(Entry { at, kind, text });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The record is whole after every statement, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        let left_out = inner.entries.len().saturating_sub(2 * SHOWN);
        for (i, Entry { at, kind, text }) in inner.entries.iter().enumerate() {
            if left_out > 0 && i == SHOWN {
                writeln!(f, "             … {left_out} lines left out …")?;
            }
            if left_out == 0 || i < SHOWN || i >= SHOWN + left_out {
                writeln!(f, "  {:>6} ms  {kind:<7} {text}", at.as_millis())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_unfinished_while_it_is_made() {
        let timeline = Timeline::new(PathBuf::new());
        assert_eq!(timeline.unfinished_change(), None);
        timeline.while_changing(|| assert!(timeline.unfinished_change().is_some()));
        assert_eq!(timeline.unfinished_change(), None);
        assert!(timeline.time_of_changes() > Duration::ZERO);
    }
}
