//! The causes outside the program that end the command: Ctrl-C, a signal, and a reader that goes away.

use std::io;

/// The signals that ask the command to end.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct Requests(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Requests {
    /// Takes over the signals. From now on, they do not end the process, but complete [`next`](Self::next).
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        // Process 1 of a container has to handle every signal that is to end it. Elsewhere the default
        // action ends the process, unless the command was started with these signals ignored, as `nohup`
        // does.
        if std::process::id() == 1 {
            kinds.extend([SignalKind::hangup(), SignalKind::quit()]);
        }
        kinds.into_iter().map(signal).collect::<io::Result<_>>().map(Self)
    }

    pub(super) async fn next(&mut self) {
        std::future::poll_fn(|cx| {
            let is_asked = self.0.iter_mut().any(|signal| signal.poll_recv(cx).is_ready());
            if is_asked { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

/// Ctrl-C. All other requests of Windows end the process without this.
#[cfg(windows)]
#[derive(Debug)]
pub(super) struct Requests(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Requests {
    pub(super) fn new() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    pub(super) async fn next(&mut self) {
        // This stream never ends.
        _ = self.0.recv().await;
    }
}

/// Returns when the standard output has no reader any more.
#[cfg(unix)]
pub(super) async fn reader_gone() {
    use std::future::pending;

    use tokio::io::{Interest, unix::AsyncFd};

    #[allow(
        deprecated,
        reason = "the replacement is unsafe for the sake of types that may change or close their \
                  descriptor; the standard output does neither"
    )]
    let Ok(stdout) = AsyncFd::with_interest(io::stdout(), Interest::WRITABLE) else {
        // The output is a file, which has no reader to wait for.
        return pending().await;
    };
    while let Ok(mut ready) = stdout.writable().await {
        if ready.ready().is_write_closed() {
            return;
        }
        ready.clear_ready();
    }
    // The runtime is being dropped, and this future with it.
    pending::<()>().await;
}

/// Never returns: on Windows, only a write shows that the reader is gone.
#[cfg(windows)]
pub(super) async fn reader_gone() {
    std::future::pending::<()>().await;
}
