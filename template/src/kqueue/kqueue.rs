//! The system's kqueue: [`Kqueue`].

#[cfg(not(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
pub use self::none::Kqueue;
#[cfg(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
))]
pub use self::system::Kqueue;

#[cfg(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
))]
mod system {
    use std::{
        io::{self, PipeReader, PipeWriter, Write, pipe},
        os::fd::{AsRawFd, OwnedFd},
        path::Path,
        ptr,
        time::Duration,
    };

    use rustix::{
        buffer::spare_capacity,
        event::kqueue::{Event, EventFilter, EventFlags, VnodeEvents, kevent, kqueue},
        fs::{Mode, OFlags, open},
        io::Errno,
    };

    use crate::vnodes::{Note, Vnodes};

    /// What is asked for. Accesses are not (`NOTE_OPEN` and others on FreeBSD and NetBSD).
    const CHANGES: VnodeEvents = VnodeEvents::DELETE
        .union(VnodeEvents::WRITE)
        .union(VnodeEvents::EXTEND)
        .union(VnodeEvents::ATTRIBUTES)
        .union(VnodeEvents::LINK)
        .union(VnodeEvents::RENAME)
        .union(VnodeEvents::REVOKE);

    /// How a file is opened. On macOS, `O_EVTONLY` (open(2)) does not keep its file system from being unmounted.
    #[cfg(target_vendor = "apple")]
    const FOR_EVENTS: OFlags = OFlags::from_bits_retain(libc::O_EVTONLY as _);
    /// How a file is opened: there is no mode for this purpose alone.
    #[cfg(not(target_vendor = "apple"))]
    const FOR_EVENTS: OFlags = OFlags::RDONLY;

    /// How many notes are taken at once.
    const AT_ONCE: usize = 256;

    /// A kqueue of the kernel.
    #[derive(Debug)]
    pub struct Kqueue {
        queue: OwnedFd,
        /// It is readable from the first wake-up on.
        woken: PipeReader,
        waker: PipeWriter,
    }

    impl Kqueue {
        /// Adds a filter for a descriptor that stays open as long as this queue, or is watched until it is closed.
        fn add(&self, filter: EventFilter, flags: EventFlags, token: usize) -> io::Result<()> {
            let event =
                Event::new(filter, EventFlags::ADD | flags, ptr::without_provenance_mut(token));
            let mut none: [Event; 0] = [];
            // SAFETY: the descriptor is open. When it is closed, the kernel removes the filter (kqueue(2)).
            unsafe { kevent(&self.queue, &[event], &mut none, Some(Duration::ZERO)) }?;
            Ok(())
        }
    }

    impl Vnodes for Kqueue {
        type File = OwnedFd;

        fn new() -> io::Result<Self> {
            let (woken, waker) = pipe()?;
            let queue = Self { queue: kqueue()?, woken, waker };
            // Without `CLEAR`: it stays readable.
            let filter = EventFilter::Read(queue.woken.as_raw_fd());
            queue.add(filter, EventFlags::empty(), 0)?;
            Ok(queue)
        }

        fn open(path: &Path) -> io::Result<OwnedFd> {
            let flags = FOR_EVENTS | OFlags::NONBLOCK | OFlags::CLOEXEC;
            Ok(open(path, flags, Mode::empty())?)
        }

        fn watch(&self, file: &OwnedFd, token: usize) -> io::Result<()> {
            let filter = EventFilter::Vnode { vnode: file.as_raw_fd(), flags: CHANGES };
            // With `CLEAR`, a note is taken once, and the facts that come later are another note.
            self.add(filter, EventFlags::CLEAR, token)
        }

        fn take(&self, timeout: Option<Duration>) -> io::Result<Vec<Note>> {
            let mut events = Vec::with_capacity(AT_ONCE);
            // SAFETY: no filter is added.
            let taken = unsafe { kevent(&self.queue, &[], spare_capacity(&mut events), timeout) };
            match taken {
                Err(Errno::INTR) => Ok(Vec::new()),
                Err(error) => Err(error.into()),
                Ok(_) => Ok(events.iter().filter_map(note).collect()),
            }
        }

        fn wake(&self) {
            // One byte always finds room: it is the only one.
            _ = (&self.waker).write(&[0]);
        }
    }

    /// Returns the note that an event is, if it is one. Bits that are not known here do not matter: macOS has
    /// `NOTE_FUNLOCK` and `NOTE_LEASE_…`, OpenBSD `NOTE_TRUNCATE`.
    fn note(event: &Event) -> Option<Note> {
        let EventFilter::Vnode { flags, .. } = event.filter() else { return None };
        let is_written = flags.intersects(VnodeEvents::WRITE | VnodeEvents::EXTEND);
        Some(Note { token: event.udata().addr(), is_written })
    }
}

#[cfg(not(any(
    target_vendor = "apple",
    target_os = "dragonfly",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd"
)))]
mod none {
    use std::{io, os::fd::OwnedFd, path::Path, time::Duration};

    use crate::vnodes::{Note, Vnodes};

    /// This system has no kqueue, so there is no value of this type.
    #[derive(Debug)]
    pub enum Kqueue {}

    impl Vnodes for Kqueue {
        type File = OwnedFd;

        fn new() -> io::Result<Self> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no kqueue"))
        }

        fn open(_: &Path) -> io::Result<OwnedFd> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn watch(&self, _: &OwnedFd, _: usize) -> io::Result<()> {
            match *self {}
        }

        fn take(&self, _: Option<Duration>) -> io::Result<Vec<Note>> {
            match *self {}
        }

        fn wake(&self) {
            match *self {}
        }
    }
}
