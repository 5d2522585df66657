//! The tests. Most read nothing before the end, so that the kernel merges as many events as it can.

use std::{
    collections::BTreeSet,
    fs,
    process::{self, Command},
};

use notify_backend::{fallback::FirstOf, prelude::*, settings::Hints};
use notify_backend_fanotify::{FanotifyBackend, Settings};
use notify_backend_inotify::InotifyBackend;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::{
    is_in_user_namespace,
    scene::{Scene, mount, picture, unmount},
};

/// The backends in the order in which a program would try them.
type Best = FirstOf<(FanotifyBackend, InotifyBackend)>;

type Test = (&'static str, fn(&mut Scene));

pub(crate) const ALL: &[Test] = &[
    ("a_folder_is_where_it_was", a_folder_is_where_it_was),
    ("a_folder_is_where_it_was_removed", a_folder_is_where_it_was_removed),
    ("a_tree_that_came_and_went", a_tree_that_came_and_went),
    ("a_file_that_was_renamed_and_removed", a_file_that_was_renamed_and_removed),
    ("renames_to_and_fro", renames_to_and_fro),
    ("a_folder_that_is_renamed_to_and_fro", a_folder_that_is_renamed_to_and_fro),
    ("a_link_that_comes_back", a_link_that_comes_back),
    ("a_root_that_is_displaced", a_root_that_is_displaced),
    ("a_root_that_is_exchanged", a_root_that_is_exchanged),
    ("a_file_whose_folder_is_renamed", a_file_whose_folder_is_renamed),
    ("a_folder_from_outside", a_folder_from_outside),
    ("a_loss_voids_what_was_known", a_loss_voids_what_was_known),
    ("a_folder_in_two_spellings", a_folder_in_two_spellings),
    ("a_bind_mount_that_is_unmounted", a_bind_mount_that_is_unmounted),
    ("a_mount_below", a_mount_below),
    ("closing_after_writing_if_hinted", closing_after_writing_if_hinted),
    ("the_process_that_did_it", the_process_that_did_it),
    ("the_next_backend_where_it_cannot_watch", the_next_backend_where_it_cannot_watch),
    ("the_next_backend_without_privileges", the_next_backend_without_privileges),
];

const CLOSE: &str = "access/close/write root/file";

fn closing_after_writing_if_hinted(scene: &mut Scene) {
    let watches = vec![Watch::recursive(scene.path("root"))];
    let hints = Hints::default().with_report_closes(true);
    let mut backend: FanotifyBackend = scene.watch_with_hints(watches, &hints);
    fs::write(scene.path("root/file"), "").unwrap();
    assert_eq!(scene.read(&mut backend), ["create/file root/file", CLOSE]);
    fs::read(scene.path("root/file")).unwrap();
    assert_eq!(scene.read(&mut backend), [""; 0], "it was only read");

    let reading = Watch::non_recursive(scene.path("outside")).with_access();
    backend.watch(reading).unwrap();
    backend.unwatch(&scene.path("outside")).unwrap();
    fs::File::options().append(true).open(scene.path("root/file")).unwrap();
    assert_eq!(scene.read(&mut backend), [CLOSE], "after a watch that asked for accesses");
}

fn a_folder_is_where_it_was(scene: &mut Scene) {
    fs::create_dir_all(scene.path("root/a/b")).unwrap();
    let mut backend = scene.watch(&[]);
    fs::write(scene.path("root/a/b/before"), "").unwrap();
    fs::rename(scene.path("root/a"), scene.path("root/z")).unwrap();
    fs::write(scene.path("root/z/b/after"), "").unwrap();
    assert_eq!(
        scene.read(&mut backend),
        [
            "create/file root/a/b/before",
            "modify/name/from root/a",
            "modify/name/to root/z",
            "create/file root/z/b/after",
        ]
    );
}

fn a_folder_is_where_it_was_removed(scene: &mut Scene) {
    fs::create_dir_all(scene.path("root/a/b")).unwrap();
    fs::write(scene.path("root/a/b/file"), "").unwrap();
    let mut backend = scene.watch(&[]);
    fs::remove_dir_all(scene.path("root/a")).unwrap();
    let removed = ["remove/file root/a/b/file", "remove/folder root/a/b", "remove/folder root/a"];
    assert_eq!(scene.read(&mut backend), removed);
}

fn a_tree_that_came_and_went(scene: &mut Scene) {
    let mut backend = scene.watch(&[]);
    fs::create_dir_all(scene.path("root/a/b")).unwrap();
    fs::write(scene.path("root/a/b/file"), "").unwrap();
    fs::remove_dir_all(scene.path("root/a")).unwrap();
    assert_eq!(
        scene.read(&mut backend),
        [
            "create/folder root/a",
            "create/folder root/a/b",
            "create/file root/a/b/file",
            "remove/file root/a/b/file",
            "remove/folder root/a/b",
            "remove/folder root/a",
        ]
    );
}

fn a_file_that_was_renamed_and_removed(scene: &mut Scene) {
    let mut backend = scene.watch(&[]);
    let (one, other) = (scene.path("root/one"), scene.path("root/other"));
    fs::write(&one, "").unwrap();
    fs::rename(&one, &other).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::remove_file(&one).unwrap();
    let said = scene.read(&mut backend);
    assert_eq!(picture(&said), BTreeSet::new(), "{said:?}");
}

fn renames_to_and_fro(scene: &mut Scene) {
    let (one, other) = (scene.path("root/one"), scene.path("root/other"));
    fs::write(&one, "").unwrap();
    let mut backend = scene.watch(&[]);
    for _ in 0..3 {
        fs::rename(&one, &other).unwrap();
        fs::rename(&other, &one).unwrap();
    }
    fs::rename(&one, &other).unwrap();
    let said = scene.read(&mut backend);
    assert_eq!(picture(&said), BTreeSet::from(["root/other"]), "{said:?}");
}

fn a_folder_that_is_renamed_to_and_fro(scene: &mut Scene) {
    let (one, other) = (scene.path("root/one"), scene.path("root/other"));
    fs::create_dir(&one).unwrap();
    let mut backend = scene.watch(&[]);
    fs::rename(&one, &other).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&one, &other).unwrap();
    scene.read(&mut backend);
    fs::write(other.join("file"), "").unwrap();
    assert_eq!(scene.read(&mut backend), ["create/file root/other/file"]);
}

fn a_link_that_comes_back(scene: &mut Scene) {
    let (file, link) = (scene.path("outside/file"), scene.path("root/link"));
    fs::write(&file, "").unwrap();
    let mut backend = scene.watch(&[]);
    fs::hard_link(&file, &link).unwrap();
    fs::remove_file(&link).unwrap();
    fs::hard_link(&file, &link).unwrap();
    let said = scene.read(&mut backend);
    assert_eq!(picture(&said), BTreeSet::from(["root/link"]), "{said:?}");
}

fn a_root_that_is_displaced(scene: &mut Scene) {
    fs::create_dir(scene.path("outside/new")).unwrap();
    let mut backend = scene.watch(&[]);
    fs::rename(scene.path("outside/new"), scene.path("root")).unwrap();
    fs::write(scene.path("root/file"), "").unwrap();
    assert_eq!(scene.read(&mut backend), ["remove/folder root"]);
}

fn a_root_that_is_exchanged(scene: &mut Scene) {
    let mut backend = scene.watch(&[]);
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        scene.path("root"),
        rustix::fs::CWD,
        scene.path("outside"),
        rustix::fs::RenameFlags::EXCHANGE,
    )
    .unwrap();
    assert_eq!(scene.read(&mut backend), ["modify/name/from root"]);
}

fn a_file_whose_folder_is_renamed(scene: &mut Scene) {
    fs::create_dir(scene.path("outside/folder")).unwrap();
    fs::write(scene.path("outside/folder/file"), "").unwrap();
    let mut backend = scene.watch(&["outside/folder/file"]);
    fs::rename(scene.path("outside/folder"), scene.path("outside/other")).unwrap();
    fs::write(scene.path("outside/other/file"), "more").unwrap();
    assert_eq!(scene.read(&mut backend), ["modify/name/from outside/folder/file"]);
}

fn a_folder_from_outside(scene: &mut Scene) {
    fs::create_dir_all(scene.path("outside/folder/below")).unwrap();
    let mut backend = scene.watch(&[]);
    // The second time, the backend already knows that the folder is not watched.
    for file in ["one", "other"] {
        fs::write(scene.path("outside/folder/below").join(file), "").unwrap();
        assert_eq!(scene.read(&mut backend), [""; 0]);
    }
    fs::write(scene.path("outside/folder/below/last"), "").unwrap();
    fs::rename(scene.path("outside/folder"), scene.path("root/folder")).unwrap();
    fs::write(scene.path("root/folder/below/first"), "").unwrap();
    assert_eq!(
        scene.read(&mut backend),
        ["modify/name/to root/folder", "create/file root/folder/below/first"]
    );
    fs::rename(scene.path("root/folder"), scene.path("outside/folder")).unwrap();
    fs::write(scene.path("outside/folder/below/late"), "").unwrap();
    assert_eq!(scene.read(&mut backend), ["modify/name/from root/folder"]);
}

fn a_loss_voids_what_was_known(scene: &mut Scene) {
    let limit = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    fs::create_dir_all(scene.path("root/one/below")).unwrap();
    fs::create_dir_all(scene.path("outside/kept/below")).unwrap();
    let mut backend = scene.watch(&["outside/kept"]);
    for folder in ["root/one/below", "outside/kept/below"] {
        fs::write(scene.path(folder).join("known"), "").unwrap();
    }
    assert_eq!(scene.read(&mut backend).len(), 2);
    // Only events outside the root fill the queue; the lost ones are a rename and the end of a root.
    for i in 0..=limit {
        fs::write(scene.path("outside").join(i.to_string()), "").unwrap();
    }
    fs::rename(scene.path("root/one"), scene.path("root/other")).unwrap();
    fs::rename(scene.path("outside/kept"), scene.path("outside/gone")).unwrap();
    // The barrier may be lost as well.
    let missed = loop {
        let event = scene.next(&mut backend).unwrap();
        if matches!(event.kind, EventKind::Missed(_)) {
            break event;
        }
        assert_eq!(event.path, scene.path("outside/kept"), "{event}");
        assert!(matches!(event.kind, EventKind::Remove(_)), "{event}");
    };
    assert_eq!(missed.path, Path::new(""));
    fs::write(scene.path("root/other/below/file"), "").unwrap();
    fs::write(scene.path("outside/gone/file"), "").unwrap();
    assert_eq!(scene.read(&mut backend), ["create/file root/other/below/file"]);
}

fn a_folder_in_two_spellings(scene: &mut Scene) {
    let spellings = [scene.path("root"), scene.path("root/.")];
    let mut backend = scene.watch(&["root/."]);
    fs::write(scene.path("root/file"), "").unwrap();
    // Both events have been read by now, and the second one is buffered.
    let first = scene.next(&mut backend).unwrap().path;
    let other = spellings.iter().find(|root| root.join("file").as_os_str() != first.as_os_str());
    backend.unwatch(other.unwrap()).unwrap();
    let said = scene.read(&mut backend);
    assert_eq!(said, [""; 0], "{} was reported before", first.display());
}

fn a_bind_mount_that_is_unmounted(scene: &mut Scene) {
    for folder in ["outside/real", "outside/point"] {
        fs::create_dir(scene.path(folder)).unwrap();
    }
    let (real, point) = (scene.path("outside/real"), scene.path("outside/point"));
    mount(&["--bind", real.to_str().unwrap()], &point);
    let mut backend = scene.watch(&["outside/point"]);
    fs::write(real.join("file"), "").unwrap();
    assert_eq!(scene.read(&mut backend), ["create/file outside/point/file"]);
    unmount(&point);
    let event = scene.next(&mut backend).unwrap();
    assert_eq!((event.kind, event.path), (EventKind::Remove(RemoveKind::Other), point));
}

fn a_mount_below(scene: &mut Scene) {
    for folder in ["root/before", "root/later"] {
        fs::create_dir(scene.path(folder)).unwrap();
    }
    mount(&["-t", "tmpfs", "none"], &scene.path("root/before"));
    let mut backend = scene.watch(&[]);
    assert_eq!(scene.read(&mut backend), ["error root/before"]);
    mount(&["-t", "tmpfs", "none"], &scene.path("root/later"));
    let error = scene.next(&mut backend).unwrap_err();
    assert_eq!(error.path(), Some(scene.path("root/later").as_path()));
    for point in ["root/later", "root/before"] {
        unmount(&scene.path(point));
    }
    assert_eq!(scene.read(&mut backend), [""; 0], "the unmounted file system was not watched");
}

fn the_process_that_did_it(scene: &mut Scene) {
    let root = Watch::recursive(scene.path("root"));
    let settings = Settings::default().report_processes(true);
    let mut backend = {
        let _entered = scene.enter();
        FanotifyBackend::with_settings(settings, vec![root.clone()]).unwrap()
    };
    fs::write(scene.path("root/own"), "").unwrap();
    let event = scene.next(&mut backend).unwrap();
    assert_eq!(event.attrs.process(), Some(process::id()), "{event}");

    let mut other = Command::new("touch").arg(scene.path("root/other")).spawn().unwrap();
    assert!(other.wait().unwrap().success());
    let event = loop {
        let event = scene.next(&mut backend).unwrap();
        if event.path.ends_with("other") {
            break event;
        }
    };
    let is_known = !is_in_user_namespace();
    assert_eq!(event.attrs.process(), is_known.then(|| other.id()), "{event}");

    let mut backend: FanotifyBackend = scene.watch_these(vec![root]);
    fs::write(scene.path("root/later"), "").unwrap();
    let event = scene.next(&mut backend).unwrap();
    assert_eq!(event.attrs.process(), None, "without the setting: {event}");
}

fn the_next_backend_where_it_cannot_watch(scene: &mut Scene) {
    for folder in ["lower", "upper", "work", "merged"] {
        fs::create_dir(scene.path(folder)).unwrap();
    }
    let [lower, upper, work] =
        ["lower", "upper", "work"].map(|folder| scene.path(folder).display().to_string());
    let options = format!("lowerdir={lower},upperdir={upper},workdir={work},userxattr");
    mount(&["-t", "overlay", "none", "-o", &options], &scene.path("merged"));
    let best: Best = scene.watch_these(vec![Watch::recursive(scene.path("root"))]);
    assert_eq!(best.about().name, FanotifyBackend::name());
    let best: Best = scene.watch_these(vec![Watch::recursive(scene.path("merged"))]);
    assert_eq!(best.about().name, InotifyBackend::name());
    drop(best);
    unmount(&scene.path("merged"));
}

fn the_next_backend_without_privileges(scene: &mut Scene) {
    let root = || vec![Watch::recursive(scene.path("root"))];
    let _entered = scene.enter();
    for needed in [CapabilitySet::SYS_ADMIN, CapabilitySet::DAC_READ_SEARCH] {
        without(needed, || {
            let best: Best = scene.watch_these(root());
            assert_eq!(best.about().name, InotifyBackend::name(), "without {needed:?}");
            let none = FanotifyBackend::new(vec![]);
            assert!(matches!(none, Err(BackendError::Unavailable { .. })), "without {needed:?}");
        });
    }
    let best: Best = scene.watch_these(root());
    assert_eq!(best.about().name, FanotifyBackend::name());
}

/// Calls `act` while this thread lacks a privilege.
fn without(privilege: CapabilitySet, act: impl FnOnce()) {
    let all = capabilities(None).unwrap();
    let effective = all.effective.difference(privilege);
    set_capabilities(None, CapabilitySets { effective, ..all }).unwrap();
    act();
    set_capabilities(None, all).unwrap();
}
