//! Choices on Linux.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Completion, Trial};
use notify_backend::{fallback::FirstOf, prelude::*};
use notify_backend_fanotify::FanotifyBackend;
use notify_backend_native::NativeBackend;

use crate::users;

/// The limit on watches of the user namespace. Only there can a test lower it for itself alone.
const WATCHES: &str = "/proc/sys/user/max_inotify_watches";

type Test = fn(&Scene);

const TESTS: &[(&str, Test)] = &[
    ("whole_file_systems_by_fanotify", whole_file_systems_by_fanotify),
    ("a_folder_by_inotify", a_folder_by_inotify),
    ("a_whole_file_system_beside_a_folder_by_inotify", beside_a_folder_by_inotify),
    ("a_mount_point_alone_by_inotify", mount_point_alone_by_inotify),
    ("links_by_inotify", links_by_inotify),
];

const TESTS_AT_THE_LIMIT: &[(&str, Test)] = &[
    ("a_large_tree_by_fanotify", large_tree_by_fanotify),
    ("folders_at_the_limit_by_polling", folders_at_the_limit_by_polling),
    ("links_at_the_limit_by_polling", links_at_the_limit_by_polling),
];

pub(crate) fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The tests share the limits.
    arguments.test_threads = Some(1);
    if !arguments.list
        && let Some(result) = users::run_as_each()
    {
        return result;
    }
    let obstacle = if arguments.list { None } else { Scene::new().obstacle() };
    let at_the_limit = if users::is_inside(users::ROOT) { &[] } else { TESTS_AT_THE_LIMIT };
    let trials = TESTS.iter().chain(at_the_limit).map(|&(name, test)| {
        let obstacle = obstacle.clone();
        Trial::ignorable_test(name, move || {
            if let Some(reason) = obstacle {
                return Ok(Completion::ignored_with(reason));
            }
            test(&Scene::new());
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A tmpfs with some folders, and a runtime.
struct Scene {
    top: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    fn new() -> Self {
        let top = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "none"]).arg(top.path()).status().unwrap();
        assert!(mounted.success(), "a tmpfs in {}", top.path().display());
        for number in 0..20 {
            fs::create_dir_all(top.path().join(format!("tree/{number}"))).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { top, runtime }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.top.path().join(path)
    }

    /// Returns why fanotify cannot be used on this machine, if so.
    fn obstacle(&self) -> Option<String> {
        let _inside = self.runtime.enter();
        let made = FirstOf::<(FanotifyBackend,)>::new(vec![Watch::recursive(self.top.path())]);
        made.err().map(|error| error.to_string())
    }

    /// Asserts that the chosen backend has this facility, and reports what happens.
    #[track_caller]
    fn chooses(&self, watches: Vec<Watch>, facility: &str) {
        let file = watches[0].path.join("new");
        let mut backend = {
            let _inside = self.runtime.enter();
            NativeBackend::new(watches).unwrap()
        };
        assert_eq!(backend.about().name.rsplit('/').next(), Some(facility));
        fs::write(&file, "").unwrap();
        let next = std::future::poll_fn(|cx| Pin::new(&mut backend).poll_next(cx));
        let event = self.runtime.block_on(next).unwrap().unwrap();
        assert_eq!((event.kind, &*event.path), (EventKind::Create(CreateKind::File), &*file));
    }

    /// As [`chooses`](Self::chooses), with room for ten more inotify watches.
    #[track_caller]
    fn chooses_at_the_limit(&self, watches: Vec<Watch>, facility: &str) {
        let before = fs::read_to_string(WATCHES).unwrap();
        fs::write(WATCHES, "10").unwrap();
        self.chooses(watches, facility);
        fs::write(WATCHES, before).unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Its namespace ends with this process, if it is still in use.
        _ = Command::new("umount").arg(self.top.path()).status();
    }
}

fn whole_file_systems_by_fanotify(scene: &Scene) {
    let other = Scene::new();
    let watches = [scene, &other].map(|scene| Watch::recursive(scene.top.path()));
    scene.chooses(watches.to_vec(), "fanotify");
}

fn a_folder_by_inotify(scene: &Scene) {
    scene.chooses(vec![Watch::recursive(scene.path("tree"))], "inotify");
}

fn beside_a_folder_by_inotify(scene: &Scene) {
    let other = Scene::new();
    let watches = vec![Watch::recursive(scene.top.path()), Watch::recursive(other.path("tree"))];
    scene.chooses(watches, "inotify");
}

fn mount_point_alone_by_inotify(scene: &Scene) {
    scene.chooses(vec![Watch::non_recursive(scene.top.path())], "inotify");
}

fn links_by_inotify(scene: &Scene) {
    scene.chooses(vec![Watch::recursive(scene.top.path()).following_links()], "inotify");
}

fn large_tree_by_fanotify(scene: &Scene) {
    scene.chooses_at_the_limit(vec![Watch::recursive(scene.path("tree"))], "fanotify");
}

fn folders_at_the_limit_by_polling(scene: &Scene) {
    let watches = (0..20).map(|it| Watch::non_recursive(scene.path(&format!("tree/{it}"))));
    scene.chooses_at_the_limit(watches.collect(), "poll");
}

fn links_at_the_limit_by_polling(scene: &Scene) {
    let tree = Watch::recursive(scene.path("tree")).following_links();
    scene.chooses_at_the_limit(vec![tree], "poll");
}
