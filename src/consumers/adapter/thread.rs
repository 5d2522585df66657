//! The thread that reads a watcher's backends and calls its handler.

use std::{
    future::poll_fn,
    io, mem,
    sync::{Arc, mpsc},
    task::{Context, Poll, Waker},
    thread,
};

use notify::EventHandler;
use tokio::runtime::{Builder, Handle, Runtime};

use super::{
    instance::EventResult,
    shared::{End, Shared},
};
use crate::contract::backend::Backend;

/// After how many events the runtime gets a turn even if a backend always has more: it runs other tasks,
/// and finds out which of them to wake.
const TURN: usize = 256;

/// Starts the thread, and returns its runtime once there is one.
pub(super) fn start<B: Backend>(
    shared: Arc<Shared<B>>,
    handler: impl EventHandler,
) -> io::Result<Handle> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name("notify-backend".into()).spawn(move || {
        // Made and dropped here, since the watcher may be used where a runtime cannot be dropped.
        let runtime = Builder::new_current_thread().enable_all().build();
        let handle = runtime.as_ref().map(|runtime| runtime.handle().clone());
        // The receiver waits for this.
        let _ =
            sender.send(handle.map_err(|error| io::Error::new(error.kind(), error.to_string())));
        if let Ok(runtime) = runtime {
            run(&runtime, &shared, handler);
            runtime.shutdown_background();
        }
    })?;
    receiver.recv().map_err(|_| io::Error::other("the watcher's thread has ended"))?
}

fn run<B: Backend>(runtime: &Runtime, shared: &Shared<B>, mut handler: impl EventHandler) {
    let _ending = Ending { runtime, shared };
    shared.begin();
    for count in 1_usize.. {
        let next = shared.next_ready().or_else(|| wait(runtime, shared));
        let Some(result) = next else {
            return;
        };
        // Outside the runtime: inside, the handler could not block.
        handler.handle_event(result);
        if count % TURN == 0 {
            give_a_turn(runtime);
        }
    }
}

/// Waits for the handler's next argument. Returns `None` after the end of the watcher.
fn wait<B: Backend>(runtime: &Runtime, shared: &Shared<B>) -> Option<EventResult> {
    let polled = {
        let _inside = runtime.enter();
        shared.poll_next(&mut Context::from_waker(Waker::noop()))
    };
    match polled {
        Poll::Ready(next) => next,
        // Polls again, with a waker.
        Poll::Pending => runtime.block_on(poll_fn(|cx| shared.poll_next(cx))),
    }
}

/// Lets the runtime run other tasks, as `tokio::task::yield_now` does, but without allocating.
fn give_a_turn(runtime: &Runtime) {
    let mut was_given = false;
    runtime.block_on(poll_fn(|cx| {
        if mem::replace(&mut was_given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
}

/// Frees the instances when the thread ends, and records whether it panicked.
struct Ending<'a, B: Backend> {
    runtime: &'a Runtime,
    shared: &'a Shared<B>,
}

impl<B: Backend> Drop for Ending<'_, B> {
    fn drop(&mut self) {
        let end = if thread::panicking() { End::Panicked } else { End::Dropped };
        let _inside = self.runtime.enter();
        drop(self.shared.end(end));
    }
}
