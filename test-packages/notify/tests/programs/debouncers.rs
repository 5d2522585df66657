//! Notify's debouncers, which use a watcher only through notify's trait.

use std::{sync::mpsc::channel, time::Duration};

use notify::{
    Config, EventKind, RecursiveMode, Watcher,
    event::{ModifyKind, RenameMode},
};
use notify_debouncer_full::{DebounceEventResult, NoCache};
use notify_debouncer_mini as mini;

use super::{Folder, Notify, Ours, OursForEach, folder::DEADLINE};

/// Longer than the time between the two halves of a rename on the busiest machine.
const QUIET: Duration = Duration::from_millis(500);

/// Creates a folder with two subfolders, and a file in each.
fn two_folders() -> Folder {
    let folder = Folder::new();
    for name in ["left", "right"] {
        folder.make(name);
        folder.write(&format!("{name}/file"), "");
    }
    folder
}

/// Renames a file from one folder to the other, and saves one as an editor does. The last change is a mark.
fn changes(folder: &Folder) {
    folder.rename("left/file", "right/moved");
    folder.save_atomically("right/file", "text");
    folder.write("mark", "");
}

/// Returns the output of `notify-debouncer-full` up to the last change.
fn full<W: Watcher>() -> Vec<String> {
    let folder = two_folders();
    let (sender, results) = channel::<DebounceEventResult>();
    let mut debouncer = notify_debouncer_full::new_debouncer_opt::<_, W, _>(
        QUIET,
        None,
        sender,
        NoCache,
        Config::default(),
    )
    .unwrap();
    debouncer.watch(folder.path(""), RecursiveMode::Recursive).unwrap();
    changes(&folder);

    let mut lines = vec![];
    while !lines.iter().any(|line: &String| line.ends_with("mark")) {
        for event in results.recv_timeout(DEADLINE).expect("the changes arrive").unwrap() {
            if event.kind.is_access() {
                continue;
            }
            let names: Vec<_> = event.paths.iter().map(|path| folder.name_of(path)).collect();
            lines.push(format!("{:?} {}", event.kind, names.join(" -> ")));
        }
    }
    lines
}

#[test]
#[cfg_attr(windows, ignore = "Wine reports nothing from folders that are older than the watch")]
fn full_follows_a_rename_and_an_atomic_save() {
    let expected = full::<Notify>();
    let both = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
    assert_eq!(expected[0], format!("{both:?} left/file -> right/moved"));
    assert_eq!(full::<Ours>(), expected);
    assert_eq!(full::<OursForEach>(), expected);
}

/// Returns the output of `notify-debouncer-mini` up to the last change.
fn mini<W: Watcher>() -> Vec<String> {
    let folder = two_folders();
    let (sender, results) = channel();
    let config = mini::Config::default().with_timeout(QUIET);
    let mut debouncer = mini::new_debouncer_opt::<_, W>(config, sender).unwrap();
    debouncer.watcher().watch(&folder.path(""), RecursiveMode::Recursive).unwrap();
    changes(&folder);

    let mut names = vec![];
    while !names.contains(&"mark".into()) {
        for event in results.recv_timeout(DEADLINE).expect("the changes arrive").unwrap() {
            // Notify's own watcher reports its own listing of the folders.
            if !event.path.is_dir() {
                names.push(folder.name_of(&event.path));
            }
        }
    }
    names.sort();
    names.dedup();
    names
}

#[test]
fn mini_follows_a_rename_and_an_atomic_save() {
    let expected = mini::<Notify>();
    assert_eq!(mini::<Ours>(), expected);
    assert_eq!(mini::<OursForEach>(), expected);
}
