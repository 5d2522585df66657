//! The backend's own use of the kernel's queue.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

use std::{fs, future::poll_fn};

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

/// A new watch must report no older events. To know where they end, the backend queues an event of its own.
#[tokio::test(flavor = "current_thread")]
async fn more_watches_than_the_queue_holds() {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let limit: usize = limit.trim().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let watches: Vec<_> = (0..limit + 100)
        .map(|i| {
            let file = folder.path().join(i.to_string());
            fs::write(&file, "").unwrap();
            Watch::non_recursive(file)
        })
        .collect();
    let last = watches.last().unwrap().path.clone();

    let mut backend = InotifyBackend::new(watches).unwrap();
    fs::write(&last, "more").unwrap();
    let event = poll_fn(|cx| Pin::new(&mut backend).poll_next(cx)).await.unwrap().unwrap();
    assert_eq!(event.kind, EventKind::Modify(ModifyKind::Data(DataChange::Any)));
    assert_eq!(event.path, last);
}
