//! Reading a file descriptor that becomes readable: [`Descriptor`].

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    task::{Context, Poll, ready},
};

use tokio::io::{Interest, unix::AsyncFd};

/// A non-blocking descriptor whose reads wait on Tokio, for backends whose platform delivers events
/// that way.
///
/// Tokio's poller is edge-triggered: it reports that there is something new, not that something is
/// left. A backend that reads once and then waits does not see the rest until the next change "pokes" it.
/// This type reads on until the kernel has nothing more. It takes a short read as proof of that,
/// which saves one system call per wake-up.
#[derive(Debug)]
pub struct Descriptor(AsyncFd<File>);

impl Descriptor {
    /// Registers a descriptor with Tokio's poller. It must have been opened as non-blocking.
    ///
    /// # Errors
    ///
    /// The poller's error, if it does not accept the descriptor.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime, or in one that was built without `enable_io`. See
    /// [`check_watches`](crate::check_watches).
    pub fn new(descriptor: OwnedFd) -> io::Result<Self> {
        Self::with_interest(descriptor, Interest::READABLE)
    }

    /// Takes a descriptor that reports changes by `POLLPRI`, as files of `/proc` and `/sys` do;
    /// [`poll_urgent`](Self::poll_urgent) waits for them. It is not read.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// use notify_backend::descriptor::Descriptor;
    ///
    /// // See proc(5): whenever something is mounted or unmounted.
    /// let mounts = Descriptor::urgent(std::fs::File::open("/proc/self/mountinfo")?.into())?;
    /// # std::future::poll_fn(|cx| {
    /// assert!(mounts.poll_urgent(cx).is_pending());
    /// # std::task::Poll::Ready(()) }).await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[cfg(target_os = "linux")]
    pub fn urgent(descriptor: OwnedFd) -> io::Result<Self> {
        Self::with_interest(descriptor, Interest::PRIORITY)
    }

    fn with_interest(descriptor: OwnedFd, interest: Interest) -> io::Result<Self> {
        #[allow(
            deprecated,
            reason = "the replacement is unsafe for the sake of types that may change or close \
                      their descriptor; a `File` does neither"
        )]
        AsyncFd::with_interest(descriptor.into(), interest).map(Self)
    }

    /// Waits for a change of an [urgent](Self::urgent) descriptor; several may be one.
    #[cfg(target_os = "linux")]
    pub fn poll_urgent(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The poller treats urgent data as something to read.
        ready!(self.0.poll_read_ready(cx))?.clear_ready();
        Poll::Ready(Ok(()))
    }

    /// Reads into `buffer`, or returns `Pending` and wakes the task once there is something to read. The
    /// result has the number of bytes, 0 at the end.
    ///
    /// `largest` is the size of the largest record in bytes, if the kernel returns whole records only, and
    /// 1 for a stream of bytes. A read that leaves room for such a record shows that none is left. The
    /// buffer needs room for one.
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        largest: usize,
    ) -> Poll<io::Result<Reading>> {
        self.poll_read_by(cx, buffer, largest, |mut file, buffer| file.read(buffer))
    }

    /// Does the same with another system call, for tests.
    fn poll_read_by(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        largest: usize,
        mut read: impl FnMut(&File, &mut [u8]) -> io::Result<usize>,
    ) -> Poll<io::Result<Reading>> {
        loop {
            let mut readiness = ready!(self.0.poll_read_ready(cx))?;
            match read(self.0.get_ref(), buffer) {
                Ok(bytes) => {
                    let is_drained = buffer.len() - bytes >= largest.max(1);
                    if is_drained {
                        // If something has arrived since, the poller has noticed, and this clears nothing.
                        readiness.clear_ready();
                    }
                    return Poll::Ready(Ok(Reading { bytes, is_drained }));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => readiness.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// The result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The number of bytes read.
    pub bytes: usize,
    /// Whether the kernel had no more to read at that moment.
    pub is_drained: bool,
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.get_ref().as_fd()
    }
}
