//! What a program learns of the watcher's kind before it watches anything.

use notify::{Watcher, WatcherKind};
use notify_backend::adapter::NotifyWatcher;
use notify_backend_native::{NativeBackend, RecommendedWatcher};

#[test]
fn is_that_of_the_facility_that_is_taken_as_a_rule() {
    let expected = if cfg!(target_os = "linux") {
        WatcherKind::Inotify
    } else if cfg!(windows) {
        WatcherKind::ReadDirectoryChangesWatcher
    } else if cfg!(unix) {
        WatcherKind::Kqueue
    } else {
        WatcherKind::PollWatcher
    };
    assert_eq!(RecommendedWatcher::kind(), expected);
    assert_eq!(NotifyWatcher::<NativeBackend>::kind(), expected);
}
