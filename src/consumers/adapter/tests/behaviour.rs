//! What a watcher watches and reports.

use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::TryRecvError,
    time::Duration,
};

use notify::{
    ErrorKind, EventKind,
    event::{Flag, ModifyKind, RenameMode},
};

use super::*;
use crate::{
    StreamError,
    contract::{
        capability::Capability,
        error::BackendError,
        event::{Event as Ours, RemoveKind, Tracker},
        settings::Hints,
    },
};

#[test]
fn one_instance_for_all_paths() {
    let stage = Stage::new("one_instance_for_all_paths");
    let (mut watcher, events) = watcher::<Able>();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    watcher.watch(&stage.path("b"), NonRecursive).unwrap();
    assert_eq!((stage.alive(), stage.watches(0)), (1, vec!["a/...".into(), "b".into()]));
    for path in ["a/new", "b/new"] {
        stage.report(0, created(stage.path(path)));
        assert_eq!(next_paths(&events), [stage.path(path)]);
    }
    watcher.unwatch(&stage.path("a")).unwrap();
    assert_eq!(stage.watches(0), ["b"]);
}

#[test]
fn an_instance_for_each_path() {
    let stage = Stage::new("an_instance_for_each_path");
    let (mut watcher, events) = watcher::<Fixed>();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    watcher.watch(&stage.path("b"), NonRecursive).unwrap();
    assert_eq!((stage.watches(0), stage.watches(1)), (vec!["a/...".into()], vec!["b".into()]));
    for (number, path) in [(1, "b/new"), (0, "a/new"), (1, "b/more")] {
        stage.report(number, created(stage.path(path)));
        assert_eq!(next_paths(&events), [stage.path(path)]);
    }
    watcher.unwatch(&stage.path("a")).unwrap();
    assert_eq!(stage.alive(), 1);
    stage.report(1, created(stage.path("b/last")));
    assert_eq!(next_paths(&events), [stage.path("b/last")]);
}

#[test]
fn another_instance_of_a_choice_for_paths_that_the_first_cannot_watch() {
    let stage = Stage::new("another_instance_of_a_choice");
    let (mut watcher, events) = watcher::<Choice>();
    for path in ["a", "limit", "b", "in/limit"] {
        watcher.watch(&stage.path(path), NonRecursive).unwrap();
    }
    assert_eq!(stage.watches(0), ["a", "b"]);
    assert_eq!(stage.watches(1), ["limit", "in/limit"]);
    for (number, path) in [(0, "b"), (1, "limit")] {
        stage.report(number, created(stage.path(path)));
        assert_eq!(next_paths(&events), [stage.path(path)]);
    }

    watcher.watch(&stage.path("limit"), Recursive).unwrap();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    assert_eq!(stage.watches(0), ["b", "a/..."]);
    assert_eq!(stage.watches(1), ["in/limit", "limit/..."], "the one that watched it before");

    for path in ["limit", "in/limit"] {
        watcher.unwatch(&stage.path(path)).unwrap();
    }
    assert_eq!((stage.made(), stage.alive()), (2, 1), "nothing is left for the second one");
    for path in ["a", "b"] {
        watcher.unwatch(&stage.path(path)).unwrap();
    }
    assert_eq!(stage.alive(), 1, "it waits for the next path");
}

#[test]
fn paths_that_are_added_at_once_share_an_instance_of_a_choice() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::at(folder.path().to_owned());
    let paths = ["a", "b", "limit"].map(|name| stage.path(name));
    for path in &paths {
        std::fs::create_dir(path).unwrap();
    }
    let (mut watcher, _events) = watcher::<Choice>();
    watcher.watch(&paths[0], NonRecursive).unwrap();
    several(&mut watcher, &paths).unwrap();
    assert_eq!(stage.watches(0), ["a/..."]);
    assert_eq!(stage.watches(1), ["b/...", "limit/..."]);
}

/// No other backend would take the place of the one that is at its limit.
#[test]
fn a_limit_is_final_without_a_choice() {
    let stage = Stage::new("a_limit_is_final");
    let (mut watcher, _events) = watcher::<Able>();
    watcher.watch(&stage.path("a"), NonRecursive).unwrap();
    let error = watcher.watch(&stage.path("limit"), NonRecursive).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::MaxFilesWatch), "{error}");
    assert_eq!(stage.made(), 1);
}

#[test]
fn a_busy_instance_does_not_starve_the_others() {
    let stage = Stage::new("a_busy_instance_does_not_starve_the_others");
    let (mut watcher, events) = watcher::<Fixed>();
    for name in ["a", "b"] {
        watcher.watch(&stage.path(name), Recursive).unwrap();
    }
    let (a, b) = (stage.sender(0), stage.sender(1));
    thread::scope(|scope| {
        let (stop, stopped) = channel::<()>();
        let path = stage.path("a/new");
        scope.spawn(move || {
            while stopped.try_recv() == Err(TryRecvError::Empty) {
                a.send(created(&path));
            }
        });
        next(&events).unwrap();
        b.send(created(stage.path("b/new")));
        while next_paths(&events) != [stage.path("b/new")] {}
        // Nor do they keep the watcher from adding and removing paths.
        watcher.unwatch(&stage.path("b")).unwrap();
        drop(stop);
    });
}

#[test]
fn watched_again() {
    fn check<B: Backend>(name: &str, made: usize) {
        let stage = Stage::new(name);
        let (mut watcher, _events) = watcher::<B>();
        watcher.watch(&stage.path("a"), Recursive).unwrap();
        watcher.watch(&stage.path("a"), Recursive).unwrap();
        watcher.watch(&stage.path("a/."), NonRecursive).unwrap();
        assert_eq!((stage.alive(), stage.made()), (1, made));
        watcher.unwatch(&stage.path("a")).unwrap();
        let error = watcher.unwatch(&stage.path("a")).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::WatchNotFound), "{error}");
        assert_eq!(error.paths, [stage.path("a")]);
    }

    check::<Able>("watched_again", 1);
    check::<Fixed>("watched_again_fixed", 3);
}

#[test]
fn never_watched() {
    let stage = Stage::new("never_watched");
    let (mut watcher, _events) = watcher::<Able>();
    for _ in 0..2 {
        let error = watcher.unwatch(&stage.path("b")).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::WatchNotFound), "{error}");
        assert_eq!(error.paths, [stage.path("b")]);
        watcher.watch(&stage.path("a"), Recursive).unwrap();
    }
}

#[test]
fn refused() {
    fn check<B: Backend>(name: &str) {
        let stage = Stage::new(name);
        let (mut watcher, events) = watcher::<B>();
        for _ in 0..2 {
            let error = watcher.watch(&stage.path("missing"), Recursive).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::PathNotFound), "{error}");
            assert_eq!(error.paths, [stage.path("missing")]);
            let error = watcher.watch(&stage.path("limit"), Recursive).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::MaxFilesWatch), "{error}");
            assert_eq!(error.paths, [stage.path("limit")]);
            // The second time, while another path is watched.
            watcher.watch(&stage.path("a"), Recursive).unwrap();
        }
        stage.report(stage.made() - 1, created(stage.path("a/new")));
        assert_eq!(next_paths(&events), [stage.path("a/new")]);
    }

    check::<Able>("refused");
    check::<Fixed>("refused_fixed");
}

#[test]
fn relative_path() {
    let (mut watcher, _events) = watcher::<Able>();
    let error = watcher.watch(Path::new("./missing"), Recursive).unwrap_err();
    assert_eq!(error.paths, [std::env::current_dir().unwrap().join("./missing")]);
}

#[test]
fn recursion_without_the_capability() {
    let stage = Stage::new("recursion_without_the_capability");
    let (mut watcher, _events) = watcher::<Flat>();
    let folder = std::env::temp_dir();
    let error = watcher.watch(&folder, Recursive).unwrap_err();
    assert!(matches!(&error.kind, ErrorKind::Generic(text) if text.contains("WatchRecursively")));
    assert_eq!(error.paths, [folder]);
    // A file is never watched recursively.
    watcher.watch(&stage.path("file"), Recursive).unwrap();
    assert_eq!(stage.watches(0), ["file"]);
}

#[test]
fn more_than_was_asked_for() {
    let stage = Stage::new("more_than_was_asked_for");
    let (mut watcher, events) = watcher::<Able>();
    let report = |path| stage.report(0, created(stage.path(path)));
    watcher.watch(&stage.path("flat"), NonRecursive).unwrap();
    watcher.watch(&stage.path("deep"), Recursive).unwrap();
    for path in ["flat/below/new", "flat/new", "flat", "deep/below/new", "flat/below/last"] {
        report(path);
    }
    for path in ["flat/new", "flat", "deep/below/new"] {
        assert_eq!(next_paths(&events), [stage.path(path)]);
    }
    // A loss concerns all paths, or the part that it names.
    stage.report(0, Ours::missed(None));
    assert!(next(&events).unwrap().need_rescan());
    for path in ["flat/below", "flat"] {
        stage.report(0, Ours::missed_below(stage.path(path), None));
        assert_eq!(next_paths(&events), [stage.path(path)]);
    }
    stage.report(0, Ours::missed_below(stage.path("flat/below/deeper"), None));
    report("flat/new");
    assert_eq!(next_paths(&events), [stage.path("flat/new")]);

    // While another folder is still watched without recursion.
    watcher.watch(&stage.path("other"), NonRecursive).unwrap();
    watcher.watch(&stage.path("flat"), Recursive).unwrap();
    report("flat/below/seen");
    assert_eq!(next_paths(&events), [stage.path("flat/below/seen")]);
    watcher.watch(&stage.path("flat"), NonRecursive).unwrap();
    for path in ["flat/below/unseen", "flat/seen"] {
        report(path);
    }
    assert_eq!(next_paths(&events), [stage.path("flat/seen")]);
}

#[test]
fn rename() {
    let stage = Stage::new("rename");
    let (mut watcher, events) = watcher::<Able>();
    watcher.watch(&stage.path(""), Recursive).unwrap();
    let (old, new) = (stage.path("old"), stage.path("new"));
    let half = |mode, path: &Path, tracker| {
        stage.report(0, Ours::rename(mode, path).with_tracker(Tracker::new(tracker)));
    };
    // First half a rename, whose other name is not watched; then a whole one.
    half(RenameMode::To, &new, 6);
    half(RenameMode::From, &old, 7);
    half(RenameMode::To, &new, 7);
    half(RenameMode::To, &new, 0);
    let names = |mode| EventKind::Modify(ModifyKind::Name(mode));
    for (mode, paths, tracker) in [
        (RenameMode::To, vec![&new], Some(6)),
        (RenameMode::From, vec![&old], Some(7)),
        (RenameMode::To, vec![&new], Some(7)),
        (RenameMode::Both, vec![&old, &new], Some(7)),
        (RenameMode::To, vec![&new], None),
    ] {
        let event = next(&events).unwrap();
        assert_eq!((event.kind, event.paths.iter().collect()), (names(mode), paths));
        assert_eq!(event.tracker(), tracker);
    }
}

#[test]
fn trackers_of_two_instances() {
    let stage = Stage::new("trackers_of_two_instances");
    let (mut watcher, events) = watcher::<Fixed>();
    for name in ["a", "b"] {
        watcher.watch(&stage.path(name), Recursive).unwrap();
    }
    let half = |number, mode, path| {
        stage.report(number, Ours::rename(mode, stage.path(path)).with_tracker(Tracker::new(7)));
        next(&events).unwrap()
    };
    let out = half(0, RenameMode::From, "a/old");
    let unrelated = half(1, RenameMode::To, "b/new");
    assert_ne!(out.tracker(), unrelated.tracker());
    let into = half(0, RenameMode::To, "a/new");
    assert_eq!(out.tracker(), into.tracker());
    assert_eq!(next_paths(&events), [stage.path("a/old"), stage.path("a/new")]);
}

#[test]
fn every_part_of_an_event_is_passed_on() {
    let stage = Stage::new("every_part_of_an_event_is_passed_on");
    let (mut watcher, events) = watcher::<Able>();
    watcher.watch(&stage.path(""), Recursive).unwrap();
    let event = Ours::other("unmount", stage.path("usb")).with_source("disk 2");
    stage.report(0, event.with_tracker(Tracker::new(7)));
    let event = next(&events).unwrap();
    assert_eq!((event.kind, event.tracker()), (EventKind::Other, Some(7)));
    assert_eq!(event.info(), Some("unmount (source: disk 2)"));

    stage.report(0, Ours::missed(std::num::NonZeroU32::new(3)));
    let event = next(&events).unwrap();
    assert_eq!((event.flag(), event.paths), (Some(Flag::Rescan), vec![]));

    stage.report(0, Ours::missed_below(stage.path("usb"), None));
    let event = next(&events).unwrap();
    assert_eq!((event.flag(), event.paths), (Some(Flag::Rescan), vec![stage.path("usb")]));
}

#[test]
fn errors_while_it_runs() {
    let stage = Stage::new("errors_while_it_runs");
    let (mut watcher, events) = watcher::<Able>();
    watcher.watch(&stage.path("a"), Recursive).unwrap();
    let (full, locked) = (stage.path("a/full"), stage.path("a/locked"));
    let sender = stage.sender(0);
    for (path, kind) in
        [(&full, io::ErrorKind::StorageFull), (&locked, io::ErrorKind::PermissionDenied)]
    {
        let cause = BackendError::from_io(path, kind.into());
        sender.send_error(StreamError::unwatched(path, cause));
    }
    sender.send_error(StreamError::Unwatched {
        path: stage.path("a/none"),
        cause: Box::new(BackendError::unavailable("no daemon")),
    });
    sender.send_error(StreamError::read(io::Error::from_raw_os_error(5)));

    let error = next(&events).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::MaxFilesWatch), "{error}");
    assert_eq!(error.paths, [full]);
    let error = next(&events).unwrap_err();
    assert!(
        matches!(&error.kind, ErrorKind::Io(error) if error.kind() == io::ErrorKind::PermissionDenied)
    );
    assert_eq!(error.paths, [locked]);
    let error = next(&events).unwrap_err();
    assert!(matches!(&error.kind, ErrorKind::Generic(text) if text.contains("no daemon")));
    assert_eq!(error.paths, [stage.path("a/none")]);
    let error = next(&events).unwrap_err();
    assert!(matches!(&error.kind, ErrorKind::Io(error) if error.raw_os_error() == Some(5)));
    assert_eq!(error.paths, [stage.path("a")], "all paths that are to be rescanned");
}

#[test]
fn stream_has_ended() {
    fn check<B: Backend>(name: &str) {
        let stage = Stage::new(name);
        let (mut watcher, events) = watcher::<B>();
        watcher.watch(&stage.path("a"), Recursive).unwrap();
        stage.report(0, created(stage.path("a/new")));
        next(&events).unwrap();
        stage.end(0);
        wait_until(|| stage.alive() == 0);
        // If the paths are fixed, the stream ends when the last one is gone.
        if B::capabilities().contains(Capability::ChangeWatches) {
            let error = next(&events).unwrap_err();
            assert!(matches!(&error.kind, ErrorKind::Generic(text) if text.contains("has ended")));
            assert_eq!(error.paths, [stage.path("a")]);
        }
        let error = watcher.unwatch(&stage.path("a")).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::WatchNotFound), "{error}");

        watcher.watch(&stage.path("a"), Recursive).unwrap();
        stage.report(1, created(stage.path("a/again")));
        assert_eq!(next_paths(&events), [stage.path("a/again")]);
    }

    check::<Able>("stream_has_ended");
    check::<Fixed>("stream_has_ended_fixed");
}

#[test]
fn it_cannot_be_configured_later() {
    let (mut watcher, _events) = watcher::<Able>();
    assert!(!watcher.configure(Config::default()).unwrap());
}

#[test]
fn each_instance_gets_the_configuration_as_hints() {
    let stage = Stage::new("what_is_configured");
    let interval = Duration::from_secs(5);
    let config = Config::default().with_poll_interval(interval).with_compare_contents(true);
    let mut watcher = NotifyWatcher::<Fixed>::new(|_| {}, config).unwrap();
    for (number, path) in ["a", "b"].into_iter().enumerate() {
        watcher.watch(&stage.path(path), NonRecursive).unwrap();
        let expected = Hints::default().with_poll_interval(interval).with_compare_contents(true);
        assert_eq!(stage.hints(number), expected.with_report_closes(true));
    }
}

/// Notify's default interval is not a wish of the program, and there is no polling by hand. Programs expect the
/// event of notify's inotify watcher when a written file is closed.
#[test]
fn by_default_only_closes_are_requested() {
    for (test, config) in [
        ("not_configured", Config::default()),
        ("by_hand", Config::default().with_manual_polling()),
    ] {
        let stage = Stage::new(test);
        let mut watcher = NotifyWatcher::<Able>::new(|_| {}, config).unwrap();
        watcher.watch(&stage.path("a"), NonRecursive).unwrap();
        assert_eq!(stage.hints(0), Hints::default().with_report_closes(true), "{test}");
    }
}

/// Accesses are never requested.
#[test]
fn links_are_followed_if_configured_and_possible() {
    fn check<B: Backend>(test: &str, configured: bool, asked: bool) {
        let stage = Stage::new(test);
        let config = Config::default().with_follow_symlinks(configured);
        let mut watcher = NotifyWatcher::<B>::new(|_| {}, config).unwrap();
        watcher.watch(&stage.path("a"), NonRecursive).unwrap();
        let [watch] = &stage.asked(0)[..] else { panic!("one path is watched") };
        assert_eq!((watch.follow_links, watch.access), (asked, false), "{test}");
    }
    check::<Able>("links_configured_and_possible", true, true);
    check::<Able>("links_not_configured", false, false);
    check::<Fake<true, false>>("links_not_possible", true, false);
}

/// Adds several paths at once, as a program does with notify 8.
fn several<B: Backend>(watcher: &mut NotifyWatcher<B>, paths: &[PathBuf]) -> notify::Result<()> {
    let mut several = watcher.paths_mut();
    for path in paths {
        several.add(path, Recursive)?;
    }
    several.commit()
}

#[test]
fn several_paths_are_one_request() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::at(folder.path().into());
    for name in ["a", "b", "c", "d"] {
        std::fs::create_dir(stage.path(name)).unwrap();
    }
    let (mut watcher, events) = watcher::<Able>();
    several(&mut watcher, &["a", "b"].map(|name| stage.path(name))).unwrap();
    assert_eq!((stage.made(), stage.watches(0)), (1, vec!["a/...".into(), "b/...".into()]));
    several(&mut watcher, &["c", "d"].map(|name| stage.path(name))).unwrap();
    assert_eq!(stage.requests(0), [2], "the two that came later are one request");
    for name in ["b", "d"] {
        let path = stage.path(name).join("new");
        stage.report(0, created(path.clone()));
        assert_eq!(next_paths(&events), [path]);
    }
}

#[test]
fn several_paths_or_none() {
    fn check<B: Backend>() {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::at(folder.path().into());
        for name in ["a", "b", "limit"] {
            std::fs::create_dir(stage.path(name)).unwrap();
        }
        let (mut watcher, _events) = watcher::<B>();
        for first in [None, Some("a")] {
            if let Some(name) = first {
                watcher.watch(&stage.path(name), Recursive).unwrap();
            }
            let paths = ["b", "limit"].map(|name| stage.path(name));
            let error = several(&mut watcher, &paths).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::MaxFilesWatch), "{error}");
            let error = watcher.unwatch(&stage.path("b")).unwrap_err();
            assert!(matches!(error.kind, ErrorKind::WatchNotFound), "{error}");
        }
        watcher.unwatch(&stage.path("a")).unwrap();
    }

    check::<Able>();
    check::<Fixed>();
}

/// Programs that use notify exclude folders like this. The fake backend does not know of it.
#[test]
fn unwatch_inside_a_tree() {
    fn check<B: Backend>() {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::at(folder.path().into());
        std::fs::create_dir_all(stage.path("tree/noise/deep")).unwrap();
        let (mut watcher, events) = watcher::<B>();
        watcher.watch(&stage.path("tree"), Recursive).unwrap();
        watcher.unwatch(&stage.path("tree/noise")).unwrap();
        let error = watcher.unwatch(&stage.path("tree/noise")).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::WatchNotFound), "{error}");

        let path = |name| stage.path(name);
        let lost = StreamError::unwatched(path("tree/noise/x"), BackendError::Ended);
        stage.sender(0).send_error(lost);
        stage.report(0, created(path("tree/noise/deep/new")));
        stage.report(0, created(path("tree/noise-not")));
        assert_eq!(next_paths(&events), [path("tree/noise-not")], "names that begin alike");
        stage.report(0, Ours::remove(RemoveKind::Folder, path("tree/noise")));
        assert_eq!(
            next_paths(&events),
            [path("tree/noise")],
            "the folder itself is an entry of a watched one"
        );
        stage.report(0, created(path("tree/noise/new")));
        assert_eq!(next_paths(&events), [path("tree/noise/new")], "another folder of that name");

        watcher.unwatch(&stage.path("tree/noise")).unwrap();
        watcher.watch(&stage.path("tree"), Recursive).unwrap();
        let again = usize::from(!B::capabilities().contains(Capability::ChangeWatches));
        stage.report(again, created(path("tree/noise/more")));
        assert_eq!(next_paths(&events), [path("tree/noise/more")], "the tree is watched anew");
    }

    check::<Able>();
    check::<Fixed>();
}
