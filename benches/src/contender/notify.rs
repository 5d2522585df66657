//! `notify`, the stable version and the next, with a handler that only counts.

use std::{path::Path, process, thread};

use anyhow::Result;

use crate::tally::Tally;

/// The two have the same functions, but are different crates.
macro_rules! watch {
    ($name:ident, $notify:ident) => {
        pub(super) fn $name(folder: &Path, recursive: bool, mut tally: Tally) -> Result<()> {
            use $notify::{Event, RecursiveMode, Watcher as _};

            let at_ready = tally.clone();
            let handler = move |event: $notify::Result<Event>| match event {
                Ok(Event { kind, paths, .. }) => {
                    tally.event(kind, paths.first().map_or(Path::new(""), |path| path));
                }
                Err(error) => {
                    eprintln!("{error}");
                    process::exit(1);
                }
            };
            let mut watcher = $notify::recommended_watcher(handler)?;
            let mode = [RecursiveMode::NonRecursive, RecursiveMode::Recursive];
            watcher.watch(folder, mode[usize::from(recursive)])?;
            at_ready.mark();
            // It all happens in the watcher's own thread.
            loop {
                thread::park();
            }
        }
    };
}

watch!(watch8, notify8);
watch!(watch9, notify9);
