//! What happens while the backend looks, far more often than the compliance suite makes it happen.

use std::{fs, future::poll_fn, pin::Pin, thread, time::Duration};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::{runtime::Builder, time::timeout};

/// After which time a missing item is lost.
const DEADLINE: Duration = Duration::from_secs(20);

/// From a moment before its removal is reported, a folder is not found any more.
#[test]
fn folders_that_come_and_go_are_no_loss() {
    let top = tempfile::tempdir().unwrap();
    let runtime = Builder::new_current_thread().enable_io().enable_time().build().unwrap();
    // The kernel tells one after the other, this backend somewhere among them.
    let others: Vec<_> = (0..60).map_while(|_| inotify::init(CreateFlags::NONBLOCK).ok()).collect();
    let watches = vec![Watch::recursive(top.path())];
    let mut backend = runtime.block_on(async { InotifyBackend::new(watches) }).unwrap();
    let folder = top.path().join("folder");
    for round in 0..50 {
        let last = folder.join(round.to_string());
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20 {
                    fs::create_dir(&folder).unwrap();
                    for other in &others {
                        inotify::add_watch(other, &folder, WatchFlags::DELETE_SELF).unwrap();
                    }
                    fs::remove_dir(&folder).unwrap();
                }
                fs::create_dir(&folder).unwrap();
                fs::File::create(&last).unwrap();
            });
            loop {
                let next = poll_fn(|cx| Pin::new(&mut backend).poll_next(cx));
                let item = runtime.block_on(async { timeout(DEADLINE, next).await });
                let item = item.expect("the last file is reported").expect("the stream goes on");
                let event = item.expect("nothing fails");
                assert!(!matches!(event.kind, EventKind::Missed(_)), "round {round}: {event}");
                if event.path == last {
                    break;
                }
            }
        });
        fs::remove_dir_all(&folder).unwrap();
    }
}
