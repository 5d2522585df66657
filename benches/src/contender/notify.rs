//! The watchers of `notify`, the stable version and the next, and this project's backend in their place: with a
//! handler in the watcher's own thread, which costs least, and with a channel, as in `notify`'s documentation.

use std::{fmt::Display, path::Path, process, sync::mpsc, thread};

use anyhow::{Result, bail};
use notify_backend::{adapter::NotifyWatcher, settings::Made};
// Both versions use the same type.
use notify8::Event;

use super::backend::WithAccesses;
use crate::tally::Tally;

/// A macro, because the two versions have the same functions but are different crates.
macro_rules! notify {
    ($module:ident, $notify:ident, $watcher:ty) => {
        pub(super) mod $module {
            use $notify::{Config, RecursiveMode, Watcher as _};

            use super::*;

            pub(crate) fn with_handler(
                folder: &Path,
                recursive: bool,
                mut tally: Tally,
            ) -> Result<()> {
                let at_ready = tally.clone();
                let handler = move |event| count(event, &mut tally);
                let mut watcher = <$watcher>::new(handler, Config::default())?;
                watcher.watch(folder, mode(recursive))?;
                at_ready.mark();
                loop {
                    thread::park();
                }
            }

            pub(crate) fn with_channel(
                folder: &Path,
                recursive: bool,
                mut tally: Tally,
            ) -> Result<()> {
                let (sender, events) = mpsc::channel();
                let mut watcher = <$watcher>::new(sender, Config::default())?;
                watcher.watch(folder, mode(recursive))?;
                tally.mark();
                for event in events {
                    count(event, &mut tally);
                }
                bail!("the watcher has ended")
            }

            fn mode(recursive: bool) -> RecursiveMode {
                if recursive { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive }
            }
        }
    };
}

notify!(version8, notify8, notify8::RecommendedWatcher);
notify!(version9, notify9, notify9::RecommendedWatcher);
notify!(adapter, notify8, NotifyWatcher<Made<WithAccesses>>);

fn count(event: Result<Event, impl Display>, tally: &mut Tally) {
    match event {
        Ok(Event { kind, paths, .. }) => {
            tally.event(kind, paths.first().map_or(Path::new(""), |path| path));
        }
        Err(error) => {
            eprintln!("{error}");
            process::exit(1);
        }
    }
}
