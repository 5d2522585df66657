//! Changes while the backend is listing folders, far more of them than in the compliance suite.

mod renames;
mod scene;

use std::{fs, os::unix::fs::symlink, thread};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use scene::{Scene, assert_nothing_missed};

/// A folder cannot be found any more from a moment before its removal is reported.
#[test]
fn short_lived_folders_are_no_loss() {
    // The kernel notifies one watch after the other, this backend's somewhere among them.
    let others: Vec<_> = (0..60).map_while(|_| inotify::init(CreateFlags::NONBLOCK).ok()).collect();
    let mut scene = Scene::new();
    let folder = scene.path("folder");
    for round in 0..50 {
        let last = folder.join(round.to_string());
        let changes = || {
            for _ in 0..20 {
                fs::create_dir(&folder).unwrap();
                for other in &others {
                    inotify::add_watch(other, &folder, WatchFlags::DELETE_SELF).unwrap();
                }
                fs::remove_dir(&folder).unwrap();
            }
            fs::create_dir(&folder).unwrap();
            fs::File::create(&last).unwrap();
        };
        assert_nothing_missed(&scene.read_during(changes, &last));
        fs::remove_dir_all(&folder).unwrap();
    }
}

/// The folder is opened in one place, and listed when it is in another.
#[test]
fn new_file_after_a_rename_has_the_new_path() {
    let mut scene = Scene::new();
    // A folder that takes some time to list.
    let elsewhere = tempfile::tempdir().unwrap();
    let full = elsewhere.path().join("full");
    fs::create_dir(&full).unwrap();
    for i in 0..2_000 {
        fs::File::create(full.join(i.to_string())).unwrap();
    }
    let [first, second, last] = ["first", "second", "last"].map(|name| scene.path(name));
    for round in 0..50 {
        let last = last.with_extension(round.to_string());
        let changes = || {
            fs::rename(&full, &first).unwrap();
            thread::yield_now();
            fs::rename(&first, &second).unwrap();
            for i in 0..20 {
                fs::File::create(second.join(format!("made-{i}"))).unwrap();
            }
            fs::File::create(&last).unwrap();
        };
        for event in scene.read_during(changes, &last) {
            let is_made = event.path.to_string_lossy().contains("made-");
            assert!(!is_made || event.path.starts_with(&second), "round {round}: {event}");
        }
        for i in 0..20 {
            fs::remove_file(second.join(format!("made-{i}"))).unwrap();
        }
        fs::rename(&second, &full).unwrap();
    }
}

/// Opening a folder causes events on the folder itself: two for each link that leads there.
#[test]
fn links_to_watched_folders_do_not_fill_the_queue() {
    let top = tempfile::tempdir().unwrap();
    let folder = top.path().join("folder");
    fs::create_dir(&folder).unwrap();
    for i in 0..9_000 {
        symlink(&folder, top.path().join(format!("link-{i}"))).unwrap();
    }
    let mut scene = Scene::watching(top);
    assert_nothing_missed(&scene.touch_and_read("last"));
}
