//! Reads a backend's stream, for tests.

use std::{
    fs,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use notify_backend::prelude::*;

/// The deadline after which a missing item counts as lost.
const DEADLINE: Duration = Duration::from_secs(20);

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Returns all items up to the first one that `is_last`.
pub(crate) fn until<B: Backend>(
    backend: &mut B,
    is_last: impl Fn(&StreamItem) -> bool,
) -> Vec<StreamItem> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let start = Instant::now();
    let mut items = vec![];
    loop {
        match Pin::new(&mut *backend).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(item) => {
                items.push(item.expect("the stream goes on"));
                if items.last().is_some_and(&is_last) {
                    return items;
                }
            }
            Poll::Pending => {
                let left = DEADLINE.checked_sub(start.elapsed());
                thread::park_timeout(
                    left.unwrap_or_else(|| panic!("the last is missing: {items:?}")),
                );
            }
        }
    }
}

/// Reads until everything that was done before has been reported.
pub(crate) fn settle<B: Backend>(backend: &mut B, folder: &Path, name: &str) -> Vec<StreamItem> {
    let mut items = vec![];
    // A look may have begun before the first file is made.
    for number in 0..2 {
        let barrier = folder.join(format!("{name}-{number}"));
        fs::write(&barrier, "").expect("a file can be made");
        let is_it = |item: &StreamItem| item.as_ref().is_ok_and(|event| event.path == barrier);
        items.extend(until(backend, is_it));
        fs::remove_file(&barrier).expect("it can be removed");
        let is_gone = |item: &StreamItem| {
            let is_removal = |event: &Event| matches!(event.kind, EventKind::Remove(_));
            is_it(item) && item.as_ref().is_ok_and(is_removal)
        };
        items.extend(until(backend, is_gone));
    }
    items
}
