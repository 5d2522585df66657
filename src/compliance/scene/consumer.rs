//! A mirror of a tree that is kept up to date by events alone: [`Consumer`].

use std::{
    collections::BTreeMap,
    fs::{self, FileType},
    ops::Bound,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::sentinel::is_sentinel;
use crate::{
    compliance::rules::{
        failure::{Step, ensure},
        profile::Profile,
    },
    contract::event::{Event, EventKind, ModifyKind, RenameMode},
};

/// How a consumer uses reports, which depends on what the backend can notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It looks at each path at once. The backend gets an event for every change, so if the path changes
    /// after that, there is another report.
    AtOnce,
    /// As `AtOnce`, but it takes a removal at its word. An entry that comes and goes between two looks of a
    /// backend that compares states is never reported, so a consumer must not look at it; one that is there
    /// again at the next look is reported as new.
    TrustingRemovals,
    /// As `TrustingRemovals`, but it looks when nothing changes any more. To a backend that compares
    /// states and does not know files again, one that was away between two looks, or was another
    /// one, looks as if it had been there all the time. A consumer that looks at that moment is
    /// wrong, and nothing will tell it.
    WhenSettled,
}

impl Reading {
    /// Returns how a consumer has to use a backend with this profile.
    pub(crate) fn of(profile: &Profile) -> Self {
        match (profile.coalesced, profile.pairs_renames) {
            (false, _) => Self::AtOnce,
            (true, true) => Self::TrustingRemovals,
            (true, false) => Self::WhenSettled,
        }
    }
}

/// The state of a tree as known to a consumer that scans it once and then goes by events.
///
/// An event only says that its path is worth another look: to replay it literally would be wrong, for
/// example, for two files that were exchanged.
#[derive(Debug)]
pub(crate) struct Consumer {
    root: PathBuf,
    recursive: bool,
    reading: Reading,
    entries: BTreeMap<PathBuf, State>,
    /// Reported events, which are used when nothing changes any more.
    held_back: Vec<Event>,
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    kind: FileType,
    length: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(path: &Path) -> Option<Self> {
        let metadata = path.symlink_metadata().ok()?;
        let kind = metadata.file_type();
        if kind.is_dir() {
            // The size and time of a folder change with its entries, which have events of their
            // own.
            return Some(Self { kind, length: 0, modified: None });
        }
        Some(Self { kind, length: metadata.len(), modified: metadata.modified().ok() })
    }
}

impl Consumer {
    /// Scans `root`, and returns a consumer that mirrors it.
    pub(crate) fn of(root: &Path, recursive: bool) -> Self {
        let mut consumer = Self {
            root: root.into(),
            recursive,
            reading: Reading::AtOnce,
            entries: BTreeMap::new(),
            held_back: Vec::new(),
        };
        consumer.scan(root);
        consumer
    }

    /// Sets how reports are used, instead of [`AtOnce`](Reading::AtOnce).
    pub(crate) fn reading(mut self, reading: Reading) -> Self {
        self.reading = reading;
        self
    }

    /// Takes in a reported event.
    pub(crate) fn take_in(&mut self, event: &Event) {
        match self.reading {
            Reading::AtOnce | Reading::TrustingRemovals => self.apply(event),
            Reading::WhenSettled => self.held_back.push(event.clone()),
        }
    }

    /// Notes that everything was reported, and nothing changes any more.
    pub(crate) fn settled(&mut self) {
        for event in std::mem::take(&mut self.held_back) {
            self.apply(&event);
        }
    }

    /// Looks again where the event says so.
    fn apply(&mut self, event: &Event) {
        match event.kind {
            EventKind::Missed(_) if event.path.as_os_str().is_empty() => {
                self.entries.clear();
                self.scan(&self.root.clone());
            }
            EventKind::Access(_) => {}
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From))
                if self.reading != Reading::AtOnce =>
            {
                self.forget(&event.path);
            }
            // What is at the path now may be another folder with other entries.
            EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Any
            | EventKind::Other
            | EventKind::Missed(_) => {
                self.forget(&event.path);
                self.look_at(&event.path);
            }
            EventKind::Modify(_) => {
                let is_folder = |state: &State| state.kind.is_dir();
                let was_folder = self.entries.get(&event.path).is_some_and(is_folder);
                if !was_folder || !State::of(&event.path).as_ref().is_some_and(is_folder) {
                    self.forget(&event.path);
                    self.look_at(&event.path);
                }
            }
        }
    }

    fn forget(&mut self, path: &Path) {
        // What is below a path comes right behind it.
        let known = self.entries.range::<Path, _>((Bound::Included(path), Bound::Unbounded));
        let known = known.map(|(known, _)| known);
        let below: Vec<_> = known.take_while(|known| known.starts_with(path)).cloned().collect();
        for known in below {
            self.entries.remove(&known);
        }
    }

    fn look_at(&mut self, path: &Path) {
        let Some(state) = State::of(path) else { return };
        if path != self.root {
            self.entries.insert(path.into(), state);
        }
        if state.kind.is_dir() && (self.recursive || path == self.root) {
            self.scan(path);
        }
    }

    fn scan(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if !is_sentinel(&path) {
                self.look_at(&path);
            }
        }
    }

    /// Fails unless the mirror equals the disk.
    pub(crate) fn matches_disk(&self) -> Step {
        let differences = self.differences(&Self::of(&self.root, self.recursive));
        ensure(
            differences.is_empty(),
            "a consumer's mirror that is kept by events alone equals the disk",
            || {
                let shown: Vec<_> = differences.iter().take(10).map(String::as_str).collect();
                format!("{} entries differ:\n{}", differences.len(), shown.join("\n"))
            },
        )
    }

    /// Returns the paths that `other` has and this one has not, or has in another state.
    pub(crate) fn changed_paths(&self, other: &Self) -> Vec<PathBuf> {
        let paths = self.entries.keys().chain(other.entries.keys());
        let changed = paths.filter(|path| self.entries.get(*path) != other.entries.get(*path));
        changed.cloned().collect()
    }

    /// Returns what differs in `other`, in words.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let paths = self.entries.keys().chain(other.entries.keys());
        let mut paths: Vec<_> = paths.collect();
        paths.sort();
        paths.dedup();
        let describe = |path: &Path| {
            let path = path.strip_prefix(&self.root).unwrap_or(path).display();
            path.to_string()
        };
        paths
            .into_iter()
            .filter_map(|path| match (self.entries.get(path), other.entries.get(path)) {
                (Some(_), None) => Some(format!("{} is not there any more", describe(path))),
                (None, Some(_)) => {
                    Some(format!("{} is there, and was not reported", describe(path)))
                }
                (Some(known), Some(real)) if known != real => {
                    Some(format!("{} has changed since it was last reported", describe(path)))
                }
                _ => None,
            })
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]
mod tests {
    use tempfile::TempDir;

    use super::{
        Reading::{AtOnce, TrustingRemovals, WhenSettled},
        *,
    };
    use crate::contract::event::{CreateKind, DataChange, RemoveKind};

    /// A folder, and a consumer that mirrors it.
    struct Scene {
        folder: TempDir,
        consumer: Consumer,
    }

    impl Scene {
        /// With a file `known`, which the consumer has seen.
        fn new(reading: Reading) -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("known"), "as it was").unwrap();
            let consumer = Consumer::of(folder.path(), true).reading(reading);
            Self { folder, consumer }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, content: &str) {
            fs::write(self.path(name), content).unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.path(from), self.path(to)).unwrap();
        }

        fn created(&mut self, name: &str) {
            self.consumer.take_in(&Event::create(CreateKind::File, self.path(name)));
        }

        fn removed(&mut self, name: &str) {
            self.consumer.take_in(&Event::remove(RemoveKind::File, self.path(name)));
        }

        /// Returns what is wrong in the mirror when nothing changes any more.
        fn errors(mut self) -> Vec<String> {
            self.consumer.settled();
            self.consumer.differences(&Consumer::of(self.folder.path(), true))
        }
    }

    const ALL: [Reading; 3] = [AtOnce, TrustingRemovals, WhenSettled];

    #[test]
    fn reported_changes_are_in_the_mirror() {
        for reading in ALL {
            let mut scene = Scene::new(reading);
            scene.write("new", "");
            scene.created("new");
            scene.write("known", "as it is");
            let change = ModifyKind::Data(DataChange::Any);
            scene.consumer.take_in(&Event::modify(change, scene.path("known")));
            assert_eq!(scene.errors(), [""; 0], "{reading:?}");
        }
    }

    #[test]
    fn unreported_changes_are_not() {
        for reading in ALL {
            let scene = Scene::new(reading);
            scene.write("new", "");
            assert_eq!(scene.errors(), ["new is there, and was not reported"], "{reading:?}");

            let scene = Scene::new(reading);
            scene.write("known", "longer than it was");
            let said = ["known has changed since it was last reported"];
            assert_eq!(scene.errors(), said, "{reading:?}");

            let scene = Scene::new(reading);
            fs::remove_file(scene.path("known")).unwrap();
            assert_eq!(scene.errors(), ["known is not there any more"], "{reading:?}");
        }
    }

    #[test]
    fn everything_is_rescanned_after_a_loss() {
        for reading in ALL {
            let mut scene = Scene::new(reading);
            scene.write("new", "");
            scene.consumer.take_in(&Event::missed(None));
            assert_eq!(scene.errors(), [""; 0], "{reading:?}");
        }
    }

    #[test]
    fn only_the_part_with_the_loss_is_rescanned() {
        for reading in ALL {
            let mut scene = Scene::new(reading);
            for folder in ["one", "other"] {
                fs::create_dir(scene.path(folder)).unwrap();
                scene.created(folder);
            }
            scene.consumer.settled();
            scene.write("one/new", "");
            scene.write("other/new", "");
            scene.consumer.take_in(&Event::missed_below(scene.path("one"), None));
            let other = Path::new("other").join("new");
            let said = format!("{} is there, and was not reported", other.display());
            assert_eq!(scene.errors(), [said], "{reading:?}");
        }
    }

    /// It is there. A backend that compares states says that it is removed only if a look did not find
    /// it, and that it is back after that.
    #[test]
    fn removals_are_trusted_where_states_are_compared() {
        for (reading, looks) in [(AtOnce, true), (TrustingRemovals, false), (WhenSettled, false)] {
            let mut scene = Scene::new(reading);
            scene.removed("known");
            assert_eq!(scene.errors().is_empty(), looks, "{reading:?}");
        }
    }

    /// The file was away for a moment, in which the consumer got the report of it.
    #[test]
    fn looking_at_once_misses_what_was_away() {
        for (reading, looks) in [(AtOnce, false), (TrustingRemovals, false), (WhenSettled, true)] {
            let mut scene = Scene::new(reading);
            scene.write("new", "");
            scene.rename("new", "away");
            scene.created("new");
            scene.rename("away", "new");
            assert_eq!(scene.errors().is_empty(), looks, "{reading:?}");
        }
    }

    /// It is removed, made again and removed again, or the other way round: the order counts.
    #[test]
    fn deferred_events_are_used_in_order() {
        let mut scene = Scene::new(WhenSettled);
        scene.removed("known");
        scene.created("known");
        assert_eq!(scene.errors(), [""; 0]);

        let mut scene = Scene::new(WhenSettled);
        scene.created("known");
        scene.removed("known");
        assert_eq!(scene.errors(), ["known is there, and was not reported"]);
    }

    #[test]
    fn reading_follows_from_the_profile() {
        let lossless = Profile::default();
        let sampled = lossless.clone().sampled(std::time::Duration::ZERO);
        assert_eq!(Reading::of(&lossless), AtOnce);
        assert_eq!(Reading::of(&lossless.pairs_renames(false)), AtOnce);
        assert_eq!(Reading::of(&sampled), TrustingRemovals);
        assert_eq!(Reading::of(&sampled.pairs_renames(false)), WhenSettled);
    }
}
