//! A thread with a Tokio runtime of its own, for clients that are async throughout: [`Worker`].

#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::mpsc::{self, RecvTimeoutError},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use futures_core::Stream;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
};

use super::{
    channel::{Receiver, Sender, channel},
    thread::{LAST_CALL, Thread},
};
use crate::contract::{backend::StreamItem, error::BackendError};

/// A thread with a Tokio runtime of its own, and the stream of what it sends.
///
/// [`Backend::new`](crate::Backend::new) is not async, but has to return with everything set up. The client
/// library of a service often is async throughout: what it connects belongs to the runtime in which it
/// was connected, and ends with it, and `block_on` inside the program's runtime panics. A worker is the place
/// for such a client. It lives as long as the backend, which keeps it and forwards its
/// [`poll_next`](Stream::poll_next) to it.
///
/// ```
/// use std::{io, time::Duration};
/// use notify_backend::{prelude::*, worker::Worker};
/// # use std::io::Write as _;
/// use tokio::{io::{AsyncBufReadExt as _, BufReader}, net::TcpStream};
///
/// #[derive(Debug)]
/// struct AcmeBackend {
///     worker: Worker,
/// }
///
/// impl AcmeBackend {
///     fn connect(address: String) -> Result<Self, BackendError> {
///         let worker = Worker::start("acme", 10_000, Duration::from_secs(5), move |events, ready| async move {
///             let connection = match TcpStream::connect(&address).await {
///                 Ok(connection) => connection,
///                 Err(error) => {
///                     let reason = format!("{address} cannot be reached: {error}; start the server");
///                     return ready.fail(BackendError::unavailable(reason));
///                 }
///             };
///             ready.ok();
///             let mut lines = BufReader::new(connection).lines();
///             let error = loop {
///                 match lines.next_line().await {
///                     Ok(Some(path)) => events.send(Event::create(CreateKind::File, path)),
///                     Ok(None) => break io::ErrorKind::ConnectionAborted.into(),
///                     Err(error) => break error,
///                 }
///             };
///             events.send_error(StreamError::read(error));
///         })?;
///         Ok(Self { worker })
///     }
/// }
///
/// impl Stream for AcmeBackend {
///     type Item = StreamItem;
///
///     fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
///         Pin::new(&mut self.worker).poll_next(cx)
///     }
/// }
///
/// # let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let address = server.local_addr()?.to_string();
/// # let mut backend = AcmeBackend::connect(address.clone())?;
/// # writeln!(server.accept()?.0, "/srv/page")?;
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let mut next = async || std::future::poll_fn(|cx| Pin::new(&mut backend).poll_next(cx)).await;
/// assert_eq!(next().await.unwrap().unwrap().to_string(), "create/file /srv/page");
/// assert!(next().await.unwrap().is_err()); // The server has closed the connection.
/// assert!(next().await.is_none());
/// # });
/// # drop(server);
/// # let error = AcmeBackend::connect(address).unwrap_err();
/// # assert!(error.to_string().contains("start the server"), "{error}");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # The end
///
/// The stream ends when the work is done and all items have been taken. If the work panics, the last item is
/// an error ([`StreamError::Read`](crate::StreamError::Read)).
///
/// Dropping the worker cancels the work: its future is dropped at its next `await`, with everything that was
/// spawned in the runtime. The drop waits until the thread has ended, but no longer than a second: code that
/// blocks the thread cannot be canceled.
#[derive(Debug)]
#[must_use = "dropping it cancels the work"]
pub struct Worker {
    name: Box<str>,
    // Dropped before the thread: a canceled work must not wake the program's task.
    events: Receiver,
    handle: Handle,
    _thread: Canceled,
}

impl Worker {
    /// Starts `work` on a thread of its own. Returns when the work says that it is [`Ready`], with the error
    /// that it gives, or with an error when it has taken longer than `patience`.
    ///
    /// `name` is that of the thread, and appears in messages. `capacity` is that of the [`channel`]
    /// between the work and the stream.
    ///
    /// The runtime has one thread, and all drivers that Tokio is built with. What blocks, such as looking
    /// at files, belongs in `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    ///
    /// The error of the work. [`BackendError::Unavailable`] if the work ends, panics or takes too long
    /// before it is ready, or if its thread cannot be started. After an error, nothing is left behind.
    pub fn start<F: Future<Output = ()>>(
        name: &str,
        capacity: usize,
        patience: Duration,
        work: impl FnOnce(Sender, Ready) -> F + Send + 'static,
    ) -> Result<Self, BackendError> {
        let (sender, events) = channel(capacity);
        let (tell, told) = mpsc::channel();
        let run = move |canceled| {
            // If the work panics, this clone reports that, even if the work has dropped its own.
            let _held = sender.clone();
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => Stopping(Some(runtime)),
                Err(error) => {
                    _ = tell.send(Err(Unready::Runtime(error)));
                    return;
                }
            };
            runtime.run(canceled, |handle| work(sender, Ready { handle, tell }));
        };
        let unavailable = |reason| Err(BackendError::unavailable(format!("{name} {reason}")));
        let thread = match Canceled::start(name, run) {
            Ok(thread) => thread,
            Err(error) => return unavailable(format!("has no thread: {error}")),
        };
        match told.recv_timeout(patience) {
            Ok(Ok(handle)) => Ok(Self { name: name.into(), events, handle, _thread: thread }),
            Ok(Err(Unready::Failed(error))) => Err(error),
            Ok(Err(Unready::Runtime(error))) => {
                unavailable(format!("has no Tokio runtime: {error}"))
            }
            Ok(Err(Unready::Panicked)) => {
                unavailable("panicked before it was ready; see what it printed".into())
            }
            Ok(Err(Unready::Ended)) | Err(RecvTimeoutError::Disconnected) => {
                unavailable("ended before it was ready".into())
            }
            Err(RecvTimeoutError::Timeout) => {
                unavailable(format!("was not ready within {patience:?}"))
            }
        }
    }

    /// Runs `request` in the worker's runtime, and waits for its result: for
    /// [`watch`](crate::Backend::watch) and [`unwatch`](crate::Backend::unwatch), which are not async, and
    /// return when the service has confirmed.
    ///
    /// ```
    /// use std::{future::pending, time::Duration};
    /// use notify_backend::worker::Worker;
    ///
    /// let worker = Worker::start("acme", 100, Duration::from_secs(5), |_events, ready| async {
    ///     ready.ok();
    ///     pending().await
    /// })?;
    /// assert_eq!(worker.wait_for(Duration::from_secs(5), async { 1 + 1 })?, 2);
    ///
    /// let error = worker.wait_for(Duration::from_millis(10), pending::<()>()).unwrap_err();
    /// assert!(error.to_string().contains("acme did not respond within 10ms"));
    /// # Ok::<_, notify_backend::BackendError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`] if that takes longer than `patience`, or if the request panics or the
    /// work has ended. The request is canceled.
    pub fn wait_for<T: Send + 'static>(
        &self,
        patience: Duration,
        request: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, BackendError> {
        let (tell, told) = mpsc::channel();
        let task = self.handle.spawn(async move {
            _ = tell.send(request.await);
        });
        told.recv_timeout(patience).map_err(|error| {
            task.abort();
            let name = &self.name;
            BackendError::unavailable(match error {
                RecvTimeoutError::Timeout => format!("{name} did not respond within {patience:?}"),
                RecvTimeoutError::Disconnected => format!("{name} has ended, or has panicked"),
            })
        })
    }

    /// Removes waiting items for which `keep` returns false, as [`Receiver::retain`] does.
    pub fn retain(&mut self, keep: impl FnMut(&StreamItem) -> bool) {
        self.events.retain(keep);
    }
}

impl Stream for Worker {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Pin::new(&mut self.events).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.events.size_hint()
    }
}

/// Says that the work of a [`Worker`] has set everything up, or that it cannot.
#[derive(Debug)]
#[must_use = "without it, `Worker::start` returns an error"]
pub struct Ready {
    handle: Handle,
    tell: mpsc::Sender<Result<Handle, Unready>>,
}

/// Why a worker could not be started.
#[derive(Debug)]
enum Unready {
    Failed(BackendError),
    Panicked,
    Ended,
    Runtime(io::Error),
}

impl Ready {
    /// Lets [`Worker::start`] return the worker.
    pub fn ok(self) {
        self.say(Ok(self.handle.clone()));
    }

    /// Lets [`Worker::start`] return the error. The work should end then.
    pub fn fail(self, error: BackendError) {
        self.say(Err(Unready::Failed(error)));
    }

    fn say(&self, result: Result<Handle, Unready>) {
        // `start` no longer listens if its patience is over, or if it has had a result.
        _ = self.tell.send(result);
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.say(Err(if thread::panicking() { Unready::Panicked } else { Unready::Ended }));
    }
}

/// A thread that is canceled, and waited for, when this is dropped.
#[derive(Debug)]
struct Canceled {
    // In this order: dropping the first cancels, dropping the second waits.
    _cancel: oneshot::Sender<Infallible>,
    _thread: Thread,
}

impl Canceled {
    fn start(
        name: &str,
        run: impl FnOnce(oneshot::Receiver<Infallible>) + Send + 'static,
    ) -> io::Result<Self> {
        let (cancel, canceled) = oneshot::channel();
        Ok(Self { _thread: Thread::start(name, move || run(canceled))?, _cancel: cancel })
    }
}

/// A runtime that does not wait for ever, when it is dropped, for code that blocks.
struct Stopping(Option<Runtime>);

impl Stopping {
    /// Runs the work until it is done or canceled.
    fn run<F: Future<Output = ()>>(
        &self,
        mut canceled: oneshot::Receiver<Infallible>,
        work: impl FnOnce(Handle) -> F,
    ) {
        let Some(runtime) = &self.0 else { return };
        runtime.block_on(async {
            let mut work = pin!(work(runtime.handle().clone()));
            poll_fn(|cx| {
                let is_canceled = Pin::new(&mut canceled).poll(cx).is_ready();
                if is_canceled { Poll::Ready(()) } else { work.as_mut().poll(cx) }
            })
            .await;
        });
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Less than the drop of the worker waits for the thread.
            runtime.shutdown_timeout(LAST_CALL / 2);
        }
    }
}
