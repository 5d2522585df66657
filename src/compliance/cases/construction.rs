//! Construction and errors (CON).

use std::{
    collections::HashSet,
    future::poll_fn,
    path::{MAIN_SEPARATOR, Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use super::calls::add;
use crate::{
    compliance::{
        case::{Case, Group},
        rules::{
            expect::{appeared, created_file, touched, written},
            failure::{Step, Stop, ensure, fail},
        },
        scene::{Scene, driver::Driver, environment::Environment, platform, wake_flag::WakeFlag},
    },
    contract::{
        backend::{Backend, StreamItem, Watch},
        capability::{Capabilities, Capability},
        error::{BackendError, StreamError},
        event::{AccessKind, AccessMode, Event, EventKind},
        settings::Hints,
    },
};

pub(super) const GROUP: Group = Group {
    name: "construction",
    title: "Construction and errors",
    guide: "Setting up watches",
    cases: &[
        MISSING_PATH,
        MISSING_PATH_AMONG_OTHERS,
        FILE_WITHOUT_WATCH_FILES,
        NO_PATHS,
        UNREADABLE_PATH,
        IMPOSSIBLE_PATHS,
        DANGLING_LINK,
        FOLDER_OF_ODD_ENTRIES,
        SAME_FOLDER_TWICE,
        ODD_SPELLING,
        CHANGE_RIGHT_AFTER_NEW,
        CHANGE_BEFORE_NEW,
        CAPABILITIES,
        NAME,
        DEBUG,
        MOVED_BETWEEN_THREADS,
        RUNTIMES,
        SEVERAL_BACKENDS,
        INSTANCE_LIMIT,
        WATCH_LIMIT,
        WATCH_LIMIT_LATER,
        SYSTEM_FOLDERS,
        FOLDER_WITHOUT_WATCH_FOLDERS,
        ABOUT,
        FILE_IN_UNREADABLE_FOLDER,
        DESCRIPTOR_LIMIT_LATER,
        CURRENT_FOLDER_REMOVED,
        MANY_PATHS,
        HINTS,
        DESCRIPTORS_RUN_OUT,
    ],
};

const MISSING_PATH: Case = Case {
    id: "CON01",
    name: "missing_path",
    checks: "A path that does not exist is refused with `NotFound`, which names it.",
    why: "notify#685; a bare system error does not say which path is meant.",
    usual_cause: "The platform's error is passed on as it is; use `BackendError::from_io`.",
    run: |scene| {
        let missing = scene.path("missing");
        refuses_missing(scene, &[Watch::non_recursive(&missing)], &[&missing])
    },
    ..Case::MUST
};

const MISSING_PATH_AMONG_OTHERS: Case = Case {
    id: "CON02",
    name: "missing_path_among_others",
    checks: "If some of several paths are missing, the error names all of these and no others; the others \
             can be watched afterwards.",
    why: "fsnotify#471; fsnotify's TestRemoveState.",
    usual_cause: "The error names the first path, or all paths, or the watches set up before the error \
                  stay behind; use `check_watches`.",
    run: |scene| {
        let good = scene.anything()?;
        let [missing, other] = ["missing", "other"].map(|name| scene.path(name));
        let bad = Watch::non_recursive(&missing);
        refuses_missing(scene, &[good.clone(), bad.clone()], &[&missing])?;
        refuses_missing(scene, &[bad.clone(), good.clone()], &[&missing])?;
        let both = [bad, good.clone(), Watch::non_recursive(&other)];
        refuses_missing(scene, &both, &[&missing, &other])?;
        scene.watch([good])?.settle()
    },
    ..Case::MUST
};

fn refuses_missing(scene: &Scene, watches: &[Watch], missing: &[&Path]) -> Step {
    let shown: Vec<_> = missing.iter().map(|path| scene.timeline.show(path)).collect();
    let expected = format!("`new` returns NotFound for {}", shown.join(", "));
    match scene.try_watch(watches)? {
        Ok(_) => fail(expected, "it made a backend"),
        Err(BackendError::NotFound { paths }) => {
            let shown: Vec<_> = paths.iter().map(|path| scene.timeline.show(path)).collect();
            let same = paths.len() == missing.len()
                && missing.iter().all(|&path| paths.iter().any(|named| named == path));
            ensure(same, expected, || format!("it returned NotFound for {}", shown.join(", ")))
        }
        Err(error) => fail(expected, format!("it returned {error:?}")),
    }
}

const FILE_WITHOUT_WATCH_FILES: Case = Case {
    id: "CON03",
    name: "file_without_watch_files",
    without: &[Capability::WatchFiles],
    checks: "A backend that does not watch files refuses one with `NotSupported`, which names the \
             capability and the path.",
    why: "parcel-bundler/watcher and gradle test for it; silence looks like a file that never changes.",
    usual_cause: "The platform accepts the file, and sends other events for it than expected.",
    run: |scene| {
        scene.tree.create("file")?;
        is_not_supported(scene, "file", Capability::WatchFiles)
    },
    ..Case::MUST
};

const NO_PATHS: Case = Case {
    id: "CON04",
    name: "no_paths",
    checks: "Without any paths, the result is an idle stream, one that has ended if ChangeWatches is \
             not declared, or an error, but no panic and no busy loop.",
    why: "notify#718.",
    usual_cause: "The first path is used without checking that there is one.",
    run: |scene| {
        if let Ok(mut driver) = scene.try_watch([])? {
            driver.drain()?;
            let may_end = !scene.has(Capability::ChangeWatches);
            ensure(may_end || !driver.has_ended(), "the stream waits for the first path", || {
                "it has ended".into()
            })?;
            let (flag, waker) = WakeFlag::new();
            if driver.poll_once(&waker)?.is_pending() {
                let woken = driver.wait_for_wake(&flag, Duration::from_millis(50));
                ensure(!woken, "there is no wake-up where nothing is watched", || {
                    "the waker was woken".into()
                })?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const UNREADABLE_PATH: Case = Case {
    id: "CON05",
    name: "unreadable_path",
    needs: &[Capability::WatchFolders],
    environment: &[Environment::OrdinaryUser],
    checks: "A folder that may not be read is refused with `PermissionDenied`, which names it.",
    why: "fsnotify's TestAdd/permission denied; watchman's test_permDeniedRoot.",
    usual_cause: "The platform's error is passed on as it is; use `BackendError::from_io`.",
    run: |scene| {
        scene.tree.mkdir("locked")?;
        scene.tree.chmod("locked", 0o000)?;
        let locked = scene.path("locked");
        let answer = scene.try_watch([Watch::non_recursive(&locked)])?;
        scene.tree.chmod("locked", 0o700)?;
        let expected = "`new` returns PermissionDenied for tree/locked";
        match answer {
            Ok(_) => fail(expected, "it made a backend"),
            Err(BackendError::PermissionDenied { paths, .. }) if paths == [locked] => Ok(()),
            Err(error) => fail(expected, format!("it returned {error:?}")),
        }
    },
    ..Case::MUST
};

const IMPOSSIBLE_PATHS: Case = Case {
    id: "CON06",
    name: "impossible_paths",
    checks: "Paths that cannot exist (below a file, with a zero byte, too long, empty) are errors, \
             not panics.",
    why: "JetBrains' testIncorrectPath; users may type any path.",
    usual_cause: "An `unwrap` on the conversion to a C string.",
    // Such paths cannot exist in a file system, which is where the suite makes its trees. A store might allow
    // them.
    run: |scene| {
        scene.tree.create("file")?;
        let long = "x".repeat(300);
        let very_long = vec!["folder"; 2000].join("/");
        for path in ["file/below", "zero\0byte", long.as_str(), very_long.as_str()] {
            let answer = scene.try_watch([Watch::non_recursive(scene.path(path))])?;
            let shown = &path[..path.len().min(20)];
            ensure(answer.is_err(), format!("`new` returns an error for {shown:?}…"), || {
                "it made a backend".into()
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const DANGLING_LINK: Case = Case {
    id: "CON07",
    name: "dangling_link",
    needs: &[Capability::FollowSymlinks],
    environment: &[Environment::Unix],
    checks: "If links are followed, a link that leads nowhere is refused with `NotFound`.",
    why: "notify#255.",
    usual_cause: "The check for existence looks at the link and not at its target.",
    run: |scene| {
        scene.tree.symlink("nowhere", "link")?;
        let link = scene.path("link");
        refuses_missing(scene, &[Watch::non_recursive(&link).following_links()], &[&link])
    },
    ..Case::MUST
};

const FOLDER_OF_ODD_ENTRIES: Case = Case {
    id: "CON08",
    name: "folder_of_odd_entries",
    needs: &[Capability::WatchFolders],
    environment: &[Environment::Linux],
    checks: "A folder with a dangling link, a named pipe, a socket and a locked file is watched like \
             any other, and nothing in it is opened.",
    why: "fsnotify#98, fsnotify#479, fsnotify#748: opening a pipe blocks, a dangling link ended the \
          scan.",
    usual_cause: "Entries are opened to find out what they are.",
    run: |scene| {
        scene.tree.symlink("nowhere", "dangling")?;
        scene.tree.make("mkfifo", "pipe", platform::mkfifo)?;
        scene.tree.make("make the socket", "socket", platform::socket)?;
        scene.tree.create("locked")?;
        scene.tree.chmod("locked", 0o000)?;
        let recursive = scene.has(Capability::WatchRecursively);
        let mut driver =
            scene.watch([Watch::non_recursive(scene.path("")).recursive_if(recursive)])?;
        scene.tree.create("new")?;
        driver.settle()?;
        driver.saw(created_file("new"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const SAME_FOLDER_TWICE: Case = Case {
    id: "CON09",
    name: "same_folder_twice",
    needs: &[Capability::WatchFolders],
    checks: "A folder that is given twice is watched once, as the last watch asks: one creation is one \
             event, and the folder is watched recursively if the second watch says so.",
    why: "fsnotify#679; fsnotify's script watch-twice.",
    usual_cause: "The platform gives both watches the same number, and the backend stores it twice.",
    run: |scene| {
        let mut pairs = vec![(scene.flat(), scene.flat())];
        if scene.has(Capability::WatchRecursively) {
            pairs.extend([(scene.flat(), scene.deep()), (scene.deep(), scene.flat())]);
        }
        scene.tree.mkdir("folder")?;
        for (i, (first, last)) in pairs.into_iter().enumerate() {
            let is_recursive = last.recursive;
            let mut driver = scene.watch([first, last])?;
            let (near, far) = (format!("near-{i}"), format!("folder/far-{i}"));
            scene.tree.create(&near)?;
            scene.tree.create(&far)?;
            driver.settle()?;
            driver.saw(created_file(&near))?;
            if is_recursive {
                driver.saw(created_file(&far))?;
            }
            driver.nothing_else()?;
            let count = driver.count(&created_file(&near));
            ensure(count == 1, "one event for one creation", || format!("there were {count}"))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const ODD_SPELLING: Case = Case {
    id: "CON10",
    name: "odd_spelling",
    needs: &[Capability::WatchFolders],
    checks: "Relative paths, `.`, `..` and a separator at the end are kept as they are in events, and \
             survive a change of the current folder, even for entries of new folders.",
    why: "notify#453, notify#740; libuv's fs_event_watch_file_current_dir.",
    usual_cause: "The path is made absolute or canonical when it is watched, or later, when the \
                  current folder has changed.",
    run: |scene| {
        scene.tree.mkdir_all("a/b")?;
        let change_to = |folder| {
            let changed = std::env::set_current_dir(folder);
            changed.map_err(|error| Stop::Broken(format!("could not change the folder: {error}")))
        };
        let trailing = format!("{}{MAIN_SEPARATOR}", scene.path("a").display());
        for given in ["a", ".", "./a", "a/../a", "../tree/a", &trailing] {
            change_to(scene.path(""))?;
            let given = Path::new(given);
            let real = if given == Path::new(".") { scene.path("") } else { scene.path("a") };
            let is_deep = scene.has(Capability::WatchNewFolders);
            let mut driver = scene.watch([Watch::non_recursive(given).recursive_if(is_deep)])?;
            change_to(scene.outside.path(""))?;
            // No barrier: it would be made under the given path, which now leads elsewhere.
            driver.forget(given);
            let reported = |driver: &mut Driver, made: &Path| -> Step {
                let expected =
                    made.strip_prefix(&real).map_or(made.into(), |below| given.join(below));
                driver.read_until_reported(|driver| driver.created_paths().contains(&expected))?;
                let spelled: Vec<_> = driver.created_paths().iter().collect();
                let right = spelled.iter().any(|path| path.as_os_str() == expected.as_os_str());
                let made = scene.timeline.show(made);
                ensure(right, format!("create of {}, which is {made}", expected.display()), || {
                    format!("created was reported of {spelled:?}")
                })
            };
            let file = real.join("new-file");
            scene.tree.create(&file)?;
            reported(&mut driver, &file)?;
            if cfg!(unix) && scene.profile.reports_own_metadata {
                scene.tree.chmod(&real, 0o750)?;
                let is_it = |event: &Event| event.path.as_os_str() == given.as_os_str();
                driver.read_until_reported(|driver| driver.events().any(is_it))?;
                let shown = given.display();
                ensure(driver.events().any(is_it), format!("a change of {shown} itself"), || {
                    let paths: Vec<_> = driver.events().map(|event| &event.path).collect();
                    format!("reported were {paths:?}")
                })?;
            }
            if is_deep {
                let folder = real.join("new");
                scene.tree.mkdir(&folder)?;
                reported(&mut driver, &folder)?;
                scene.tree.create(folder.join("file"))?;
                reported(&mut driver, &folder.join("file"))?;
            }
            drop(driver);
            if cfg!(unix) {
                scene.tree.chmod(&real, 0o755)?;
            }
            scene.tree.remove(file)?;
            if is_deep {
                scene.tree.remove_all(real.join("new"))?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const CHANGE_RIGHT_AFTER_NEW: Case = Case {
    id: "CON11",
    name: "change_right_after_new",
    needs: &[Capability::WatchFolders],
    checks: "A change made right after `new` has returned, before the first poll, is reported.",
    why: "watchexec#1024; dart-archive/watcher#159.",
    usual_cause: "Watches are set up by a thread or task that `new` does not wait for.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.create("new")?;
        driver.saw(created_file("new"))
    },
    ..Case::MUST
};

const CHANGE_BEFORE_NEW: Case = Case {
    id: "CON12",
    name: "change_before_new",
    needs: &[Capability::WatchFolders],
    checks: "Changes made before `new`, and files that merely exist, are not reported.",
    why: "joyent/libuv#986, dart-lang/tools#2176: events from before the watch.",
    usual_cause: "A first scan reports what it finds, or the platform replays its history.",
    run: |scene| {
        scene.tree.write("changed", "before")?;
        scene.tree.create("removed")?;
        scene.tree.remove("removed")?;
        scene.tree.mkdir("folder")?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.settle()?;
        for path in ["changed", "removed", "folder"] {
            driver.never_saw(&touched(path))?;
        }
        driver.nothing_else()
    },
    ..Case::MUST
};

const CAPABILITIES: Case = Case {
    id: "CON13",
    name: "capabilities",
    checks: "The name and the capabilities are the same at every call, before and after a backend is made. \
             The capabilities name something to watch, and include what they imply.",
    why: "A frontend chooses a backend by them, once.",
    usual_cause: "They are computed from the machine's state, or one is left out.",
    run: |scene| {
        let before = scene.declared().name;
        let mut all: Vec<Capabilities> = (0..3).map(|_| scene.declared().capabilities).collect();
        drop(scene.watch([scene.anything()?])?);
        all.push(scene.declared().capabilities);
        let after = scene.declared().name;
        ensure(before == after, "the same name at every call", || {
            format!("{before}, then {after}")
        })?;
        let first = all[0];
        let different: HashSet<_> = all.into_iter().collect();
        ensure(different.len() == 1, "the same capabilities at every call", || {
            format!("they were {different:?}")
        })?;
        let watches = [Capability::WatchFiles, Capability::WatchFolders];
        ensure(
            watches.into_iter().any(|capability| first.contains(capability)),
            "WatchFiles or WatchFolders is declared",
            || format!("declared is: {first}"),
        )?;
        ensure(first.missing().is_empty(), "what a capability implies is declared too", || {
            format!("declared is: {first}; missing is: {}", first.missing())
        })
    },
    ..Case::MUST
};

const NAME: Case = Case {
    id: "CON14",
    name: "name",
    checks: "The backend's name has the form `namespace/platform`, with one slash and no white space.",
    why: "Frontends list backends by name; two with the same name cannot be distinguished.",
    usual_cause: "The namespace is left out.",
    run: |scene| {
        let name = scene.declared().name;
        let (namespace, platform) = name.split_once('/').unwrap_or_default();
        let whole = [namespace, platform].iter().all(|part| {
            !part.is_empty() && !part.contains('/') && !part.contains(char::is_whitespace)
        });
        ensure(whole, "a name of the form `namespace/platform`", || format!("it is {name:?}"))
    },
    ..Case::MUST
};

const DEBUG: Case = Case {
    id: "CON15",
    name: "debug",
    checks: "A backend can be printed with `Debug`, both idle and with unread events, and loses no event by \
             that.",
    why: "notify's test_debug_impl; a log line must not change what happens.",
    usual_cause: "The output takes a lock that is held elsewhere, or drains a channel.",
    run: |scene| {
        let mut driver = scene.watch([scene.anything()?])?;
        for _ in 0..2 {
            let text = driver.call("fmt", |backend| format!("{backend:?}"))?;
            ensure(!text.is_empty(), "text", || "it is empty".into())?;
            if scene.has(Capability::WatchFolders) {
                scene.tree.create("file")?;
            }
        }
        driver.settle()?;
        if scene.has(Capability::WatchFolders) {
            driver.saw(created_file("file"))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const MOVED_BETWEEN_THREADS: Case = Case {
    id: "CON16",
    name: "moved_between_threads",
    checks: "A backend made on one thread is polled on a second and dropped on a third.",
    why: "notify's inotify_watcher_is_send_and_sync; parcel's worker threads.",
    usual_cause: "State is kept per thread.",
    run: |scene| {
        let watch = scene.anything()?;
        let runtime = multi_thread_runtime()?;
        let subject = scene.subject();
        let handle = runtime.handle();
        let panicked = |_| Stop::Broken("a thread of the case panicked".into());
        let outcome = std::thread::scope(|scope| {
            let make = || {
                let _entered = handle.enter();
                subject.make(vec![watch.clone()])
            };
            let made = scope.spawn(make).join().map_err(panicked)?;
            let Ok(mut backend) = made else { return fail("`new` makes a backend", "it did not") };
            let expected = change(scene, &watch)?;
            let deadline = scene.profile.deadline();
            let poll = move || {
                let found = handle.block_on(async {
                    let next = poll_fn(|cx| Pin::new(&mut *backend).poll_next(cx));
                    tokio::time::timeout(deadline, next).await
                });
                (found, backend)
            };
            let (found, backend) = scope.spawn(poll).join().map_err(panicked)?;
            let close = || {
                let _entered = handle.enter();
                drop(backend);
            };
            scope.spawn(close).join().map_err(panicked)?;
            Ok((found, expected))
        });
        runtime.shutdown_timeout(Duration::from_secs(2));
        let (found, expected) = outcome?;
        let right = matches!(&found, Ok(Some(Ok(event))) if event.path == expected);
        ensure(right, "an event of the change", || format!("the second thread found {found:?}"))
    },
    ..Case::MUST
};

fn multi_thread_runtime() -> Step<tokio::runtime::Runtime> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Stop::Broken(format!("no runtime: {error}")))
}

const RUNTIMES: Case = Case {
    id: "CON17",
    name: "outside_a_runtime",
    checks: "Outside a Tokio runtime, `new` returns `NoRuntime` or a backend that works there.",
    why: "inotify-rs#99, inotify-rs#101: users had to find out by themselves what a stream needs.",
    usual_cause: "`check_watches` is not called first.",
    run: |scene| {
        let watch = scene.anything()?;
        let mut backend = match scene.subject().make(vec![watch.clone()]) {
            Err(BackendError::NoRuntime) => return Ok(()),
            Err(error) => {
                return fail("`new` returns NoRuntime", format!("it returned {error:?}"));
            }
            Ok(backend) => backend,
        };
        let expected = change(scene, &watch)?;
        let next = first_item(scene, &mut *backend);
        let right = matches!(&next, Some(Ok(event)) if event.path == expected);
        ensure(right, "`new` returns NoRuntime, or a backend that reports the change", || {
            format!("it made a backend, which reported {next:?}")
        })
    },
    ..Case::MUST
};

/// Returns the first item of a backend that is polled outside the runtime, if there is one in time.
fn first_item(scene: &Scene, backend: &mut dyn Backend) -> Option<StreamItem> {
    let end = Instant::now() + scene.profile.deadline();
    loop {
        let (flag, waker) = WakeFlag::new();
        let polled = Pin::new(&mut *backend).poll_next(&mut Context::from_waker(&waker));
        if let Poll::Ready(item) = polled {
            return item;
        }
        // The runtime is used only for the timeout.
        scene.runtime().block_on(async {
            let woken = poll_fn(|cx| flag.poll_woken(cx));
            tokio::time::timeout_at(end.into(), woken).await.ok()
        })?;
    }
}

/// Changes the path of `watch`, which comes from [`Scene::anything`]. Returns the path to be reported.
fn change(scene: &Scene, watch: &Watch) -> Step<PathBuf> {
    if scene.has(Capability::WatchFolders) {
        scene.tree.create("file")?;
        return Ok(scene.path("file"));
    }
    scene.tree.append(&watch.path, "more")?;
    Ok(watch.path.clone())
}

const SEVERAL_BACKENDS: Case = Case {
    id: "CON18",
    name: "several_backends",
    needs: &[Capability::WatchFolders],
    checks: "Ten backends on one folder each report everything; dropping some does not affect the \
             others.",
    why: "gradle's can start multiple watchers; .NET's MultipleWatchers.",
    usual_cause: "State is kept in a static.",
    run: |scene| {
        let drivers: Step<Vec<_>> = (0..10).map(|_| scene.watch([scene.flat()])).collect();
        let mut drivers = drivers?;
        for name in ["first", "second"] {
            scene.tree.create(name)?;
            for driver in &mut drivers {
                driver.saw(created_file(name))?;
            }
            drivers.truncate(5);
        }
        Ok(())
    },
    ..Case::MUST
};

/// The folder with the limits of this namespace.
const NAMESPACE_LIMITS: &str = "/proc/sys/user";

/// The names of a limit, one per facility of the kernel.
type Limit = &'static [&'static str];

const INSTANCES: Limit = &["max_inotify_instances", "max_fanotify_groups"];
pub(super) const WATCHES: Limit = &["max_inotify_watches", "max_fanotify_marks"];

/// Sets a limit of all facilities that this kernel has. Ignores the case if there is none: then the platform has
/// no limit that could be reached.
pub(super) fn set_limit(scene: &Scene, limit: Limit, value: u32) -> Step {
    let mut result = Err(Stop::Ignored("there is no such limit".into()));
    for name in limit {
        scene.timeline.did(format!("set {name} to {value}"));
        let file = Path::new(NAMESPACE_LIMITS).join(name);
        match std::fs::write(&file, value.to_string()) {
            Ok(()) => result = Ok(()),
            Err(error) if result.is_err() => {
                let reason = format!("{} cannot be set: {error}", file.display());
                result = Err(Stop::Ignored(reason));
            }
            Err(_) => {}
        }
    }
    result
}

const INSTANCE_LIMIT: Case = Case {
    id: "CON19",
    name: "instance_limit",
    environment: &[Environment::Namespaces],
    checks: "At the limit of instances, `new` returns `InstanceLimit` or `Unavailable`. Existing backends \
             go on, and after one is dropped there is room again.",
    why: "watchexec#251.",
    usual_cause: "`EMFILE` is passed on as it is; use `BackendError::from_io`.",
    run: |scene| {
        const LIMIT: u32 = 4;

        set_limit(scene, INSTANCES, LIMIT)?;
        let watch = scene.anything()?;
        let mut drivers = Vec::new();
        let refusal = loop {
            match scene.try_watch([watch.clone()])? {
                Ok(driver) => drivers.push(driver),
                Err(error) => break error,
            }
            if drivers.len() > LIMIT as usize {
                return Err(Stop::Ignored(
                    "the limits of inotify and fanotify do not apply to the backend".into(),
                ));
            }
        };
        let said = matches!(
            refusal,
            BackendError::InstanceLimit { .. } | BackendError::Unavailable { .. }
        );
        ensure(said, "`new` returns InstanceLimit", || format!("it returned {refusal:?}"))?;
        let Some(mut last) = drivers.pop() else {
            return Err(Stop::Ignored("not a single instance can be made".into()));
        };
        last.settle()?;
        drop(last);
        scene.watch([watch])?.settle()
    },
    ..Case::MUST
};

const WATCH_LIMIT: Case = Case {
    id: "CON20",
    name: "watch_limit",
    needs: &[Capability::WatchRecursively],
    environment: &[Environment::Namespaces],
    checks: "If a tree needs more watches than the limit allows, this is reported with the path: `new` \
             returns `WatchLimit`, or error items name the folders beyond the limit. If the error names a setting \
             of the kernel, it is the one for watches. A backend that can do \
             with fewer watches reports what happens in every folder.",
    why: "notify#69, nodejs/node#1666, gatsby#11406: No space left on device, with a disk half empty.",
    usual_cause: "`ENOSPC` is passed on as it is, or the scan ends silently.",
    run: |scene| {
        scene.sees_changes()?;
        // A whole file system takes one.
        let room = if scene.has(Capability::WatchEntireFilesystem) { 0 } else { 5 };
        set_limit(scene, WATCHES, room)?;
        for i in 0..10 {
            scene.tree.mkdir(format!("{i}"))?;
        }
        match scene.try_watch([scene.deep()])? {
            Err(BackendError::WatchLimit { limit, .. }) => is_of_watches(&limit.setting),
            Err(error) => fail("`new` returns WatchLimit", format!("it returned {error:?}")),
            Ok(mut driver) => {
                driver.allow_errors();
                let files: Vec<_> = (0..10).map(|i| format!("{i}/file")).collect();
                files.iter().try_for_each(|file| scene.tree.create(file))?;
                let files: Vec<_> = files.iter().map(|file| scene.path(file)).collect();
                let all_seen = |driver: &Driver| {
                    files.iter().all(|file| driver.events().any(|event| event.path == *file))
                };
                driver.read_until_reported(|driver| {
                    !driver.errors().is_empty() || all_seen(driver)
                })?;
                if driver.errors().is_empty() && all_seen(&driver) {
                    return Ok(());
                }
                is_watch_limit(&driver, &scene.path(""))
            }
        }
    },
    ..Case::MUST
};

/// Fails unless an error item says that something below `root` is not watched because of the limit.
fn is_watch_limit(driver: &Driver, root: &Path) -> Step {
    let said = driver.errors().iter().find_map(|error| match error {
        StreamError::Unwatched { path, cause } if path.starts_with(root) => match &**cause {
            BackendError::WatchLimit { limit, .. } => Some(limit),
            _ => None,
        },
        StreamError::Unwatched { .. } | StreamError::Read { .. } => None,
    });
    let Some(limit) = said else {
        let expected = "an error item Unwatched with the cause WatchLimit, naming the folder";
        return fail(expected, format!("the stream yielded the errors {:?}", driver.errors()));
    };
    is_of_watches(&limit.setting)
}

/// Fails if a setting of the kernel's facilities is not one that allows more watches.
fn is_of_watches(setting: &str) -> Step {
    const SETTINGS: [&str; 2] = ["fs.inotify.max_user_watches", "fs.fanotify.max_user_marks"];

    let is_foreign = !["fs.inotify.", "fs.fanotify."].iter().any(|it| setting.starts_with(it));
    ensure(
        is_foreign || SETTINGS.contains(&setting),
        format!("the setting to raise is {} or {}", SETTINGS[0], SETTINGS[1]),
        || format!("WatchLimit names {setting}"),
    )
}

const WATCH_LIMIT_LATER: Case = Case {
    id: "CON21",
    name: "watch_limit_later",
    needs: &[Capability::WatchNewFolders],
    without: &[Capability::WatchEntireFilesystem],
    environment: &[Environment::Namespaces],
    checks: "For a new folder that cannot be watched because of the limit, there is an error item that names \
             it.",
    why: "notify#698, syncthing#5731: from then on there was silence.",
    usual_cause: "The result of adding a watch for a new folder is ignored.",
    run: |scene| {
        scene.sees_changes()?;
        set_limit(scene, WATCHES, 5)?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.allow_errors();
        for i in 0..10 {
            scene.tree.mkdir(format!("{i}"))?;
        }
        let reported = |driver: &Driver| !driver.errors().is_empty() || driver.has_missed();
        driver.read_until_reported(reported)?;
        is_watch_limit(&driver, &scene.path(""))
    },
    ..Case::MUST
};

const SYSTEM_FOLDERS: Case = Case {
    id: "CON22",
    name: "system_folders",
    needs: &[Capability::WatchRecursively],
    environment: &[Environment::Linux],
    checks: "Folders of the system that lead back to themselves (`/proc/self`) are watched or \
             refused in bounded time.",
    why: "notify#396; rb-inotify#21.",
    usual_cause: "Links are followed without remembering which folders were visited.",
    // The time limit of the case checks that this ends at all.
    run: |scene| {
        // Links are not followed: `/proc/self/root` leads to everything there is.
        _ = scene.make(vec![Watch::recursive("/proc/self")]);
        Ok(())
    },
    ..Case::MUST
};

const FOLDER_WITHOUT_WATCH_FOLDERS: Case = Case {
    id: "CON23",
    name: "folder_without_watch_folders",
    without: &[Capability::WatchFolders],
    checks: "A backend that does not watch folders refuses one with `NotSupported`, which names the \
             capability and the path.",
    why: "The counterpart of CON03.",
    usual_cause: "The platform accepts the folder and reports only the folder itself.",
    run: |scene| {
        scene.tree.mkdir("folder")?;
        is_not_supported(scene, "folder", Capability::WatchFolders)
    },
    ..Case::MUST
};

fn is_not_supported(scene: &Scene, path: &str, needed: Capability) -> Step {
    let expected = format!("`new` returns NotSupported({needed}) for {path}");
    match scene.try_watch([Watch::non_recursive(scene.path(path))])? {
        Ok(_) => fail(expected, "it made a backend"),
        Err(BackendError::NotSupported { capability, paths }) => {
            let right = capability == needed && paths == [scene.path(path)];
            ensure(right, expected, || format!("it returned {capability} for {paths:?}"))
        }
        Err(error) => fail(expected, format!("it returned {error:?}")),
    }
}

const ABOUT: Case = Case {
    id: "CON24",
    name: "about",
    checks: "The capabilities of a backend that was made (`about`) include those of its type, and those that \
             they imply, and are the same at every call.",
    why: "A frontend that has chosen a backend by its type relies on them.",
    usual_cause: "The set is built from scratch, instead of adding to that of `About::of::<Self>()`.",
    run: |scene| {
        let backend = scene.make(vec![scene.anything()?]);
        let backend = backend
            .or_else(|error| fail("`new` makes a backend", format!("it returned: {error}")))?;
        let (about, declared) = (backend.about(), scene.declared().capabilities);
        let lost = declared.difference(about.capabilities);
        ensure(lost.is_empty(), "the capabilities of the type are declared", || {
            format!("missing is: {lost}")
        })?;
        let missing = about.capabilities.missing();
        ensure(missing.is_empty(), "what a capability implies is declared too", || {
            format!("missing is: {missing}")
        })?;
        let again = backend.about();
        ensure(again == about, "the same at every call", || format!("{about:?}, then {again:?}"))
    },
    ..Case::MUST
};

const FILE_IN_UNREADABLE_FOLDER: Case = Case {
    id: "CON25",
    name: "file_in_unreadable_folder",
    needs: &[Capability::WatchFiles],
    environment: &[Environment::OrdinaryUser],
    checks: "A file in a folder that may be entered but not listed is watched, or refused with \
             `PermissionDenied`, which names the file.",
    why: "ruby-filewatch#38, watchexec#75: other users' home folders are like that.",
    usual_cause: "The file is watched through its folder, and the error names the folder: the consumer \
                  does not know that path.",
    run: |scene| {
        scene.tree.mkdir("closed")?;
        scene.tree.write("closed/file", "content")?;
        scene.tree.chmod("closed", 0o100)?;
        let file = scene.path("closed/file");
        let answer = scene.try_watch([Watch::non_recursive(&file), scene.barrier_watch()?])?;
        match answer {
            Ok(mut driver) => {
                scene.tree.append("closed/file", "more")?;
                driver.settle()?;
                driver.saw(written("closed/file"))
            }
            Err(BackendError::PermissionDenied { paths, .. }) if paths == [file] => Ok(()),
            Err(error) => {
                let expected = "`new` returns PermissionDenied for tree/closed/file";
                fail(expected, format!("it returned {error:?}"))
            }
        }
    },
    ..Case::MUST
};

const DESCRIPTOR_LIMIT_LATER: Case = Case {
    id: "CON26",
    name: "descriptor_limit_later",
    needs: &[Capability::WatchNewFolders],
    environment: &[Environment::Unix],
    checks: "For a new folder that cannot be watched because the process has too many open files, there is \
             an error item that names it, or a folder above it if the backend compares what is in folders. \
             Existing watches go on, and folders that are made once there is room are watched.",
    why: "A program that forgets to close files loses its watches, and the error names another folder.",
    usual_cause: "The error of opening a folder is attributed to the folder above; or it is ignored in the hope of \
                  another look, which never comes.",
    run: |scene| {
        scene.tree.mkdir("old")?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.allow_errors();
        driver.settle()?;
        let made = platform::with_descriptors(0, || {
            scene.tree.mkdir("old/new")?;
            scene.tree.mkdir("old/next")?;
            let new = ["old/new", "old/next"].map(appeared);
            let reported = |driver: &Driver| {
                !driver.errors().is_empty() || new.iter().all(|new| driver.count(new) > 0)
            };
            driver.read_until_reported(reported)
        });
        made.map_err(|error| Stop::Broken(format!("the limit cannot be set: {error}")))??;
        driver.settle()?;
        if !scene.profile.coalesced {
            driver.saw(appeared("old/new"))?;
        }
        let named = |error: &StreamError| error.path().map(Path::to_owned);
        let named: HashSet<_> = driver.errors().iter().filter_map(named).collect();
        let mut unwatched = ["old/new", "old/next"].map(|folder| scene.path(folder)).to_vec();
        if scene.profile.coalesced {
            // It compares what is in these folders.
            unwatched.extend(["", "old"].map(|folder| scene.path(folder)));
        }
        let strange = named.iter().find(|path| !unwatched.contains(path));
        ensure(strange.is_none(), "no error item but for the two new folders", || {
            format!("the stream yielded the errors {:?}", driver.errors())
        })?;
        scene.tree.mkdir("old/later")?;
        driver.settle()?;
        driver.saw(appeared("old/new"))?;
        let files = ["old/new/file", "old/next/file", "old/later/file", "old/file"];
        for file in files {
            scene.tree.create(file)?;
        }
        driver.settle()?;
        for file in files.map(|file| scene.path(file)) {
            if !file.parent().is_some_and(|folder| named.contains(folder)) {
                driver.saw(created_file(file))?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const CURRENT_FOLDER_REMOVED: Case = Case {
    id: "CON27",
    name: "current_folder_removed",
    needs: &[Capability::WatchFolders],
    environment: &[Environment::Linux],
    checks: "If the current folder was removed, `.` is refused with an error that names it.",
    why: "chokidar#1042: a terminal stays in a folder that a checkout has removed.",
    usual_cause: "The system opens and watches the folder, in which nothing can happen any more.",
    run: |scene| {
        scene.tree.mkdir("folder")?;
        let changed = std::env::set_current_dir(scene.path("folder"));
        changed.map_err(|error| Stop::Broken(format!("could not change the folder: {error}")))?;
        scene.tree.rmdir("folder")?;
        let answer = scene.make(vec![Watch::non_recursive(".")]).map(drop);
        let changed = std::env::set_current_dir(scene.path(""));
        changed.map_err(|error| Stop::Broken(format!("could not change the folder: {error}")))?;
        let expected = "`new` returns an error for `.`";
        match answer {
            Err(error) if error.paths() == [Path::new(".")] => Ok(()),
            Err(error) => fail(expected, format!("it returned {error:?}")),
            Ok(()) => fail(expected, "it made a backend"),
        }
    },
    ..Case::MUST
};

const MANY_PATHS: Case = Case {
    id: "CON28",
    name: "many_paths",
    needs: &[Capability::WatchFolders],
    checks: "Changes in each of 150 watched folders are reported, whether the folders are given to `new` or \
             added later.",
    why: "On Windows, `WaitForMultipleObjects` waits for at most 64 handles, and a bit set of 64 bits has \
          room for 64 paths.",
    usual_cause: "Paths beyond a fixed number are accepted, but not watched.",
    run: |scene| {
        let many = 150.min(scene.profile.most_paths);
        let folders: Vec<_> = (0..many).map(|i| format!("folder-{i}")).collect();
        folders.iter().try_for_each(|folder| scene.tree.mkdir(folder))?;
        let watches: Vec<_> =
            folders.iter().map(|folder| Watch::non_recursive(scene.path(folder))).collect();
        let first = if scene.has(Capability::ChangeWatches) { many / 2 } else { many };
        let mut driver = scene.watch(&watches[..first])?;
        watches[first..].iter().try_for_each(|watch| add(&mut driver, watch.clone()))?;
        for folder in &folders {
            scene.tree.create(format!("{folder}/file"))?;
        }
        // Not settled by a barrier in each folder: if one is not watched, its missing file says more.
        for folder in &folders {
            driver.saw(created_file(format!("{folder}/file")))?;
        }
        driver.settle()
    },
    ..Case::MUST
};

const HINTS: Case = Case {
    id: "CON29",
    name: "hints",
    needs: &[Capability::WatchFolders],
    checks: "Hints are no demands: whatever they are, `with_hints` makes a backend that reports changes from the \
             first moment on. `report_closes` causes no other reports than the closing of written files, and \
             takes no access from a watch that asks for them.",
    why: "The adapter for notify hints at `report_closes` for every program.",
    usual_cause: "Closing after reading is not distinguished from closing after writing, or the hint replaces the \
                  mask of a watch instead of adding to it.",
    // An invariant checks that no other accesses are reported.
    run: |scene| {
        scene.tree.write("file", "content")?;
        let closes = Hints::default().with_report_closes(true);
        let all = [
            Hints::default().with_poll_interval(Duration::ZERO),
            Hints::default()
                .with_poll_interval(Duration::from_millis(1))
                .with_compare_contents(true),
            closes.clone(),
        ];
        for (i, hints) in all.iter().enumerate() {
            let mut driver = scene.watch_with_hints([scene.flat()], hints)?;
            let file = format!("file-{i}");
            scene.tree.write(&file, "content")?;
            scene.tree.make("read", "file", |path| std::fs::read(path).map(drop))?;
            driver.settle()?;
            driver.saw(created_file(&file))?;
            driver.never_saw(&touched("file"))?;
            driver.nothing_else()?;
        }
        if !scene.has(Capability::EmitOnAccess) {
            return Ok(());
        }
        let mut driver = scene.watch_with_hints([scene.flat().with_access()], &closes)?;
        scene.tree.make("read", "file", |path| std::fs::read(path).map(drop))?;
        scene.tree.append("file", "more")?;
        driver.settle()?;
        let path = scene.path("file");
        let kinds = driver.events().filter(|event| event.path == path).map(|event| event.kind);
        let kinds: Vec<_> = kinds.collect();
        for (expected, mode) in
            [("close/read", AccessMode::Read), ("close/write", AccessMode::Write)]
        {
            let is_it = |kind: &EventKind| match kind {
                EventKind::Access(AccessKind::Close(of)) => [mode, AccessMode::Any].contains(of),
                kind => *kind == EventKind::Access(AccessKind::Any),
            };
            let expected = format!("access/{expected} of tree/file");
            ensure(kinds.iter().any(is_it), expected, || format!("{kinds:?}"))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const DESCRIPTORS_RUN_OUT: Case = Case {
    id: "CON30",
    name: "descriptors_run_out",
    needs: &[Capability::WatchNewFolders],
    environment: &[Environment::Unix],
    checks: "If the process can open only a few more files, each of many new files in a tree is watched, or an error \
             item names it or a folder that it is in.",
    why: "The counterpart of CON26 for platforms where each watched file takes a descriptor, and their number is \
          limited to a few hundred.",
    usual_cause: "An error of opening a file is taken for a file that is gone.",
    run: |scene| {
        const FILES: usize = 40;

        scene.reports_anything()?;
        scene.tree.mkdir("many")?;
        let mut driver = scene.watch([scene.deep()])?;
        driver.allow_errors();
        driver.settle()?;
        let files: Vec<_> = (0..FILES).map(|i| format!("many/{i}")).collect();
        files.iter().try_for_each(|file| scene.tree.create(file))?;
        let limited = platform::with_descriptors(8, || {
            let is_done = |driver: &Driver| {
                !driver.errors().is_empty() || driver.created_paths().len() >= FILES
            };
            driver.read_until_reported(is_done)
        });
        limited.map_err(|error| Stop::Broken(format!("the limit cannot be set: {error}")))??;
        driver.settle()?;
        driver.next_step();
        files.iter().try_for_each(|file| scene.tree.append(file, "more"))?;
        driver.settle()?;
        let named: Vec<_> = driver.errors().iter().filter_map(StreamError::path).collect();
        let named: Vec<_> = named.into_iter().map(Path::to_owned).collect();
        for file in files {
            if !named.iter().any(|named| scene.path(&file).starts_with(named)) {
                driver.saw(written(file))?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};
