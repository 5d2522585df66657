//! The output of `--notify` and `--debounce`: the events of a [`NotifyWatcher`].

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

/// A watcher as a program that uses notify would make it, and the arguments of its handler.
#[derive(Debug)]
pub(super) struct ThroughNotify {
    results: mpsc::Receiver<notify::Result<notify::Event>>,
    // Watches until it is dropped.
    _watcher: Box<dyn Any + Send>,
}

impl ThroughNotify {
    /// Watches `paths`, through a debouncer if `debounce` gives a time to wait for events.
    pub(super) fn new<B: Backend>(
        paths: &[PathBuf],
        recursive: bool,
        follow_links: bool,
        debounce: Option<Duration>,
    ) -> notify::Result<Self> {
        let config = Config::default().with_follow_symlinks(follow_links);
        let mode = if recursive { Recursive } else { NonRecursive };
        // The printing thread sets the pace: events wait in the backend, which reports if some are lost.
        let (sender, results) = mpsc::channel(1);
        // The receiver is gone once the command ends.
        let send = move |result| drop(sender.blocking_send(result));
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
        Ok(Self { results, _watcher: watcher })
    }

    /// Prints all events and errors. Returns when no more can come, because the watcher has panicked.
    pub(super) async fn print(mut self, output: Output) -> io::Result<()> {
        while let Some(result) = self.results.recv().await {
            match result {
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
