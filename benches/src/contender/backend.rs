//! This project's backend.

use std::path::Path;

use anyhow::{Result, bail};
use futures_util::StreamExt;
use notify_backend::{prelude::*, settings::Maker};
use notify_backend_inotify::InotifyBackend;

use crate::tally::Tally;

/// Creates the backend with watches that ask for accesses, which notify's own watchers receive, but the adapter
/// does not ask for.
pub(super) struct WithAccesses;

impl Maker for WithAccesses {
    type Backend = InotifyBackend;

    fn make(watches: Vec<Watch>) -> Result<InotifyBackend, BackendError> {
        InotifyBackend::new(watches.into_iter().map(Watch::with_access).collect())
    }
}

pub(super) async fn watch(
    folder: &Path,
    recursive: bool,
    accesses: bool,
    mut tally: Tally,
) -> Result<()> {
    let watch = if recursive { Watch::recursive(folder) } else { Watch::non_recursive(folder) };
    let watch = if accesses { watch.with_access() } else { watch };
    let mut backend = InotifyBackend::new(vec![watch])?;
    tally.mark();
    while let Some(item) = backend.next().await {
        let event = item?;
        tally.event(event.kind, &event.path);
    }
    bail!("the stream has ended")
}
