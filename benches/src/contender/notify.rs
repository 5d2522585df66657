//! `notify`, the stable version and the next: with a handler in its own thread, which is the least
//! there can be, and with a channel, as its documentation shows.

use std::{fmt::Display, path::Path, process, sync::mpsc, thread};

use anyhow::{Result, bail};
// The same type in both versions.
use notify8::Event;

use crate::tally::Tally;

/// Both versions have the same functions, but are different crates.
macro_rules! notify {
    ($module:ident, $notify:ident) => {
        pub(super) mod $module {
            use $notify::{RecursiveMode, Watcher as _, recommended_watcher};

            use super::*;

            pub(crate) fn with_handler(
                folder: &Path,
                recursive: bool,
                mut tally: Tally,
            ) -> Result<()> {
                let at_ready = tally.clone();
                let mut watcher = recommended_watcher(move |event| count(event, &mut tally))?;
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
                let mut watcher = recommended_watcher(sender)?;
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

notify!(version8, notify8);
notify!(version9, notify9);

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
