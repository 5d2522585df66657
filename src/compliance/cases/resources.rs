//! What a backend holds, and gives back (RES).

use crate::compliance::{
    case::{Case, Group},
    watcher::WakeFlag,
};

pub(super) const GROUP: Group =
    Group { name: "resources", title: "Resources", guide: "Cleaning up", cases: &[NOTHING_LEFT] };

const NOTHING_LEFT: Case = Case {
    id: "RES01",
    name: "nothing_left",
    checks: "After 100 backends were made, polled and dropped, no thread or descriptor is left.",
    why: "fsnotify#3, fsnotify#732, watchdog#249, listen#353, rb-inotify#26, watchman#27.",
    usual_cause: "A descriptor, thread or task is kept alive by a clone that it holds itself.",
    // The process of a case is checked for leaks at its end.
    run: |lab| {
        let watch = lab.anything()?;
        for _ in 0..100 {
            let mut watcher = lab.watch([watch.clone()])?;
            let (_, waker) = WakeFlag::new();
            _ = watcher.poll_once(&waker)?;
        }
        Ok(())
    },
    ..Case::MUST
};
