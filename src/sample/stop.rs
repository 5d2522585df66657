//! What ends the command from outside: Ctrl-C, and a reader that goes away.

use std::io;

/// Waits for a reason to stop.
#[derive(Debug)]
pub(super) struct Stop {
    interrupt: Interrupt,
}

#[cfg(unix)]
type Interrupt = tokio::signal::unix::Signal;

#[cfg(windows)]
type Interrupt = tokio::signal::windows::CtrlC;

impl Stop {
    /// From now on, Ctrl-C does not end the process but what waits for [`asked`](Self::asked).
    pub(super) fn new() -> io::Result<Self> {
        #[cfg(unix)]
        let interrupt = {
            use tokio::signal::unix::{SignalKind, signal};
            signal(SignalKind::interrupt())?
        };
        #[cfg(windows)]
        let interrupt = tokio::signal::windows::ctrl_c()?;
        Ok(Self { interrupt })
    }

    /// Returns when there is a reason to stop.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            () = reader_gone() => {}
        }
    }
}

/// Returns when nobody reads the standard output any more.
#[cfg(unix)]
async fn reader_gone() {
    use std::future::pending;

    use tokio::io::{Interest, unix::AsyncFd};

    #[allow(
        deprecated,
        reason = "the replacement is unsafe for the sake of types that may change or close their \
                  descriptor; the standard output does neither"
    )]
    let Ok(stdout) = AsyncFd::with_interest(io::stdout(), Interest::WRITABLE) else {
        // A file, for which there is no reader to wait for.
        return pending().await;
    };
    while let Ok(mut ready) = stdout.writable().await {
        if ready.ready().is_write_closed() {
            return;
        }
        ready.clear_ready();
    }
    // The runtime is going away, and this with it.
    pending::<()>().await;
}

/// Windows says so only to whoever writes.
#[cfg(windows)]
async fn reader_gone() {
    std::future::pending::<()>().await;
}
