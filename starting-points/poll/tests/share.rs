//! Polling takes no more than its share of a core, however short the interval. This is a separate program, so that
//! there is only one polling thread.
#![cfg(target_os = "linux")]

use std::{fs, future::poll_fn, pin::Pin, time::Duration, time::Instant};

use notify_backend::prelude::*;
use notify_backend_poll::{PollBackend, Settings};
use tokio::{runtime::Builder, time::timeout};

/// Returns the CPU time of the polling thread, in nanoseconds.
fn used() -> Option<u64> {
    let threads = fs::read_dir("/proc/self/task").ok()?.flatten().map(|thread| thread.path());
    let mut named = threads.filter(|thread| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|name| name == "poll backend\n")
    });
    let schedule = fs::read_to_string(named.next()?.join("schedstat")).ok()?;
    schedule.split(' ').next()?.parse().ok()
}

#[test]
fn looking_takes_a_fifth_of_a_core_at_most() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..3_000 {
        fs::write(folder.path().join(i.to_string()), "").unwrap();
    }
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let settings = Settings::default().interval(Duration::ZERO);
    let watches = vec![Watch::recursive(folder.path())];
    let mut backend =
        runtime.block_on(async { PollBackend::with_settings(settings, watches) }).unwrap();

    let start = Instant::now();
    let next = poll_fn(|cx| Pin::new(&mut backend).poll_next(cx));
    let item = runtime.block_on(async { timeout(Duration::from_secs(2), next).await });
    assert!(item.is_err(), "nothing was changed: {item:?}");
    let used = Duration::from_nanos(used().expect("a polling thread"));
    let share = used.as_secs_f64() / start.elapsed().as_secs_f64();
    assert!(share > 0.0 && share < 0.25, "it took {share:.3} of a core");
}
