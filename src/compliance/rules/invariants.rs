//! The rules that hold for every event of every case.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{
    failure::{Stop, violates},
    rule::Invariant,
};
use crate::{
    compliance::record::{history::History, mode::Mode, timeline::Timeline},
    contract::{
        backend::Watch,
        capability::{Capabilities, Capability},
        event::{AccessKind, AccessMode, Event, EventKind, ModifyKind, RenameMode, Tracker},
    },
};

/// Writes the invariants as constants, and the list of them all.
macro_rules! invariants {
    ($($name:ident = $id:literal: $rule:literal, $why:literal, $cause:literal;)*) => {
        $(pub(crate) const $name: &Invariant = &Invariant {
            id: $id, rule: $rule, why: $why, usual_cause: $cause,
        };)*
    };
}

invariants! {
    SPELLING = "U1": "an event's path starts with a watched path, spelled as it was given",
        "fsnotify#754, notify#453, notify#740",
        "the path is made absolute or canonical, or is only the name within the folder; \
         join the platform's name to the path of the `Watch`";
    CLEAN_PATH = "U2": "an event's path is neither empty (except for a `Missed` that concerns everything) \
                        nor odd (`.` at the end, `//` inside)",
        "fsnotify#526, fsnotify#655, notify#678",
        "the name of an event about the watched folder itself is empty, and is joined anyway";
    SCOPE = "U3": "an event's path is a watched one or below one, no deeper than the entries of a folder \
                   that is watched without recursion, and not below a removed watch",
        "watchdog#73",
        "`Watch::recursive` is ignored, or events of a removed watch are still in a queue";
    INFO = "U4": "an event of kind `Other` has an info that says what happened",
        "an event without a kind and an info means nothing to a consumer",
        "use `Event::other(info, path)`";
    TRACKER = "U5": "a tracker relates the two halves of one rename, `From` before `To`",
        "fsnotify keeps only ten open renames, arcbox#582 pairs only within one read",
        "the platform's pairs are reported in the wrong order, or a counter is used again too soon";
    ACCESS = "U6": "there are no access events unless a watch has asked for them",
        "consumers that read every reported file react to themselves: superfsmon#5, graphify#3070, \
         nx#37136",
        "the platform is asked for open, read and close events; leave them out of its mask unless \
         `Watch::access` is set";
    NO_ERROR = "U7": "the stream yields no error as long as nothing is wrong",
        "fsnotify#61, fsnotify#475",
        "an interrupted call or a file that vanished meanwhile is passed on as an error; try again, \
         or accept that it is gone";
    FINAL = "U8": "after `None`, the stream yields `None` forever",
        "a consumer that polls once more must not wait forever or see ghosts",
        "`poll_next` forgets that it has ended";
    PROMPT = "U10": "`poll_next` returns at once",
        "a blocked poll blocks every task of the consumer's thread",
        "a blocking read, lock or scan of folders inside `poll_next`";
    NO_LEAK = "U11": "when the backend is dropped, its threads, descriptors and tasks are gone",
        "fsnotify#732 (1400 descriptors per reload), watchdog#249, listen#353",
        "a thread or task is not told to stop, or keeps a clone of what it listens to";
    NO_PANIC = "U12": "nothing panics, in any thread",
        "notify#790 aborted its application because of a file name",
        "an `unwrap` on something that the outside world decides";
    TRUE_PATH = "U14": "a path that is reported as created or modified has existed",
        "notify#555: a renamed root goes on reporting under its old path",
        "after a rename, the table of watched folders keeps the old path";
    NO_LOSS = "U15": "`Missed` is reported only if something may have been lost",
        "a rescan for every few events costs more than the events save",
        "a buffer that is too small, or a `Missed` where an error item belongs";
    NO_TRACKER = "U16": "there are no trackers without the capability TrackRelated",
        "an undeclared capability must not show: consumers cannot rely on it, but will",
        "declare TrackRelated, or leave the tracker out";
}

/// Checks the events of one backend.
#[derive(Debug)]
pub(crate) struct Guard {
    capabilities: Capabilities,
    timeline: Timeline,
    history: History,
    mode: Mode,
    watches: Vec<Guarded>,
    trackers: HashMap<Tracker, Vec<(EventKind, PathBuf)>>,
    /// Losses are expected in this case.
    pub(crate) may_miss: bool,
    /// The closing of written files may be reported to all watches: a hint has asked for it.
    pub(crate) may_report_closes: bool,
    /// Several threads rename in this case, so that the suite cannot know every path that existed.
    pub(crate) is_raced: bool,
}

#[derive(Debug)]
struct Guarded {
    watch: Watch,
    /// Where it really is, in case it is a link or spelled in an odd way.
    real: PathBuf,
}

impl Guard {
    pub(crate) fn new(
        capabilities: Capabilities,
        timeline: Timeline,
        history: History,
        mode: Mode,
    ) -> Self {
        let (watches, trackers) = (Vec::new(), HashMap::new());
        Self {
            capabilities,
            timeline,
            history,
            mode,
            watches,
            trackers,
            may_miss: false,
            may_report_closes: false,
            is_raced: false,
        }
    }

    /// Notes that `watch` was added.
    pub(crate) fn added(&mut self, watch: &Watch) {
        self.removed(&watch.path);
        let real = watch.path.canonicalize().unwrap_or_else(|_| watch.path.clone());
        self.watches.push(Guarded { watch: watch.clone(), real });
    }

    /// Notes that the watch of `path` was removed.
    pub(crate) fn removed(&mut self, path: &Path) {
        self.watches.retain(|guarded| guarded.watch.path.as_os_str() != path.as_os_str());
    }

    /// Forgets the trackers so far.
    pub(crate) fn forget_trackers(&mut self) {
        self.trackers.clear();
    }

    /// Checks an event.
    pub(crate) fn check(&mut self, event: &Event) -> Result<(), Stop> {
        let shown = || format!("the backend reported {}", self.show(event));
        if let EventKind::Missed(_) = event.kind {
            if !self.may_miss {
                return Err(violates(NO_LOSS, shown()));
            }
            if event.path.as_os_str().is_empty() {
                return Ok(());
            }
        }
        let has = |capability| self.capabilities.contains(capability);
        if event.kind == EventKind::Other && event.attrs.info().is_none_or(str::is_empty) {
            return Err(violates(INFO, shown()));
        }
        if event.attrs.tracker().is_some() && !has(Capability::TrackRelated) {
            return Err(violates(NO_TRACKER, shown()));
        }
        self.check_path(event)?;
        self.check_tracker(event)
    }

    fn check_path(&self, event: &Event) -> Result<(), Stop> {
        let shown = || format!("the backend reported {}", self.show(event));
        let path = event.path.as_os_str().as_encoded_bytes();
        let scopes = self.watches.iter().filter_map(|guarded| {
            let below = below(&guarded.watch.path, &event.path)?;
            Some((guarded, below))
        });
        let scopes: Vec<_> = scopes.collect();
        let odd = |below: &[u8]| {
            let parts: Vec<_> = below.split(|&byte| is_separator(byte)).collect();
            !below.is_empty() && parts.iter().any(|part| part.is_empty() || part == b".")
        };
        // If one place is watched under several spellings, one may look odd below another.
        let is_odd = !scopes.is_empty() && scopes.iter().all(|(_, below)| odd(below));
        if path.is_empty() || is_odd {
            return Err(violates(CLEAN_PATH, shown()));
        }
        if scopes.is_empty() {
            let given: Vec<_> = self.watches.iter().map(|guarded| &guarded.watch.path).collect();
            let given: Vec<_> = given.into_iter().map(|path| self.timeline.show(path)).collect();
            let but = format!("{}; the watched paths are {}", shown(), given.join(", "));
            return Err(violates(SPELLING, but));
        }
        let in_scope = |(guarded, below): &(&Guarded, &[u8])| {
            guarded.watch.recursive || !below.iter().any(|&byte| is_separator(byte))
        };
        if !scopes.iter().any(in_scope) {
            return Err(violates(SCOPE, shown()));
        }
        let is_hinted = self.may_report_closes
            && event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
        let is_access = matches!(event.kind, EventKind::Access(_)) && !is_hinted;
        if is_access && !scopes.iter().any(|scope| in_scope(scope) && scope.0.watch.access) {
            return Err(violates(ACCESS, shown()));
        }
        let claims_existence = match event.kind {
            EventKind::Create(_) => true,
            EventKind::Modify(kind) => !matches!(kind, ModifyKind::Name(_)),
            _ => false,
        };
        let existed = |(guarded, _): &(&Guarded, &[u8])| {
            let rest = event.path.strip_prefix(&guarded.watch.path).unwrap_or(Path::new(""));
            let paths = [&event.path, &guarded.real.join(rest)];
            // A name that was gone when the folder above was renamed may be reported below the new name: that
            // order is possible, and later events correct it.
            let is_raced = self.mode == Mode::Concurrent;
            paths.iter().any(|path| self.history.existed(path))
                || is_raced && paths.iter().any(|path| self.history.was_by_parts(path))
        };
        if claims_existence && !self.is_raced && !scopes.iter().any(existed) {
            return Err(violates(TRUE_PATH, format!("{}, which never existed", shown())));
        }
        Ok(())
    }

    fn check_tracker(&mut self, event: &Event) -> Result<(), Stop> {
        let Some(tracker) = event.attrs.tracker() else { return Ok(()) };
        let related = self.trackers.entry(tracker).or_default();
        let this = (event.kind, event.path.clone());
        if !related.contains(&this) {
            related.push(this);
        }
        let from = EventKind::Modify(ModifyKind::Name(RenameMode::From));
        let to = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let kinds: Vec<_> = related.iter().map(|(kind, _)| *kind).collect();
        if kinds == [from] || kinds == [to] || kinds == [from, to] {
            return Ok(());
        }
        let shown: Vec<_> = related
            .iter()
            .map(|(kind, path)| format!("{kind} {}", self.timeline.show(path)))
            .collect();
        let but = format!("tracker {tracker} is on {}", shown.join(", then "));
        Err(violates(TRACKER, but))
    }

    fn show(&self, event: &Event) -> String {
        format!("{} {}", event.kind, self.timeline.show(&event.path))
    }
}

/// Returns the bytes of `path` below `root`, without a separator before them, if it is spelled like that.
fn below<'a>(root: &Path, path: &'a Path) -> Option<&'a [u8]> {
    let root = root.as_os_str().as_encoded_bytes();
    let path = path.as_os_str().as_encoded_bytes();
    let trimmed = match root.split_last() {
        Some((&last, rest)) if is_separator(last) => rest,
        _ => root,
    };
    let rest = path.strip_prefix(trimmed)?;
    match rest.split_first() {
        None => Some(rest),
        Some((&first, below)) => is_separator(first).then_some(below),
    }
}

fn is_separator(byte: u8) -> bool {
    std::path::is_separator(char::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_is_by_spelling() {
        let below = |root: &str, path: &'static str| below(Path::new(root), Path::new(path));
        assert_eq!(below("/a", "/a/b"), Some(&b"b"[..]));
        assert_eq!(below("/a/", "/a/b"), Some(&b"b"[..]));
        assert_eq!(below("/a", "/a"), Some(&b""[..]));
        assert_eq!(below("/", "/b"), Some(&b"b"[..]));
        assert_eq!(below(".", "./b"), Some(&b"b"[..]));
        assert_eq!(below("/a", "/ab"), None);
        assert_eq!(below("/a", "b"), None);
    }
}
