//! The sample's output for real changes, from a folder's first file to its removal.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use notify_backend::{Event, EventKind, event::ModifyKind};
use sample_tests::{Ended, Running};
use tempfile::TempDir;

/// A folder, and the sample that watches it.
struct Watched {
    folder: TempDir,
    sample: Running,
}

fn sample(arguments: &[&str], folder: &Path) -> Running {
    Running::start(Command::new(env!("CARGO_BIN_EXE_watch")).args(arguments).arg(folder))
}

impl Watched {
    /// Starts the sample with `arguments` and waits until it is ready.
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut sample = sample(&[&["--json"], arguments].concat(), folder.path());
        let ready = sample.line();
        assert!(ready.starts_with(r#"{"ready":true,"backend":""#), "{ready}");
        Self { folder, sample }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the next event that is not about access or metadata.
    #[track_caller]
    fn event(&mut self) -> Event {
        loop {
            let line = self.sample.line();
            let event: Event =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            match event.kind {
                EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => {}
                _ => return event,
            }
        }
    }

    /// Checks the kind and the path of the next event, and returns it.
    #[track_caller]
    fn expect(&mut self, kind: &str, name: impl AsRef<Path>) -> Event {
        let event = self.event();
        assert_eq!((event.kind.name(), &event.path), (kind, &self.path(name)), "{event}");
        event
    }

    /// Interrupts the sample, and checks that it has no more events.
    #[track_caller]
    fn end(self) {
        self.sample.interrupt();
        let Ended { code, stderr, .. } = self.sample.end();
        assert_eq!((code, stderr), (Some(0), vec![]));
    }
}

#[test]
fn life_of_a_file() {
    let mut watched = Watched::start(&[]);
    let (old, new) = (watched.path("old"), watched.path("new"));

    File::create(&old).unwrap();
    watched.expect("create/file", "old");

    File::options().append(true).open(&old).unwrap().write_all(b"text").unwrap();
    watched.expect("modify/data/any", "old");

    fs::rename(&old, &new).unwrap();
    let from = watched.expect("modify/name/from", "old");
    let to = watched.expect("modify/name/to", "new");
    assert!(from.attrs.tracker().is_some());
    assert_eq!(from.attrs.tracker(), to.attrs.tracker());

    fs::remove_file(&new).unwrap();
    watched.expect("remove/file", "new");
    watched.end();
}

#[test]
fn tree_created_at_once() {
    let mut watched = Watched::start(&[]);
    fs::create_dir_all(watched.path("a/b/c")).unwrap();
    File::create(watched.path("a/b/c/f")).unwrap();
    watched.expect("create/folder", "a");
    watched.expect("create/folder", "a/b");
    watched.expect("create/folder", "a/b/c");
    watched.expect("create/file", "a/b/c/f");
    watched.end();
}

#[test]
fn nothing_below_the_folder() {
    let mut watched = Watched::start(&["--no-recursive"]);
    fs::create_dir(watched.path("a")).unwrap();
    File::create(watched.path("a/unseen")).unwrap();
    File::create(watched.path("seen")).unwrap();
    watched.expect("create/folder", "a");
    watched.expect("create/file", "seen");
    watched.end();
}

/// Notify's watcher also reports a rename as a whole.
#[test]
fn rename_through_notify() {
    let mut watched = Watched::start(&["--notify"]);
    File::create(watched.path("old")).unwrap();
    fs::rename(watched.path("old"), watched.path("new")).unwrap();
    watched.expect("create/file", "old");
    watched.expect("modify/name/from", "old");
    watched.expect("modify/name/to", "new");
    watched.expect("modify/name/both", "old");
    watched.end();
}

/// A file that is created, written and renamed meanwhile counts as created under its new name.
#[test]
fn debounced_through_notify() {
    let mut watched = Watched::start(&["--debounce", "1000"]);
    fs::write(watched.path("old"), "text").unwrap();
    fs::rename(watched.path("old"), watched.path("new")).unwrap();
    watched.expect("create/file", "new");
    watched.end();
}

#[test]
fn name_that_is_not_unicode() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let mut watched = Watched::start(&[]);
    let name = OsStr::from_bytes(b"caf\xe9");
    File::create(watched.path(name)).unwrap();
    watched.expect("create/file", name);
    watched.end();
}

#[test]
fn folder_that_goes_away() {
    let mut watched = Watched::start(&[]);
    fs::remove_dir(watched.folder.path()).unwrap();
    watched.expect("remove/folder", "");
    assert_eq!(watched.sample.note(), "all watched paths are gone; press Ctrl-C to stop");
    watched.end();
}

#[test]
fn lines_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let mut sample = sample(&[], folder.path());
    let greeting = sample.note();
    assert!(greeting.ends_with("and all below; Ctrl-C ends it"), "{greeting}");
    let file = folder.path().join("new");
    File::create(&file).unwrap();
    assert_eq!(sample.line(), format!("create/file {}", file.display()));
}
