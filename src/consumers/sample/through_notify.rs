//! What `--notify` and `--debounce` print: the events of a [`NotifyWatcher`].

use std::{any::Any, io, path::PathBuf, time::Duration};

use notify::{
    Config,
    RecursiveMode::{NonRecursive, Recursive},
    Watcher,
    event::{EventKind, ModifyKind, RenameMode},
};
use notify_debouncer_full::{DebounceEventResult, RecommendedCache, new_debouncer_opt};
use tokio::sync::mpsc;

use super::output::Output;
use crate::{
    consumers::adapter::NotifyWatcher,
    contract::{backend::Backend, display::Flattened, event::Event},
};

/// A watcher that notify's programs would use, and what its handler is told.
#[derive(Debug)]
pub(super) struct ThroughNotify {
    said: mpsc::Receiver<notify::Result<notify::Event>>,
    // What is watched until this is dropped.
    _watcher: Box<dyn Any + Send>,
}

impl ThroughNotify {
    /// Watches `paths`; with a debouncer in between if it is to wait for events to `debounce`.
    pub(super) fn new<B: Backend>(
        paths: &[PathBuf],
        recursive: bool,
        follow_links: bool,
        debounce: Option<Duration>,
    ) -> notify::Result<Self> {
        let config = Config::default().with_follow_symlinks(follow_links);
        let mode = if recursive { Recursive } else { NonRecursive };
        // The printing thread sets the pace: events wait in the backend, which says if some are lost.
        let (sender, said) = mpsc::channel(1);
        // Nobody listens any more once the command ends.
        let send = move |said| drop(sender.blocking_send(said));
        let watcher: Box<dyn Any + Send> = if let Some(debounce) = debounce {
            let handler = move |result: DebounceEventResult| match result {
                Ok(events) => events.into_iter().for_each(|event| send(Ok(event.event))),
                Err(errors) => errors.into_iter().for_each(|error| send(Err(error))),
            };
            let cache = RecommendedCache::new();
            let mut debouncer = new_debouncer_opt::<_, NotifyWatcher<B>, _>(
                debounce, None, handler, cache, config,
            )?;
            paths.iter().try_for_each(|path| debouncer.watch(path, mode))?;
            Box::new(debouncer)
        } else {
            let mut watcher = NotifyWatcher::<B>::new(send, config)?;
            paths.iter().try_for_each(|path| watcher.watch(path, mode))?;
            Box::new(watcher)
        };
        Ok(Self { said, _watcher: watcher })
    }

    /// Prints what it is told. Returns when nothing more comes, because the watcher has panicked.
    pub(super) async fn print(mut self, output: Output) -> io::Result<()> {
        while let Some(said) = self.said.recv().await {
            match said {
                Ok(event) => print_event(output, event).await?,
                Err(error) => {
                    let path = error.paths.first().map(PathBuf::as_path);
                    output.error(Flattened(&error), path).await?;
                }
            }
        }
        Ok(())
    }
}

async fn print_event(output: Output, mut event: notify::Event) -> io::Result<()> {
    let both = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
    let to = if event.kind == both && event.paths.len() == 2 { event.paths.pop() } else { None };
    for event in Event::from_notify(event) {
        match &to {
            Some(to) => output.renamed(&event, to).await?,
            None => output.event(&event).await?,
        }
    }
    Ok(())
}
