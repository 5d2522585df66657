//! The tests.

use std::{fs, os::unix::fs::PermissionsExt as _, process::ExitCode, time::Duration};

use libtest_mimic::{Arguments, Completion, Trial};
use notify_backend::{
    Backend as _, BackendError, EventKind, Watch, compliance::Verdict, fallback::FirstOf,
    is_networked,
};
use notify_backend_fanotify::{self as fanotify, FanotifyBackend};
use notify_backend_inotify::{self as inotify, InotifyBackend};
use notify_backend_poll::PollBackend;

use crate::{
    mount::Mount,
    scene::{INTERVAL, Scene},
    suite,
};

pub(crate) fn run() -> ExitCode {
    if suite::behind_mounts().answer() {
        return ExitCode::SUCCESS;
    }
    let mut trials = vec![
        trial("changes_behind_the_mount_are_reported", changes_behind_the_mount_are_reported),
        trial("the_mount_is_networked", the_mount_is_networked),
        trial("inotify_refuses_the_mount", inotify_refuses_the_mount),
        trial("fanotify_cannot_mark_the_mount", fanotify_cannot_mark_the_mount),
        trial("polling_is_used_instead", polling_is_used_instead),
        trial("a_mount_that_fails_is_an_error_once", a_mount_that_fails_is_an_error_once),
        trial(
            "a_drop_waits_a_second_for_a_silent_server",
            a_drop_waits_a_second_for_a_silent_server,
        ),
    ];
    trials.extend(suite::CASES.iter().map(|id| {
        Trial::ignorable_test(format!("the_suite_sees_the_changes::{id}"), || {
            if let Err(reason) = Mount::new() {
                return Ok(Completion::ignored_with(reason));
            }
            match suite::behind_mounts().judge(id) {
                Verdict::Passed => Ok(Completion::Completed),
                Verdict::Ignored(reason) | Verdict::Failed(reason) => Err(reason.into()),
            }
        })
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Creates a test with its own mount, which is ignored if mounting is not possible.
fn trial(name: &str, test: fn(&Mount)) -> Trial {
    Trial::ignorable_test(name, move || match Mount::new() {
        Err(reason) => Ok(Completion::ignored_with(reason)),
        Ok(mount) => {
            test(&mount);
            Ok(Completion::Completed)
        }
    })
}

fn changes_behind_the_mount_are_reported(mount: &Mount) {
    let behind = |name| mount.behind(name);
    fs::write(behind("old"), "content").unwrap();
    let mut scene = Scene::new(mount);
    let allowed = inotify::Settings::default().watch_networked(true);
    let inotify = scene.beside(|watches| InotifyBackend::with_settings(allowed, watches)).unwrap();

    fs::write(mount.elsewhere("new"), "content").unwrap();
    fs::rename(mount.elsewhere("new"), behind("new")).unwrap();
    scene.saw(&["create/file new"]);

    // The same second and the same size.
    fs::write(behind("new"), "CONTENT").unwrap();
    scene.saw(&["modify/data/content new"]);

    fs::set_permissions(behind("new"), fs::Permissions::from_mode(0o600)).unwrap();
    scene.saw(&["modify/metadata/permissions new"]);

    // sshfs identifies files only by their paths.
    fs::rename(behind("new"), behind("renamed")).unwrap();
    scene.saw(&["remove/file new", "create/file renamed"]);

    fs::create_dir(mount.elsewhere("folder")).unwrap();
    fs::write(mount.elsewhere("folder/file"), "content").unwrap();
    fs::rename(mount.elsewhere("folder"), behind("folder")).unwrap();
    scene.saw(&["create/folder folder", "create/file folder/file"]);

    fs::remove_file(behind("old")).unwrap();
    scene.saw(&["remove/file old"]);
    fs::create_dir(behind("old")).unwrap();
    scene.saw(&["create/folder old"]);

    fs::rename(behind("folder"), mount.elsewhere("folder")).unwrap();
    scene.saw(&["remove/file folder/file", "remove/folder folder"]);

    // A change through the mount is the first that the kernel notices.
    fs::create_dir(mount.path("here")).unwrap();
    scene.saw(&["create/folder here"]);
    let told = scene.of_other(inotify, "create/folder here");
    let kinds = told.iter().map(|item| item.as_ref().expect("no error"));
    let changes: Vec<_> =
        kinds.filter(|event| !matches!(event.kind, EventKind::Access(_))).collect();
    assert_eq!(changes.len(), 1, "inotify reports {changes:?}");
}

fn the_mount_is_networked(mount: &Mount) {
    fs::write(mount.behind("file"), "content").unwrap();
    for name in ["", "file"] {
        assert!(is_networked(&mount.path(name)).unwrap(), "{name:?} in the mount");
        assert!(!is_networked(&mount.behind(name)).unwrap(), "{name:?} behind it");
    }
}

fn inotify_refuses_the_mount(mount: &Mount) {
    let scene = Scene::new(mount);
    let refused = scene.beside(InotifyBackend::new).unwrap_err();
    assert!(matches!(refused, BackendError::Unavailable { .. }), "{refused}");
    assert_eq!(refused.paths(), [mount.path("")]);

    let local = vec![Watch::recursive(mount.behind(""))];
    let mut backend = scene.beside(|_| InotifyBackend::new(local)).unwrap();
    let refused = backend.watch(Watch::recursive(mount.path(""))).unwrap_err();
    assert_eq!(refused.paths(), [mount.path("")], "{refused}");
}

// FUSE has no identifier for the file system.
fn fanotify_cannot_mark_the_mount(mount: &Mount) {
    let scene = Scene::new(mount);
    let allowed = fanotify::Settings::default().watch_networked(true);
    let refused = scene.beside(|watches| FanotifyBackend::with_settings(allowed, watches));
    assert_eq!(refused.unwrap_err().paths(), [mount.path("")]);
}

fn polling_is_used_instead(mount: &Mount) {
    let scene = Scene::new(mount);
    let taken = scene.beside(FirstOf::<(FanotifyBackend, InotifyBackend, PollBackend)>::new);
    let taken = taken.unwrap();
    assert_eq!(taken.about().name, PollBackend::name());
    fs::write(mount.behind("new"), "content").unwrap();
    scene.of_other(taken, "create/file new");
}

fn a_mount_that_fails_is_an_error_once(mount: &Mount) {
    fs::write(mount.behind("file"), "content").unwrap();
    let mut scene = Scene::new(mount);

    mount.abandon();
    let mut items = scene.until_barrier();
    for _ in 0..5 {
        items.extend(scene.until_barrier());
    }
    let errors: Vec<_> = items.into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let said = errors[0].to_string();
    let path = mount.path("");
    assert!(said.contains(path.to_str().unwrap()), "the path is named: {said}");

    // It is watched again once it is mounted again.
    assert!(mount.unmount());
    fs::write(mount.behind("later"), "content").unwrap();
    mount.mount().unwrap();
    scene.until("create/file later");
}

fn a_drop_waits_a_second_for_a_silent_server(mount: &Mount) {
    let mut scene = Scene::new(mount);
    mount.halt_server();
    let seen = scene.next(INTERVAL * 20);
    assert!(seen.is_none(), "{seen:?}");
    let took = scene.drop_backend();
    assert!(took > Duration::from_millis(900), "the look was over already: {took:?}");
    assert!(took < Duration::from_secs(2), "it took {took:?}");
}
