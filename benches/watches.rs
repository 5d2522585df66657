//! The cost of adding and removing many watches, one by one: `cargo bench --bench watches`.
//!
//! The time per watch must stay the same, however many there are.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use notify_backend::prelude::*;
use notify_backend_poll::PollBackend;

const COUNTS: [usize; 4] = [2_000, 4_000, 8_000, 16_000];

/// The kind of watched paths.
#[derive(Clone, Copy)]
enum Paths {
    Folders,
    Files,
    /// Folders within a recursively watched one.
    Within,
}

fn make(at: &Path, paths: Paths, count: usize) -> io::Result<Vec<PathBuf>> {
    let all: Vec<_> = (0..count).map(|number| at.join(format!("entry-{number}"))).collect();
    for path in &all {
        if matches!(paths, Paths::Files) {
            fs::write(path, "")?;
        } else {
            fs::create_dir(path)?;
        }
    }
    Ok(all)
}

/// Returns the time to add all watches, and to remove them again.
fn measure<B: Backend>(top: &Path, paths: Paths, all: &[PathBuf]) -> [Duration; 2] {
    let first = matches!(paths, Paths::Within).then(|| Watch::recursive(top));
    let mut backend = B::new(first.into_iter().collect()).expect("the backend can be made");
    let start = Instant::now();
    for path in all {
        backend.watch(Watch::non_recursive(path)).expect("there are enough watches");
    }
    let added = start.elapsed();
    let start = Instant::now();
    for path in all {
        backend.unwatch(path).expect("it is watched");
    }
    [added, start.elapsed()]
}

fn compare<B: Backend>(counts: &[usize]) -> io::Result<()> {
    for (what, paths) in
        [("folders", Paths::Folders), ("files", Paths::Files), ("folders within", Paths::Within)]
    {
        for &count in counts {
            let folder = tempfile::tempdir()?;
            let all = make(folder.path(), paths, count)?;
            let [added, removed] = measure::<B>(folder.path(), paths, &all).map(|time| {
                time.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap_or(u32::MAX))
            });
            let name = B::name().rsplit('/').next().unwrap_or_default();
            println!(
                "{name:<8} {count:>6} {what:<15} {added:>8.1} µs to add, {removed:>8.1} µs to remove"
            );
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    // `cargo test --all-targets` only checks that it runs.
    let is_measured = std::env::args().any(|arg| arg == "--bench");
    let counts = if is_measured { &COUNTS[..] } else { &[10] };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    #[cfg(target_os = "linux")]
    compare::<notify_backend_inotify::InotifyBackend>(counts)?;
    compare::<PollBackend>(counts)
}
