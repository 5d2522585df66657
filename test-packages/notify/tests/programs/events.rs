//! The events of a folder, as its watcher reports them.

use std::{
    fs,
    path::Path,
    sync::mpsc::{Receiver, channel},
};

use notify::{
    Config, Event, EventKind,
    RecursiveMode::{self, NonRecursive, Recursive},
    Watcher,
    event::AccessKind,
};

use super::{Folder, Notify, Ours, OursForEach, folder::DEADLINE};

/// A program that logs its watcher's events in a folder. It uses the watcher only through notify's trait.
struct Log<W> {
    watcher: W,
    events: Receiver<notify::Result<Event>>,
    lines: Vec<String>,
    /// Dropped last: under Wine, a watched folder cannot be removed.
    folder: Folder,
}

impl<W: Watcher> Log<W> {
    fn of(folder: Folder) -> Self {
        let (sender, events) = channel();
        let watcher = W::new(sender, Config::default()).unwrap();
        Self { watcher, events, lines: vec![], folder }
    }

    fn watch(&mut self, name: &str, mode: RecursiveMode) {
        self.watcher.watch(&self.folder.path(name), mode).unwrap();
    }

    /// Logs a step and its events: all that come before the event of a file that is created afterwards, in the
    /// watched folder `within`.
    fn step(&mut self, what: &str, within: &str, step: impl FnOnce(&Folder)) {
        self.lines.push(format!("{what}:"));
        step(&self.folder);
        let mark = self.folder.path(within).join(format!("mark{}", self.lines.len()));
        fs::File::create(&mark).unwrap();
        loop {
            let event = self.events.recv_timeout(DEADLINE).expect("the mark arrives").unwrap();
            if event.paths == [mark.as_path()] {
                break;
            }
            self.log(&event);
        }
        // This returns when notify's watcher has finished handling the events before.
        self.watcher.configure(Config::default()).unwrap();
    }

    fn log(&mut self, event: &Event) {
        // Notify always reports that a file is opened; the adapter does not ask for it.
        if matches!(event.kind, EventKind::Access(AccessKind::Open(_))) {
            return;
        }
        let is_mark = |path: &Path| path.to_str().unwrap().contains("mark");
        // An event of an earlier mark may arrive late.
        if event.paths.iter().any(|path| is_mark(path)) {
            return;
        }
        let names: Vec<_> = event.paths.iter().map(|path| self.folder.name_of(path)).collect();
        let tracked = if event.tracker().is_some() { ", tracked" } else { "" };
        let line = format!("  {:?} {}{tracked}", event.kind, names.join(" -> "));
        // The kernel may have merged identical events.
        if self.lines.last() != Some(&line) {
            self.lines.push(line);
        }
    }
}

/// Runs the program on both watchers and compares the logs.
#[track_caller]
fn compare(notify: fn() -> Vec<String>, ours: &[fn() -> Vec<String>]) {
    let expected = notify();
    assert!(expected.iter().any(|line| line.starts_with("  ")), "nothing happens");
    for ours in ours {
        let (expected, ours) = (expected.join("\n"), ours().join("\n"));
        assert!(ours == expected, "notify's own log:\n{expected}\n\nthe adapter's:\n{ours}");
    }
}

#[test]
fn life_in_a_tree() {
    fn program<W: Watcher>() -> Vec<String> {
        let folder = Folder::new();
        folder.make("old folder");
        let mut log = Log::<W>::of(folder);
        log.watch("", Recursive);
        log.step("a file", "", |folder| folder.write("file", "text"));
        log.step("more text", "", |folder| folder.write("file", "more"));
        log.step("a folder", "", |folder| folder.make("new folder"));
        log.step("a file in it", "", |folder| folder.write("new folder/file", ""));
        log.step("permissions", "", |folder| {
            let mut permissions = fs::metadata(folder.path("file")).unwrap().permissions();
            permissions.set_readonly(true);
            fs::set_permissions(folder.path("file"), permissions).unwrap();
        });
        log.step("a rename", "", |folder| folder.rename("file", "other"));
        log.step("a rename across folders", "", |folder| folder.rename("other", "old folder/far"));
        log.step("an atomic save", "", |folder| folder.save_atomically("old folder/far", "new"));
        log.step("a renamed folder", "", |folder| folder.rename("new folder", "renamed"));
        log.step("a file in it", "", |folder| folder.write("renamed/more", ""));
        log.step("removed", "", |folder| {
            fs::remove_file(folder.path("renamed/more")).unwrap();
            fs::remove_file(folder.path("renamed/file")).unwrap();
            fs::remove_dir(folder.path("renamed")).unwrap();
        });
        log.lines
    }

    compare(program::<Notify>, &[program::<Ours>, program::<OursForEach>]);
}

#[test]
fn out_of_the_tree_and_into_it() {
    fn program<W: Watcher>() -> Vec<String> {
        let folder = Folder::new();
        for name in ["seen", "unseen"] {
            folder.make(name);
        }
        folder.write("unseen/file", "");
        let mut log = Log::<W>::of(folder);
        log.watch("seen", Recursive);
        log.step("in", "seen", |folder| folder.rename("unseen/file", "seen/file"));
        log.step("out", "seen", |folder| folder.rename("seen/file", "unseen/back"));
        log.lines
    }

    compare(program::<Notify>, &[program::<Ours>, program::<OursForEach>]);
}

#[test]
fn several_paths_and_modes() {
    fn program<W: Watcher>() -> Vec<String> {
        let folder = Folder::new();
        for name in ["flat", "flat/below", "deep", "deep/below", "last"] {
            folder.make(name);
        }
        folder.write("file", "");
        let mut log = Log::<W>::of(folder);
        log.watch("flat", NonRecursive);
        log.watch("deep", Recursive);
        log.watch("file", NonRecursive);
        log.watch("last", NonRecursive);
        let all = |folder: &Folder| {
            for name in ["flat/below/unseen", "flat/new", "deep/below/new", "file"] {
                folder.write(name, "text");
            }
        };
        // The instances are independent of each other, so each step waits for its own.
        log.step("below the flat one", "flat", |folder| folder.write("flat/below/unseen", ""));
        log.step("in the flat one", "flat", |folder| folder.write("flat/new", ""));
        log.step("below the deep one", "deep", |folder| folder.write("deep/below/new", ""));
        for name in ["flat", "deep", "file"] {
            log.watcher.unwatch(&log.folder.path(name)).unwrap();
        }
        // On Windows, notify's watcher is done with them only when this returns.
        log.watcher.configure(Config::default()).unwrap();
        log.step("not watched any more", "last", all);
        log.lines
    }

    compare(program::<Notify>, &[program::<Ours>, program::<OursForEach>]);
}

#[test]
fn a_file_alone() {
    fn program<W: Watcher>() -> Vec<String> {
        let folder = Folder::new();
        folder.write("file", "");
        let mut log = Log::<W>::of(folder);
        log.watch("file", Recursive);
        log.lines.push("written:".into());
        log.folder.write("file", "text");
        loop {
            let event = log.events.recv_timeout(DEADLINE).unwrap().unwrap();
            log.log(&event);
            if event.kind.is_modify() {
                return log.lines;
            }
        }
    }

    compare(program::<Notify>, &[program::<Ours>, program::<OursForEach>]);
}

/// This is how programs exclude folders of a tree.
#[test]
#[cfg_attr(windows, ignore = "notify's own watcher does not exclude folders there")]
fn unwatched_inside_a_tree() {
    fn program<W: Watcher>() -> Vec<String> {
        let folder = Folder::new();
        for name in ["noise", "noise/deep", "kept"] {
            folder.make(name);
        }
        let mut log = Log::<W>::of(folder);
        log.watch("", Recursive);
        log.watcher.unwatch(&log.folder.path("noise")).unwrap();
        log.step("in the excluded folder", "", |folder| {
            folder.write("noise/file", "");
            folder.write("noise/deep/file", "");
        });
        log.step("beside it", "", |folder| folder.write("kept/file", ""));
        log.step("removed", "", |folder| fs::remove_dir_all(folder.path("noise")).unwrap());
        log.step("made again", "", |folder| folder.make("noise"));
        log.step("in the new one", "", |folder| folder.write("noise/new", ""));
        log.lines
    }

    compare(program::<Notify>, &[program::<Ours>, program::<OursForEach>]);
}

/// A removed folder can be watched again once it exists again.
#[test]
#[cfg_attr(windows, ignore = "under Wine, a watched folder cannot be removed")]
fn removed_and_made_again() {
    fn program<W: Watcher>() -> Vec<String> {
        let folder = Folder::new();
        for name in ["gone", "stays"] {
            folder.make(name);
        }
        let mut log = Log::<W>::of(folder);
        log.watch("gone", Recursive);
        fs::remove_dir(log.folder.path("gone")).unwrap();
        let event = log.events.recv_timeout(DEADLINE).unwrap().unwrap();
        log.log(&event);
        log.watch("stays", NonRecursive);
        let unwatched = log.watcher.unwatch(&log.folder.path("gone"));
        log.lines.push(format!("unwatched: {:?}", unwatched.unwrap_err().kind));
        log.step("made again", "stays", |folder| {
            folder.make("gone");
            folder.write("gone/unseen", "");
        });
        log.watch("gone", Recursive);
        log.step("watched again", "gone", |folder| folder.write("gone/seen", ""));
        log.lines
    }

    compare(program::<Notify>, &[program::<Ours>, program::<OursForEach>]);
}
