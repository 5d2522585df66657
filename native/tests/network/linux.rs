//! Mounts by sshfs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use libtest_mimic::{Arguments, Completion, Trial};
use notify::{
    ErrorKind, Event, EventKind,
    RecursiveMode::Recursive,
    Watcher as _,
    event::{AccessKind, AccessMode, CreateKind},
};
use notify_backend::prelude::{Backend as _, Watch};
use notify_backend_native::{NativeBackend, RecommendedWatcher, recommended_watcher};

use crate::mount::Mount;

/// The deadline after which a missing event counts as lost.
const DEADLINE: Duration = Duration::from_secs(20);

type Test = fn(&Mount, &Path);

const TESTS: &[(&str, Test)] = &[
    ("watchers_poll_the_mount_alone", watchers_poll_the_mount_alone),
    ("watchers_add_both_or_none", watchers_add_both_or_none),
    ("a_stream_polls_both", a_stream_polls_both),
];

pub(crate) fn main() -> ExitCode {
    let trials = TESTS.iter().map(|&(name, test)| {
        Trial::ignorable_test(name, move || match Mount::new() {
            Err(reason) => Ok(Completion::ignored_with(reason)),
            Ok(mount) => {
                let local = tempfile::tempdir().unwrap();
                test(&mount, local.path());
                Ok(Completion::Completed)
            }
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn watcher() -> (RecommendedWatcher, Receiver<notify::Result<Event>>) {
    let (sender, events) = mpsc::channel();
    (recommended_watcher(sender).unwrap(), events)
}

fn add_both(watcher: &mut RecommendedWatcher, paths: &[PathBuf]) -> notify::Result<()> {
    let mut several = watcher.paths_mut();
    for path in paths {
        several.add(path, Recursive).unwrap();
    }
    // One that is gone by now is an error.
    for path in paths.iter().filter(|path| path.ends_with("brief")) {
        fs::remove_dir(path).unwrap();
    }
    several.commit()
}

/// Waits for an event of this kind about this path.
#[track_caller]
fn await_event(events: &Receiver<notify::Result<Event>>, kind: EventKind, path: &Path) {
    loop {
        let event = events.recv_timeout(DEADLINE).expect("the event comes in time").unwrap();
        if event.kind == kind && event.paths == [path] {
            return;
        }
    }
}

/// In either order, one by one and at once.
fn watchers_poll_the_mount_alone(mount: &Mount, local: &Path) {
    let paths = [local.to_owned(), mount.path("")];
    let reversed = [paths[1].clone(), paths[0].clone()];
    for (round, order) in [&paths, &reversed].into_iter().enumerate() {
        for at_once in [false, true] {
            let (mut watcher, events) = watcher();
            if at_once {
                add_both(&mut watcher, order).unwrap();
            } else {
                for path in order {
                    watcher.watch(path, Recursive).unwrap();
                }
            }
            let name = format!("new-{round}-{at_once}");
            fs::write(mount.behind(&name), "").unwrap();
            await_event(&events, EventKind::Create(CreateKind::File), &mount.path(&name));
            // A look would not see that.
            let closed = EventKind::Access(AccessKind::Close(AccessMode::Write));
            fs::write(local.join(&name), "").unwrap();
            await_event(&events, closed, &local.join(&name));

            for path in order {
                watcher.unwatch(path).unwrap();
            }
        }
    }
}

fn watchers_add_both_or_none(mount: &Mount, local: &Path) {
    let brief = local.join("brief");
    fs::create_dir(&brief).unwrap();
    let (mut watcher, _events) = watcher();
    let error = add_both(&mut watcher, &[mount.path(""), brief]).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::PathNotFound), "{error}");
    let error = watcher.unwatch(&mount.path("")).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::WatchNotFound), "{error}");
}

/// A stream is one backend.
fn a_stream_polls_both(mount: &Mount, local: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let watch = |path: &Path| Watch::recursive(path);
    let both = NativeBackend::new(vec![watch(local), watch(&mount.path(""))]).unwrap();
    assert_eq!(both.about().name.rsplit('/').next(), Some("poll"));
    let mut of_local = NativeBackend::new(vec![watch(local)]).unwrap();
    let error = of_local.watch(watch(&mount.path(""))).unwrap_err();
    assert!(error.may_suit_another(), "the program makes another one for the mount: {error}");
    assert!(NativeBackend::new(vec![watch(&mount.path(""))]).is_ok());
}
