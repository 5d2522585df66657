//! The command that prints what a backend reports, for trying one by hand: feature `sample`.
//!
//! A backend's `examples/watch.rs` needs nothing else:
//!
//! ```no_run
//! # use notify_backend::prelude::*;
//! # #[derive(Debug)]
//! # struct Acme;
//! # impl Backend for Acme {
//! #     fn new(_: Vec<Watch>) -> Result<Self, BackendError> { Ok(Acme) }
//! #     fn capabilities() -> Capabilities { Capabilities::NONE }
//! #     fn name() -> &'static str { "acme/acme" }
//! # }
//! # impl Stream for Acme {
//! #     type Item = StreamItem;
//! #     fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
//! #         Poll::Ready(None)
//! #     }
//! # }
//! fn main() -> std::process::ExitCode {
//!     notify_backend::sample::main::<Acme>()
//! }
//! ```
//!
//! ```sh
//! cargo run --example watch -- SOME_FOLDER
//! ```
//!
//! # What it watches
//!
//! Every given path, and everything below it. A backend that does not declare
//! [`WatchRecursively`](crate::Capability::WatchRecursively) watches only the paths themselves, and so does
//! every backend with `--no-recursive`. Events keep the spelling of the given paths, so that relative paths
//! stay relative.
//!
//! # What it prints
//!
//! One line per event, as it arrives, in the form of its `Display`. Nothing else goes to the standard
//! output: the watched paths and errors are printed on the standard error.
//!
//! With `--json`, every line is an object, for other programs to read:
//!
//! - `{"ready":true,"backend":"acme/acme","capabilities":["WatchFolders"]}` comes first. It means
//!   that the watch is in place: every change from now on is reported.
//! - An event has the fields that [`event::format`](crate::event::format) lists:
//!   `{"kind":"modify/name/from","path":"/srv/old","tracker":7}`.
//! - An error is `{"error":"…","path":"…"}`, without `path` if it is not about a path, and with
//!   `path_bytes` or `path_wide` as in an event.
//!
//! # Through notify
//!
//! With `--notify`, it prints the events that programs written for the `notify` crate get, through
//! [`NotifyWatcher`](crate::adapter::NotifyWatcher). With `--debounce MS`, it prints those that they get
//! through `notify-debouncer-full`, which reports what is left of the changes to a path after that many
//! milliseconds. Paths are absolute then. A rename is also printed with both names,
//! `modify/name/both /srv/old -> /srv/new`; in JSON, the new name is in `to`, and in `to_bytes` or `to_wide`
//! as for a path.
//!
//! # How it ends
//!
//! When all watched paths are gone, a line on the standard error says so. What comes next depends on
//! the backend: it may watch what comes back, be silent, or end its stream.
//!
//! | exit code | when |
//! |---|---|
//! | 0 | on Ctrl-C, on Unix also on `SIGTERM`; when the reader of its output is gone (on Windows at the next event after that); when the stream ends (`--notify` cannot show this) |
//! | 1 | when the backend refuses, for example because a path does not exist, or when it cannot print; a line on the standard error says why |
//! | 2 | when its arguments are wrong |
//!
//! As process 1 of a container, it also ends with 0 on `SIGHUP` and `SIGQUIT`.

mod arguments;
mod output;
mod stop;
mod through_notify;

use std::{
    future::poll_fn,
    io,
    panic::resume_unwind,
    path::{Path, PathBuf},
    pin::Pin,
    process::ExitCode,
};

use tokio::task::spawn_blocking;

use self::{
    arguments::Arguments,
    output::Output,
    stop::{Requests, reader_gone},
    through_notify::ThroughNotify,
};
use crate::contract::{
    backend::{Backend, Watch},
    capability::Capability,
    display::{Flattened, PathList},
    error::BackendError,
};

/// Runs the command with the arguments of this process. Returns the exit code for `main`.
#[must_use]
pub fn main<B: Backend>() -> ExitCode {
    let arguments = match Arguments::parse(B::name()) {
        Ok(arguments) => arguments,
        Err(answer) => {
            // The output may be closed; then the exit code has to be enough.
            let _ = answer.print();
            return if answer.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match run::<B>(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note(format_args!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Why the command fails.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("{}", Flattened(.0))]
    Notify(#[from] notify::Error),
    #[error("the watcher has panicked")]
    Panic,
    #[error("failed to start: {0}")]
    Start(io::Error),
    #[error("failed to print: {0}")]
    Print(#[from] io::Error),
}

fn run<B: Backend>(arguments: Arguments) -> Result<(), Failure> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(Failure::Start)?;
    let result = runtime.block_on(watch::<B>(arguments));
    // A line that is never read would otherwise keep the process alive.
    runtime.shutdown_background();
    result
}

async fn watch<B: Backend>(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { paths, json, recursive, access, follow_links, notify, debounce } = arguments;
    let output = Output::new(json);
    let recursive = recursive && B::capabilities().contains(Capability::WatchRecursively);
    let depth = if recursive { "and all below" } else { "and nothing below" };
    let what = format!("{} {depth}", PathList(&paths));
    let mut requests = Requests::new().map_err(Failure::Start)?;
    let watched = async {
        if notify {
            let watcher =
                aside(move || ThroughNotify::new::<B>(&paths, recursive, follow_links, debounce));
            let watcher = watcher.await?;
            let printed = async {
                output.ready::<B>(&format!("{what}, through notify")).await?;
                watcher.print(output).await?;
                Err(Failure::Panic)
            };
            while_read(printed).await
        } else {
            let watches = paths.iter().map(|path| {
                let mut watch = Watch::non_recursive(path);
                watch.recursive = recursive;
                watch.access = access;
                watch.follow_links = follow_links;
                watch
            });
            let watches = watches.collect();
            let backend = aside(|| B::new(watches)).await?;
            while_read(print(output, &what, &paths, backend)).await
        }
    };
    tokio::select! {
        () = requests.next() => Ok(()),
        watched = watched => watched,
    }
}

/// Prints until the end of the stream, or until the output has no reader any more.
async fn while_read(printed: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::select! {
        () = reader_gone() => Ok(()),
        printed = printed => match printed {
            Err(Failure::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            printed => printed,
        }
    }
}

/// Makes a backend or watcher on its own thread, so that the command can end while a large tree is walked.
async fn aside<T: Send + 'static>(make: impl FnOnce() -> T + Send + 'static) -> T {
    // The runtime outlives this, so only a panic can make it fail.
    spawn_blocking(make).await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

async fn print<B: Backend>(
    output: Output,
    what: &str,
    paths: &[PathBuf],
    mut backend: B,
) -> Result<(), Failure> {
    output.ready::<B>(what).await?;
    while let Some(item) = poll_fn(|cx| Pin::new(&mut backend).poll_next(cx)).await {
        match item {
            Ok(event) => {
                output.event(&event).await?;
                if paths.contains(&event.path) && paths.iter().all(|path| is_gone(path)) {
                    output::note(format_args!("all watched paths are gone; press Ctrl-C to stop"));
                }
            }
            Err(error) => output.error(&error, error.path()).await?,
        }
    }
    output::note(format_args!("nothing is left to watch"));
    Ok(())
}

/// Returns whether there is nothing at `path` at this moment.
fn is_gone(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
