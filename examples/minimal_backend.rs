//! A complete backend without a platform behind it: a few times per second, it reports that something may have
//! happened to each watched path.
//!
//! ```sh
//! cargo run --example minimal_backend -- PATH
//! ```
//!
//! Its four parts are numbered as in the guide "Writing a Backend".

use std::{env, error::Error, task::ready, time::Duration};

use futures_util::StreamExt;
use notify_backend::{Buffer, check_watches, prelude::*}; // (1)
use tokio::time::{Instant, Interval, interval_at};

/// Reports each path at each tick. (2)
#[derive(Debug)]
struct Ticking {
    paths: Vec<PathBuf>,
    ticks: Interval,
    ready: Buffer,
}

/// The kinds of paths that it accepts. A real backend also notices changes to them.
const CAPABILITIES: Capabilities =
    Capabilities::declare(&[Capability::WatchFiles, Capability::WatchFolders]);

const PERIOD: Duration = Duration::from_millis(500);

impl Backend for Ticking {
    // (3)
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_watches(&watches, CAPABILITIES)?;
        Ok(Self {
            paths: watches.into_iter().map(|watch| watch.path).collect(),
            ticks: interval_at(Instant::now() + PERIOD, PERIOD),
            ready: Buffer::new(1000),
        })
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "example/ticking"
    }
}

impl Stream for Ticking {
    type Item = StreamItem;

    // (4)
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let Self { paths, ticks, ready } = self.get_mut();
        loop {
            if let Some(item) = ready.take() {
                return Poll::Ready(Some(item));
            }
            // If it is not time yet, the interval stores the waker.
            ready!(ticks.poll_tick(cx));
            for path in &*paths {
                ready.add(Event::new(EventKind::Any, path.clone()));
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("say which path to watch")?;
    let mut changes = Ticking::new(vec![Watch::non_recursive(&path)])?;
    println!("watching {}", path.display());

    while let Some(change) = changes.next().await {
        println!("{}", change?);
    }
    Ok(())
}
