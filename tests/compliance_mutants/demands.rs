//! Mistakes with the demands of watches that are added later.

use std::collections::{HashMap, HashSet, VecDeque};

use notify_backend::{prelude::*, settings::Hints};
use notify_backend_inotify::InotifyBackend;

use crate::{
    construction::Made,
    kills::{Entry, entry},
    mutant::Mutation,
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<WatchAllIsFlat>("watch_all_is_flat", &["CHG19"]),
        entry::<WatchAllIsQuiet>("watch_all_is_quiet", &["CHG19"]),
        entry::<WatchAllFollowsNothing>("watch_all_follows_nothing", &["CHG19"]),
        entry::<WatchIsFlat>("watch_is_flat", &["CHG06", "CHG19"]),
        entry::<WatchIsQuiet>("watch_is_quiet", &["CHG19"]),
        entry::<WatchFollowsNothing>("watch_follows_nothing", &["CHG19"]),
        entry::<QuietWithTheFirst>("quiet_with_the_first", &["ACC10"]),
        entry::<EndsEarlierOnError>("ends_earlier_on_error", &["CHG21"]),
        entry::<KeepsAccessDemand>("keeps_access_demand", &["CHG19"]),
        entry::<KeepsLinkDemand>("keeps_link_demand", &["CHG19"]),
        entry::<KeepsDemandOfFile>("keeps_demand_of_file", &["CHG19"]),
        entry::<LastSpellingDecides>("last_spelling_decides", &["ACC12"]),
        entry::<HintReportsReads>("hint_reports_reads", &["CON29"]),
        entry::<HintEndsReads>("hint_ends_reads", &["CON29"]),
        entry::<RefusesHints>("refuses_hints", &["CON29"]),
        entry::<InnerIsQuiet>("inner_is_quiet", &["ACC11"]),
        entry::<InnerDecides>("inner_decides", &["ACC11"]),
        entry::<InnerFollowsNothing>("inner_follows_nothing", &["SYM15"]),
    ]
}

fn flat(mut watch: Watch) -> Watch {
    watch.recursive = false;
    watch
}

fn quiet(mut watch: Watch) -> Watch {
    watch.access = false;
    watch
}

fn of_link(mut watch: Watch) -> Watch {
    watch.follow_links = false;
    watch
}

/// Mutations that ignore a demand in one of the ways to add a watch.
macro_rules! heedless {
    (watch { $($one:ident = $forgets_one:ident;)* } watch_all { $($all:ident = $forgets:ident;)* }) => {
        $(
            #[derive(Debug, Default)]
            pub(crate) struct $one;
            impl Mutation for $one {
                fn watch(
                    &mut self,
                    inner: &mut InotifyBackend,
                    watch: Watch,
                ) -> Result<(), BackendError> {
                    inner.watch($forgets_one(watch))
                }
            }
        )*
        $(
            #[derive(Debug, Default)]
            pub(crate) struct $all;
            impl Mutation for $all {
                fn watch_all(
                    &mut self,
                    inner: &mut InotifyBackend,
                    watches: Vec<Watch>,
                ) -> Result<(), BackendError> {
                    inner.watch_all(watches.into_iter().map($forgets).collect())
                }
            }
        )*
    };
}

heedless! {
    watch {
        WatchIsFlat = flat;
        WatchIsQuiet = quiet;
        WatchFollowsNothing = of_link;
    }
    watch_all {
        WatchAllIsFlat = flat;
        WatchAllIsQuiet = quiet;
        WatchAllFollowsNothing = of_link;
    }
}

/// Mutations that keep a demand of the first watch of a path.
macro_rules! keeps {
    ($($name:ident = $demand:ident;)*) => {
        $(
            #[derive(Debug, Default)]
            pub(crate) struct $name {
                first: HashMap<PathBuf, bool>,
            }
            impl Mutation for $name {
                fn watch(
                    &mut self,
                    inner: &mut InotifyBackend,
                    mut watch: Watch,
                ) -> Result<(), BackendError> {
                    let first = self.first.entry(watch.path.clone()).or_insert(watch.$demand);
                    watch.$demand = *first;
                    inner.watch(watch)
                }
            }
        )*
    };
}

keeps! {
    KeepsAccessDemand = access;
    KeepsLinkDemand = follow_links;
}

/// Does not distinguish closing after writing from closing after reading.
#[derive(Debug, Default)]
struct HintReportsReads {
    is_hinted: bool,
}
impl Mutation for HintReportsReads {
    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Made<Self> {
        let is_hinted = hints.report_closes && watches.iter().all(|watch| !watch.access);
        let watches =
            if is_hinted { watches.into_iter().map(Watch::with_access).collect() } else { watches };
        Ok((InotifyBackend::new(watches)?, Self { is_hinted }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_other = |event: &Event| match event.kind {
            EventKind::Access(kind) => !matches!(kind, AccessKind::Close(_)),
            _ => false,
        };
        if !(self.is_hinted && item.as_ref().is_ok_and(is_other)) {
            reported.push_back(item);
        }
    }
}

/// Asks for closing only, if there is a hint, and for nothing that a watch asks for.
#[derive(Debug, Default)]
struct HintEndsReads {
    is_hinted: bool,
}
impl Mutation for HintEndsReads {
    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Made<Self> {
        let is_hinted = hints.report_closes;
        Ok((InotifyBackend::with_hints(watches, hints)?, Self { is_hinted }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_hinted = |kind| kind == AccessKind::Close(AccessMode::Write);
        let is_other = |event: &Event| match event.kind {
            EventKind::Access(kind) => !is_hinted(kind),
            _ => false,
        };
        if !(self.is_hinted && item.as_ref().is_ok_and(is_other)) {
            reported.push_back(item);
        }
    }
}

/// Refuses an interval that it finds too short.
#[derive(Debug, Default)]
struct RefusesHints;
impl Mutation for RefusesHints {
    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Made<Self> {
        if hints.poll_interval.is_some_and(|interval| interval.is_zero()) {
            return Err(BackendError::unavailable("the interval is zero"));
        }
        Self::new(watches)
    }
}

/// Takes a tree inside another one for watched already.
fn new_with_inner(
    mut watches: Vec<Watch>,
    forgets: fn(Watch) -> Watch,
) -> Result<InotifyBackend, BackendError> {
    let all = watches.clone();
    for watch in &mut watches {
        let is_inner = |outer: &Watch| {
            outer.recursive && outer.path != watch.path && watch.path.starts_with(&outer.path)
        };
        if all.iter().any(is_inner) {
            *watch = forgets(watch.clone());
        }
    }
    InotifyBackend::new(watches)
}

#[derive(Debug, Default)]
struct InnerIsQuiet;
impl Mutation for InnerIsQuiet {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        Ok((new_with_inner(watches, quiet)?, Self))
    }
}

#[derive(Debug, Default)]
struct InnerFollowsNothing;
impl Mutation for InnerFollowsNothing {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        Ok((new_with_inner(watches, of_link)?, Self))
    }
}

/// Reports accesses if the innermost watch asks for them.
#[derive(Debug, Default)]
struct InnerDecides {
    watches: Vec<Watch>,
}
impl Mutation for InnerDecides {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        Ok((InotifyBackend::new(watches.clone())?, Self { watches }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_dropped = item.as_ref().is_ok_and(|event| {
            let covering = self.watches.iter().filter(|watch| event.path.starts_with(&watch.path));
            let innermost = covering.max_by_key(|watch| watch.path.components().count());
            matches!(event.kind, EventKind::Access(_)) && innermost.is_some_and(|it| !it.access)
        });
        if !is_dropped {
            reported.push_back(item);
        }
    }
}

/// Removes the earlier watch of a path before it knows whether the new one succeeds.
#[derive(Debug, Default)]
struct EndsEarlierOnError;
impl Mutation for EndsEarlierOnError {
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        let path = watch.path.clone();
        inner.watch(watch).inspect_err(|_| _ = inner.unwatch(&path))
    }
}

/// Stops reporting accesses when a watch is removed, although others ask for them.
#[derive(Debug, Default)]
struct QuietWithTheFirst {
    is_quiet: bool,
}
impl Mutation for QuietWithTheFirst {
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        self.is_quiet = true;
        inner.unwatch(path)
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_access = |event: &Event| matches!(event.kind, EventKind::Access(_));
        if !(self.is_quiet && item.as_ref().is_ok_and(is_access)) {
            reported.push_back(item);
        }
    }
}

/// Takes a file that is watched already for done.
#[derive(Debug, Default)]
struct KeepsDemandOfFile {
    files: HashSet<PathBuf>,
}
impl Mutation for KeepsDemandOfFile {
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        if watch.path.is_file() && !self.files.insert(watch.path.clone()) {
            return Ok(());
        }
        inner.watch(watch)
    }
    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        self.files.remove(path);
        inner.unwatch(path)
    }
}

/// Asks the platform for what the last watch of a folder needs, whatever its spelling.
#[derive(Debug, Default)]
struct LastSpellingDecides {
    loud: HashMap<PathBuf, bool>,
}
impl Mutation for LastSpellingDecides {
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        // As paths, `a/.` and `a` are equal.
        self.loud.insert(watch.path.clone(), watch.access);
        inner.watch(watch)
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let is_dropped = item.as_ref().is_ok_and(|event| {
            let folder = event.path.parent().and_then(|folder| self.loud.get(folder));
            matches!(event.kind, EventKind::Access(_)) && folder == Some(&false)
        });
        if !is_dropped {
            reported.push_back(item);
        }
    }
}
