//! A thread that is waited for, but not for ever: [`Thread`].

use std::{
    convert::Infallible,
    io,
    sync::{
        Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long the drop of a thread waits for its end. A system call may never return if it waits for a server that is
/// gone.
pub(crate) const LAST_CALL: Duration = Duration::from_secs(1);

/// A thread whose end is waited for when this is dropped. Something else has to end it before that.
#[derive(Debug)]
pub(crate) struct Thread {
    /// Disconnected when the thread has ended.
    end: Mutex<mpsc::Receiver<Infallible>>,
    /// None once it is waited for.
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    pub(crate) fn start(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (alive, end) = mpsc::channel();
        // The only character that a thread's name cannot have.
        let name = name.replace('\0', "");
        let handle = thread::Builder::new().name(name).spawn(move || {
            let _alive = alive;
            run();
        })?;
        Ok(Self { end: Mutex::new(end), handle: Some(handle) })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        // A waker that the thread wakes may drop the backend, and this with it.
        if handle.thread().id() == thread::current().id() {
            return;
        }
        let end = self.end.get_mut().unwrap_or_else(PoisonError::into_inner);
        if end.recv_timeout(LAST_CALL) == Err(RecvTimeoutError::Disconnected) {
            // A panic was reported by the stream.
            _ = handle.join();
        }
    }
}
