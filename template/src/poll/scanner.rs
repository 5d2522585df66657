//! The looks from time to time: [`Scanner`].

use std::{io, sync::Arc, time::Instant};

use notify_backend::{
    listing::{Looker, Trees},
    prelude::*,
};

use crate::settings::Settings;

/// The pause after a look is at least this many times as long as the look: looking takes a fifth of the
/// time of one core at most.
const REST: u32 = 4;

/// A thread that looks at the watched trees from time to time, as long as a consumer waits for events.
#[derive(Debug)]
pub(crate) struct Scanner {
    trees: Arc<Trees>,
    looker: Looker,
}

impl Scanner {
    /// Starts the thread, which has nothing to look at yet.
    pub(crate) fn new(settings: Settings) -> io::Result<Self> {
        let trees = Arc::new(Trees::new().comparing_contents(settings.compare_contents));
        let [looking, stopping] = [trees.clone(), trees.clone()];
        let looker = Looker::start(
            "poll backend",
            move || stopping.stop(),
            move |demand| {
                let interval = settings.interval;
                let mut due = Instant::now() + interval;
                while demand.wait_until(due) {
                    let start = Instant::now();
                    looking.look();
                    due = Instant::now() + interval.max(start.elapsed() * REST);
                    demand.wake_if(|| looking.is_ready());
                }
                Ok(())
            },
        )?;
        Ok(Self { trees, looker })
    }

    /// Adds a watch, or changes the one with the same path.
    pub(crate) fn watch(&self, watch: Watch) -> Result<(), BackendError> {
        self.looker.check()?;
        self.trees.watch(watch)?;
        self.looker.wake_if(|| self.trees.is_ready());
        Ok(())
    }

    /// Removes the watch with this path.
    pub(crate) fn unwatch(&self, path: &Path) -> Result<(), BackendError> {
        self.looker.check()?;
        self.trees.unwatch(path)
    }

    /// Returns the next item, or stores the waker until there is one.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.looker.poll_next(cx, || self.trees.next())
    }
}
