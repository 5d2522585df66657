//! A look amid which something happens.

use std::{
    fs::{self, Metadata},
    io, iter, mem,
    path::{Path, PathBuf},
    sync::{Arc, Barrier, Mutex, OnceLock, Weak},
    thread,
};

use super::{Observer, TRACKS_RENAMES, Trees};
use crate::contract::{
    backend::Watch,
    event::{CreateKind, ModifyKind, RemoveKind, RenameMode, kind::EventKind, one::Event},
};

/// Stops the trees when a look comes to the folder `stop`.
#[derive(Debug, Default)]
struct Stopper {
    trees: OnceLock<Weak<Trees>>,
    observed: Mutex<Vec<PathBuf>>,
    forgotten: Mutex<Vec<PathBuf>>,
}

impl Observer for Stopper {
    fn observe(&self, location: &Path, _: &Metadata) -> io::Result<bool> {
        self.observed.lock().unwrap().push(location.to_owned());
        if location.ends_with("stop") {
            self.trees.get().and_then(Weak::upgrade).unwrap().stop();
        }
        Ok(false)
    }

    fn forget(&self, location: &Path) {
        self.forgotten.lock().unwrap().push(location.to_owned());
    }
}

#[test]
fn what_a_stopped_look_has_not_visited_is_not_gone() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..10 {
        fs::create_dir_all(folder.path().join(format!("{i}/below"))).unwrap();
    }
    let stopper = Arc::new(Stopper::default());
    let trees = Arc::new(Trees::new().observed_by(stopper.clone()));
    stopper.trees.set(Arc::downgrade(&trees)).unwrap();
    trees.watch(Watch::recursive(folder.path())).unwrap();
    let known = mem::take(&mut *stopper.observed.lock().unwrap());

    fs::create_dir(folder.path().join("stop")).unwrap();
    trees.look();

    let visited = mem::take(&mut *stopper.observed.lock().unwrap());
    assert!(visited.len() < known.len(), "it was stopped: {visited:?}");
    // Only what this look has found for the first time.
    let is_new = |place: &PathBuf| !known.contains(place);
    assert!(stopper.forgotten.lock().unwrap().iter().all(is_new));
    assert!(trees.next().is_none());

    // The places are still known, so that they can be forgotten together.
    trees.unwatch(folder.path()).unwrap();
    let mut forgotten = mem::take(&mut *stopper.forgotten.lock().unwrap());
    forgotten.sort();
    forgotten.dedup();
    assert!(known.iter().all(|place| forgotten.contains(place)), "{forgotten:?}");
}

/// Renames the other one of two files when it comes to one of them, as soon as it has their paths.
#[derive(Debug, Default)]
struct Renamer(Mutex<Option<[PathBuf; 3]>>);

impl Observer for Renamer {
    fn observe(&self, location: &Path, _: &Metadata) -> io::Result<bool> {
        let is_one = |[one, other, _]: &mut [PathBuf; 3]| location == one || location == other;
        let both = self.0.lock().unwrap().take_if(is_one);
        if let Some([one, other, new]) = both {
            fs::rename(if location == one { other } else { one }, new)?;
        }
        Ok(false)
    }

    fn forget(&self, _: &Path) {}
}

#[test]
fn what_is_renamed_before_it_is_read_is_found_by_the_next_look() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["one", "other", "new"].map(|name| folder.path().join(name));
    fs::write(&paths[0], "").unwrap();
    fs::write(&paths[1], "").unwrap();
    let renamer = Arc::new(Renamer::default());
    // A listing on Windows comes with the metadata. There, only the contents are read one by one.
    let trees = Trees::new().comparing_contents(true).observed_by(renamer.clone());
    trees.watch(Watch::recursive(folder.path())).unwrap();

    *renamer.0.lock().unwrap() = Some(paths.clone());
    trees.look();
    assert_eq!(reported(&trees), []);

    trees.look();
    let kinds: Vec<_> = reported(&trees).into_iter().map(|event| event.kind).collect();
    if TRACKS_RENAMES {
        assert_eq!(kinds, [RenameMode::From, RenameMode::To].map(rename));
    } else {
        assert_eq!(
            kinds,
            [EventKind::Remove(RemoveKind::File), EventKind::Create(CreateKind::File)]
        );
    }
}

/// The file may be seen at both places, at none, or be gone when it is read.
#[test]
fn what_is_moved_amid_a_look_is_reported_as_renamed() {
    const ROUNDS: usize = 500;

    if !TRACKS_RENAMES {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let places = ["a", "b", "c"].map(|name| folder.path().join(name).join("moved"));
    for place in &places {
        fs::create_dir(place.parent().unwrap()).unwrap();
        for i in 0..50 {
            fs::write(place.with_file_name(format!("other-{i}")), "").unwrap();
        }
    }
    fs::write(&places[0], "").unwrap();
    let trees = Trees::new();
    trees.watch(Watch::recursive(folder.path())).unwrap();

    for round in 0..ROUNDS {
        let [from, to] = [&places[round % 3], &places[(round + 1) % 3]];
        let start = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                fs::rename(from, to).unwrap();
            });
            start.wait();
            trees.look();
        });
        trees.look();
        let kinds: Vec<_> = reported(&trees).into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [RenameMode::From, RenameMode::To].map(rename), "round {round}");
    }
}

fn rename(mode: RenameMode) -> EventKind {
    EventKind::Modify(ModifyKind::Name(mode))
}

/// Takes the events that the looks have found.
fn reported(trees: &Trees) -> Vec<Event> {
    iter::from_fn(|| trees.next()).map(Result::unwrap).collect()
}
