//! The thread that reads, and the calls to it: [`Reader`].

use std::{
    convert::Infallible,
    io, mem,
    path::Path,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    task::{Context, Poll},
    thread::{self, JoinHandle},
    time::Duration,
};

use notify_backend::{
    channel::{Receiver, Sender, channel},
    prelude::*,
};
use windows_sys::Win32::{
    Storage::FileSystem::{
        FILE_NOTIFY_CHANGE, FILE_NOTIFY_CHANGE_ATTRIBUTES, FILE_NOTIFY_CHANGE_CREATION,
        FILE_NOTIFY_CHANGE_DIR_NAME, FILE_NOTIFY_CHANGE_FILE_NAME, FILE_NOTIFY_CHANGE_LAST_WRITE,
        FILE_NOTIFY_CHANGE_SECURITY, FILE_NOTIFY_CHANGE_SIZE,
    },
    System::Threading::INFINITE,
};

use crate::{
    adding::Wanted,
    cover::{Cover, Reach},
    explain::explain,
    open::Resolved,
    place::Place,
    root::Root,
    source::{Scope, Source},
    sys::{self, How, OpenFolder, Packet, Port},
    watches::Watches,
};

/// The changes of entries of a watched folder.
const CHANGES: FILE_NOTIFY_CHANGE = FILE_NOTIFY_CHANGE_FILE_NAME
    | FILE_NOTIFY_CHANGE_DIR_NAME
    | FILE_NOTIFY_CHANGE_ATTRIBUTES
    | FILE_NOTIFY_CHANGE_SIZE
    | FILE_NOTIFY_CHANGE_LAST_WRITE
    | FILE_NOTIFY_CHANGE_CREATION
    | FILE_NOTIFY_CHANGE_SECURITY;

/// The changes of a watched folder itself, as the folder above reports them. Its write time is left out: it
/// changes with every entry.
const CHANGES_ABOVE: FILE_NOTIFY_CHANGE = FILE_NOTIFY_CHANGE_DIR_NAME
    | FILE_NOTIFY_CHANGE_ATTRIBUTES
    | FILE_NOTIFY_CHANGE_CREATION
    | FILE_NOTIFY_CHANGE_SECURITY;

/// The most that is allowed for folders on the network. The system keeps as much itself for each folder.
const BUFFER: usize = 64 * 1024;

/// Few folders come and go beside a watched one.
const BUFFER_ABOVE: usize = 16 * 1024;

/// The number of reports that wait to be read; the system does not wait.
const CAPACITY: usize = 10_000;

/// How long a dropped backend waits for its thread, which waits for the system to give the buffers back. A
/// server that is gone may take longer.
const LAST_CALL: Duration = Duration::from_secs(1);

/// A thread that reads the changes of all watched folders.
#[derive(Debug)]
pub(crate) struct Reader {
    port: Arc<Port>,
    commands: Option<mpsc::Sender<Command>>,
    events: Receiver,
    /// Closed by the end of the thread.
    end: mpsc::Receiver<Infallible>,
    thread: Option<JoinHandle<()>>,
}

/// A call to the thread, with the way back for its answer: what is covered afterwards.
enum Command {
    Watch(Watch, Place, mpsc::Sender<io::Result<Vec<Cover>>>),
    /// Answered with none if the path was not watched.
    Unwatch(PathBuf, mpsc::Sender<Option<Vec<Cover>>>),
}

impl Reader {
    pub(crate) fn new() -> Result<Self, BackendError> {
        Self::start().map_err(|error| explain(Path::new(""), error))
    }

    fn start() -> io::Result<Self> {
        let port = Arc::new(Port::new()?);
        let (commands, received) = mpsc::channel();
        let (sender, events) = channel(CAPACITY);
        let (ending, end) = mpsc::channel();
        let of_thread = port.clone();
        let work = move || {
            let _ending = ending;
            let watches = Watches::new(sys::has_extended());
            let (port, events) = (of_thread, sender);
            Work { watches, port, commands: received, is_called: false, events, last: 0 }.run();
        };
        let thread = thread::Builder::new().name("notify-backend-windows".into()).spawn(work)?;
        Ok(Self { port, commands: Some(commands), events, end, thread: Some(thread) })
    }

    /// Returns whether the system numbers files, so that all renames are related.
    pub(crate) fn tracks() -> bool {
        sys::has_extended()
    }

    pub(crate) fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        // Opened here, since a server may take long to answer.
        let place = Place::of(&watch)?;
        let path = watch.path.clone();
        let watched = self.ask(|answer| Command::Watch(watch, place, answer))?;
        self.forget(&path, &watched.map_err(|error| explain(&path, error))?);
        Ok(())
    }

    pub(crate) fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        let left = self.ask(|answer| Command::Unwatch(path.into(), answer))?;
        self.forget(path, &left.ok_or_else(|| BackendError::not_watched(path))?);
        Ok(())
    }

    /// Forgets the reports that only an earlier watch of `path` covers.
    fn forget(&mut self, path: &Path, left: &[Cover]) {
        let earlier = Cover { path: path.into(), reach: Reach::Everything };
        self.events.retain(|item| {
            let path = match item {
                Ok(event) => &event.path,
                Err(error) => error.path().unwrap_or(Path::new("")),
            };
            !earlier.has(path) || left.iter().any(|cover| cover.has(path))
        });
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Pin::new(&mut self.events).poll_next(cx)
    }

    /// Calls the thread, and waits for the answer.
    fn ask<T>(&self, command: impl FnOnce(mpsc::Sender<T>) -> Command) -> Result<T, BackendError> {
        let (answer, answered) = mpsc::channel();
        // It fails only if the thread has panicked.
        let sent = self.commands.as_ref().is_some_and(|it| it.send(command(answer)).is_ok());
        if sent && self.port.wake().is_ok() {
            answered.recv().map_err(|_| BackendError::ended())
        } else {
            Err(BackendError::ended())
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.commands = None;
        // It fails only if the system is out of memory; then the thread stays.
        let is_woken = self.port.wake().is_ok();
        let Some(thread) = self.thread.take() else { return };
        // A waker that the thread wakes may drop the backend.
        if is_woken && thread.thread().id() != thread::current().id() {
            let ended = self.end.recv_timeout(LAST_CALL);
            if matches!(ended, Err(RecvTimeoutError::Disconnected)) {
                // The channel has shown a panic.
                _ = thread.join();
            }
        }
    }
}

/// What the thread works with.
struct Work {
    watches: Watches<OpenFolder>,
    port: Arc<Port>,
    commands: mpsc::Receiver<Command>,
    /// Whether there may be commands.
    is_called: bool,
    events: Sender,
    /// The number of the last source.
    last: u32,
}

impl Work {
    /// Reads until the backend is dropped, and the system has given all buffers back.
    fn run(mut self) {
        let mut is_dropped = false;
        while !(is_dropped && self.watches.is_empty()) {
            if let Err(error) = self.next() {
                self.events.send_error(StreamError::read(error));
                return;
            }
            if mem::take(&mut self.is_called) {
                is_dropped = self.obey();
                if is_dropped {
                    self.watches.stop();
                }
            }
            self.report();
        }
    }

    /// Hands on the reports that are ready.
    fn report(&mut self) {
        for item in self.watches.take() {
            match item {
                Ok(event) => self.events.send(event),
                Err(error) => self.events.send_error(error),
            }
        }
    }

    /// Acts on the next packet. If there is none yet, everything that was queued has been read.
    fn next(&mut self) -> io::Result<()> {
        if let Some(packet) = self.port.take(0)? {
            self.act(packet);
            return Ok(());
        }
        self.watches.rest();
        self.wait()
    }

    /// Waits for the next packet, and acts on it.
    fn wait(&mut self) -> io::Result<()> {
        loop {
            if let Some(packet) = self.port.take(INFINITE)? {
                self.act(packet);
                return Ok(());
            }
        }
    }

    fn act(&mut self, packet: Packet) {
        match packet {
            Packet::Wake => self.is_called = true,
            Packet::Read(done) => {
                if let Ok(number) = u32::try_from(done.key) {
                    self.watches.complete(number, done);
                }
            }
        }
    }

    /// Follows all calls. Returns whether the backend was dropped.
    fn obey(&mut self) -> bool {
        loop {
            // The caller may have been dropped while it waited.
            match self.commands.try_recv() {
                Ok(Command::Watch(watch, place, answer)) => {
                    let watched = self.watch(watch, place);
                    // The caller looks at what waits.
                    self.report();
                    _ = answer.send(watched.map(|()| self.watches.covers()));
                }
                Ok(Command::Unwatch(path, answer)) => {
                    let is_there = self.watches.remove(&path);
                    _ = answer.send(is_there.then(|| self.watches.covers()));
                }
                Err(mpsc::TryRecvError::Empty) => return false,
                Err(mpsc::TryRecvError::Disconnected) => return true,
            }
        }
    }

    fn watch(&mut self, watch: Watch, place: Place) -> io::Result<()> {
        let Place { inside, above, file, is_case_sensitive } = place;
        let root = Root::new(watch, file, is_case_sensitive);
        let inside = self.source(inside, root.scope())?;
        let above = match above {
            Some((above, entry)) => Some((self.source(above, Scope::Folders)?, entry)),
            None => None,
        };
        self.watches.add(Wanted { root, inside, above });
        loop {
            if let Some(added) = self.watches.added() {
                return added;
            }
            self.wait()?;
        }
    }

    fn source(&mut self, folder: Resolved, scope: Scope) -> io::Result<(u32, Source<OpenFolder>)> {
        self.last = self.last.checked_add(1).ok_or(io::ErrorKind::QuotaExceeded)?;
        let name = folder.path.clone().into_os_string().into();
        let how = match scope {
            Scope::Folders => How { recursive: false, filter: CHANGES_ABOVE, bytes: BUFFER_ABOVE },
            Scope::Entries => How { recursive: false, filter: CHANGES, bytes: BUFFER },
            Scope::Everything => How { recursive: true, filter: CHANGES, bytes: BUFFER },
        };
        let opened = OpenFolder::new(folder, how, &self.port, self.last as usize)?;
        Ok((self.last, Source::new(opened, name, scope)))
    }
}
