//! Mistakes about what is gone, or was somewhere else before.

use std::{
    collections::{HashSet, VecDeque},
    fs, io,
    os::unix::fs::MetadataExt as _,
};

use notify_backend::{event::Tracker, prelude::*};
use notify_backend_inotify::InotifyBackend;

use crate::{
    construction::Made,
    contents::{is_half, is_metadata, is_removal},
    kills::{Entry, entry},
    mutant::Mutation,
    places::path_of,
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        entry::<SilentIfReplaced>("silent_if_replaced", &["ROOT11"]),
        entry::<StaysWithFolder>("stays_with_folder", &["FIL20"]),
        entry::<TellsOfRemoved>("tells_of_removed", &["FIL21"]),
        entry::<TwoHops>("two_hops", &["SYM01"]),
        entry::<FollowsMovedTarget>("follows_moved_target", &["SYM17"]),
        entry::<EmptiesUnreadable>("empties_unreadable", &["REC27"]),
        entry::<LooksTooLate>("looks_too_late", &["REC28"]),
        entry::<MergesRenames>("merges_renames", &["REN15"]),
        entry::<DeafToBusy>("deaf_to_busy", &["REC26"]),
    ]
}

/// Mutations that know the watched paths.
macro_rules! with_roots {
    ($($(#[$doc:meta])* $name:ident = |$roots:ident, $event:ident| $is_dropped:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default)]
            struct $name {
                roots: Vec<PathBuf>,
            }
            impl Mutation for $name {
                fn new(watches: Vec<Watch>) -> Made<Self> {
                    let roots = watches.iter().map(|watch| watch.path.clone()).collect();
                    Ok((InotifyBackend::new(watches)?, Self { roots }))
                }
                fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
                    let $roots = &self.roots;
                    if !item.as_ref().is_ok_and(|$event| $is_dropped) {
                        reported.push_back(item);
                    }
                }
            }
        )*
    };
}

with_roots! {
    /// Takes a watched folder for there if its path has one.
    SilentIfReplaced = |roots, event| {
        let is_gone = is_half(event, RenameMode::From) || is_removal(event);
        is_gone && roots.contains(&event.path) && event.path.is_dir()
    };
    /// Says nothing of a watched file when its folder goes.
    StaysWithFolder = |roots, event| {
        roots.contains(&event.path) && event.path.parent().is_some_and(|folder| !folder.exists())
    };
}

/// Goes on reporting about a file that is open, under its last name.
#[derive(Debug, Default)]
struct TellsOfRemoved {
    open: Vec<PathBuf>,
    /// Those that were removed before the last read.
    written: Vec<PathBuf>,
}
impl Mutation for TellsOfRemoved {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        let polled = Pin::new(inner).poll_next(cx);
        if polled.is_pending() {
            self.written.append(&mut self.open);
        }
        polled
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let written = |path| Ok(Event::modify(ModifyKind::Data(DataChange::Any), path));
        reported.extend(self.written.drain(..).map(written));
        if let Ok(event) = &item
            && is_removal(event)
        {
            let descriptors = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
            let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
            let deleted = format!("{} (deleted)", event.path.display());
            if targets.into_iter().any(|target| target.as_os_str() == deleted.as_str()) {
                self.open.push(event.path.clone());
            }
        }
        reported.push_back(item);
    }
}

/// Follows a watched link for only two steps.
#[derive(Debug, Default)]
struct TwoHops;
impl Mutation for TwoHops {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let next = |path: PathBuf| Some(path.parent()?.join(fs::read_link(&path).ok()?));
        let third = next(path_of(&item).to_owned()).and_then(next);
        if !third.is_some_and(|third| third.is_symlink()) {
            reported.push_back(item);
        }
    }
}

/// Stays with the folder that a link in a tree leads to when it is renamed.
#[derive(Debug, Default)]
struct FollowsMovedTarget {
    /// The links, and where they led to.
    links: Vec<(PathBuf, PathBuf)>,
    leaving: Option<(Tracker, PathBuf)>,
    moved: Vec<(PathBuf, PathBuf)>,
}
impl Mutation for FollowsMovedTarget {
    fn new(mut watches: Vec<Watch>) -> Made<Self> {
        let follow = watches.iter().filter(|watch| watch.follow_links && watch.recursive);
        let entries = follow.filter_map(|watch| fs::read_dir(&watch.path).ok()).flatten();
        let links = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_symlink());
        let links: Vec<_> =
            links.filter_map(|link| Some((link.clone(), link.canonicalize().ok()?))).collect();
        let above = links.iter().filter_map(|(_, target)| target.parent());
        watches.extend(above.map(Watch::recursive).collect::<Vec<_>>());
        Ok((InotifyBackend::new(watches)?, Self { links, leaving: None, moved: Vec::new() }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let Ok(event) = &item else { return };
        let is_extra = |(_, target): &(PathBuf, PathBuf)| {
            target.parent().is_some_and(|above| event.path.starts_with(above))
        };
        if !self.links.iter().any(is_extra) {
            reported.push_back(item);
            return;
        }
        if is_half(event, RenameMode::From) {
            let left = self.links.iter().find(|(_, target)| *target == event.path);
            self.leaving = event.attrs.tracker().zip(left.map(|(link, _)| link.clone()));
        }
        if is_half(event, RenameMode::To)
            && let Some((tracker, link)) = self.leaving.take()
            && event.attrs.tracker() == Some(tracker)
        {
            self.moved.push((event.path.clone(), link));
        }
        for (target, link) in &self.moved {
            if let (EventKind::Create(kind), Ok(below)) =
                (event.kind, event.path.strip_prefix(target))
            {
                reported.push_back(Ok(Event::create(kind, link.join(below))));
            }
        }
    }
}

fn all_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| std::iter::once(path.clone()).chain(all_below(&path))).collect()
}

/// Takes a folder that cannot be listed for an empty one.
#[derive(Debug, Default)]
struct EmptiesUnreadable {
    known: Vec<PathBuf>,
}
impl Mutation for EmptiesUnreadable {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let known = watches.iter().flat_map(|watch| all_below(&watch.path)).collect();
        Ok((InotifyBackend::new(watches)?, Self { known }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item).to_owned();
        let is_denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        if item.as_ref().is_ok_and(is_metadata) && fs::read_dir(&path).is_err_and(is_denied) {
            let below =
                self.known.iter().filter(|known| **known != path && known.starts_with(&path));
            reported.extend(below.map(|below| Ok(Event::remove(RemoveKind::Any, below))));
        }
        reported.push_back(item);
    }
}

/// Does not see in new folders what is gone by the time that it looks.
#[derive(Debug, Default)]
struct LooksTooLate {
    new: HashSet<PathBuf>,
}
impl Mutation for LooksTooLate {
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        let is_in_new = path.parent().is_some_and(|folder| self.new.contains(folder));
        if is_in_new && path.symlink_metadata().is_err() {
            return;
        }
        if item.as_ref().is_ok_and(|event| event.kind == EventKind::Create(CreateKind::Folder)) {
            self.new.insert(path.to_owned());
        }
        reported.push_back(item);
    }
}

const HALVES: [RenameMode; 2] = [RenameMode::From, RenameMode::To];

/// Reports each of several equal renames that wait once, at the place of the first.
#[derive(Debug, Default)]
struct MergesRenames {
    waiting: VecDeque<StreamItem>,
}
impl Mutation for MergesRenames {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        if self.waiting.is_empty() {
            let mut said = HashSet::new();
            let end = loop {
                match Pin::new(&mut *inner).poll_next(cx) {
                    Poll::Ready(Some(item)) => {
                        let rename = item
                            .as_ref()
                            .ok()
                            .filter(|it| HALVES.iter().any(|half| is_half(it, *half)));
                        let rename = rename.map(|event| (event.kind, event.path.clone()));
                        if rename.is_none_or(|rename| said.insert(rename)) {
                            self.waiting.push_back(item);
                        }
                    }
                    end => break end,
                }
            };
            if self.waiting.is_empty() {
                return end;
            }
        }
        Poll::Ready(self.waiting.pop_front())
    }
}

/// Notes in which folders beside the watched ones something happens, and takes these for uninteresting for ever.
#[derive(Debug, Default)]
struct DeafToBusy {
    beside: Vec<PathBuf>,
    busy: HashSet<u64>,
}
impl Mutation for DeafToBusy {
    fn new(mut watches: Vec<Watch>) -> Made<Self> {
        let above = watches.iter().filter_map(|watch| watch.path.parent());
        let beside: Vec<_> =
            above.map(|above| above.join("outside")).filter(|path| path.is_dir()).collect();
        watches.extend(beside.iter().map(Watch::recursive));
        Ok((InotifyBackend::new(watches)?, Self { beside, busy: HashSet::new() }))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        let path = path_of(&item);
        let folder = path.parent().and_then(|folder| folder.metadata().ok()).map(|it| it.ino());
        if self.beside.iter().any(|beside| path.starts_with(beside)) {
            self.busy.extend(folder);
        } else if !folder.is_some_and(|folder| self.busy.contains(&folder)) {
            reported.push_back(item);
        }
    }
}
