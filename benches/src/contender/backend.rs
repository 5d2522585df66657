//! This project's backend.

use std::path::Path;

use anyhow::{Result, bail};
use futures_util::StreamExt;
use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

use crate::tally::Tally;

pub(super) async fn watch(folder: &Path, recursive: bool, mut tally: Tally) -> Result<()> {
    let mut backend = InotifyBackend::new(vec![if recursive {
        Watch::recursive(folder)
    } else {
        Watch::non_recursive(folder)
    }])?;
    tally.mark();
    while let Some(item) = backend.next().await {
        let event = item?;
        tally.event(event.kind, &event.path);
    }
    bail!("the stream has ended")
}
