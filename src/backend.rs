//! The contract: the [`Backend`] trait and the [`Watch`]es it is given.

mod networked;
#[cfg(test)]
mod tests;

use std::{
    fmt::{self, Debug},
    fs, io,
    path::{Path, PathBuf},
};

use futures_core::Stream;
use tokio::runtime::Handle;

pub use self::networked::is_networked;
use crate::{
    capability::{Capabilities, Capability},
    error::{BackendError, StreamError},
    event::Event,
    settings::Hints,
};

/// What a backend's stream yields: an event, or an error about a part of the watched paths.
///
/// An error item never means that the stream is over; only `None` does.
pub type StreamItem = Result<Event, StreamError>;

/// A path to watch, and what is asked of its watch: a watch asks, a [`Capability`] says what may be
/// asked.
///
/// ```
/// use notify_backend::Watch;
///
/// let tree = Watch::recursive("/srv/www").following_links();
/// let folder = Watch::non_recursive("/etc").with_access();
/// assert!(tree.recursive && tree.follow_links && !tree.access);
/// assert!(!folder.recursive && !folder.follow_links && folder.access);
/// ```
///
/// # Demands
///
/// - What is not asked for is not done, also by a backend that could: a consumer that reads the files
///   it is told of would hear of its own reading, for ever.
/// - What is asked for without the capability that it needs is refused with
///   [`NotSupported`](BackendError::NotSupported). [`check`](Self::check) does that, for all demands
///   that this version of the crate knows of.
/// - Where watches overlap, each reports under its own spelling. A backend may give each what the other
///   asked for, for the paths that both cover: most platforms have one watch for each folder.
/// - Later versions may add demands, each with a capability of its own, and off unless it is asked
///   for. So a watch is made by the functions below, and taken apart with `..`:
///   `let Watch { path, recursive, .. } = watch;`.
#[derive(Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::manual_non_exhaustive,
    reason = "of a private field, the compiler tells by which functions a watch is made"
)]
pub struct Watch {
    /// The file or folder, spelled as its events shall spell it. It is this spelling by which a watch is told
    /// from others: `a` and `a/.` are two watches, although `Path` compares components and takes the two
    /// for equal. Compare `as_os_str()`.
    pub path: PathBuf,
    /// Whether folders below [`path`](Self::path) are watched too, at every depth. Without it, a
    /// watched folder reports itself and its direct entries. Means nothing for a file.
    pub recursive: bool,
    /// Whether accesses to files are reported as well, and not only changes. Needs
    /// [`Capability::EmitOnAccess`].
    pub access: bool,
    /// Whether symbolic links are followed: the path itself, if it is one, and those that lead from a
    /// recursively watched folder to another folder. Otherwise, as where it leads to a file in a tree, a
    /// link is a thing of its own. Links on the way to the path are followed anyway. Needs
    /// [`Capability::FollowSymlinks`].
    pub follow_links: bool,
    more: (),
}

impl Watch {
    /// Watches `path` and everything below it.
    #[must_use]
    pub fn recursive(path: impl Into<PathBuf>) -> Self {
        Self { recursive: true, ..Self::non_recursive(path) }
    }

    /// Watches `path` and, if it is a folder, its direct entries.
    #[must_use]
    pub fn non_recursive(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { path, recursive: false, access: false, follow_links: false, more: () }
    }

    /// Asks for accesses as well.
    #[must_use]
    pub fn with_access(self) -> Self {
        Self { access: true, ..self }
    }

    /// Asks for links to be followed.
    #[must_use]
    pub fn following_links(self) -> Self {
        Self { follow_links: true, ..self }
    }

    /// Checks that a backend with `capabilities` can give what is asked for, and, as far as it can be
    /// seen, watch the kind of thing that is at the path: a folder, a folder with all below it, or
    /// anything else, for which [`Capability::WatchFiles`] is needed.
    ///
    /// ```
    /// use notify_backend::prelude::*;
    ///
    /// const CAPABILITIES: Capabilities = Capabilities::declare(&[Capability::WatchFolders]);
    ///
    /// assert!(Watch::non_recursive("/etc").check(CAPABILITIES).is_ok());
    /// let error = Watch::non_recursive("/etc").with_access().check(CAPABILITIES).unwrap_err();
    /// assert!(error.to_string().contains("does not support EmitOnAccess"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`BackendError::NotSupported`] with the first capability that is missing, and the path.
    pub fn check(&self, capabilities: Capabilities) -> Result<(), BackendError> {
        let lacking = self.lacking(capabilities);
        lacking.map_or(Ok(()), |lacking| Err(BackendError::not_supported(lacking, [&self.path])))
    }

    /// The first capability that it needs and that is not among these.
    fn lacking(&self, capabilities: Capabilities) -> Option<Capability> {
        use Capability::{
            EmitOnAccess, FollowSymlinks, WatchFiles, WatchFolders, WatchRecursively,
        };

        let is_lacking = |&capability: &Capability| !capabilities.contains(capability);
        let asked =
            [self.access.then_some(EmitOnAccess), self.follow_links.then_some(FollowSymlinks)];
        asked.into_iter().flatten().find(is_lacking).or_else(|| {
            // Where everything can be watched, nothing has to be looked at.
            if ![WatchFiles, WatchFolders, WatchRecursively].iter().any(is_lacking) {
                return None;
            }
            // What cannot be seen is for the backend to find out.
            let is_folder = self.metadata().ok()?.is_dir();
            let needed: &[Capability] = match (is_folder, self.recursive) {
                (false, _) => &[WatchFiles],
                (true, false) => &[WatchFolders],
                (true, true) => &[WatchFolders, WatchRecursively],
            };
            needed.iter().copied().find(is_lacking)
        })
    }

    /// What is at the path: the link itself, if it is one and not to be followed.
    fn metadata(&self) -> io::Result<fs::Metadata> {
        if self.follow_links { self.path.metadata() } else { self.path.symlink_metadata() }
    }

    /// Returns the same watch with another value of `recursive`. It is a method because the compiler
    /// advises authors of a `Watch { … }` literal to call a function, and would suggest this private one.
    #[cfg(any(feature = "compliance", feature = "notify", feature = "sample"))]
    pub(crate) fn recursive_if(self, recursive: bool) -> Self {
        Self { recursive, ..self }
    }
}

impl Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, recursive, access, follow_links, more: () } = self;
        f.debug_struct("Watch")
            .field("path", path)
            .field("recursive", recursive)
            .field("access", access)
            .field("follow_links", follow_links)
            .finish()
    }
}

/// What a backend is called, and what it promises.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// As [`Backend::name`].
    pub name: &'static str,
    /// As [`Backend::capabilities`].
    pub capabilities: Capabilities,
}

impl About {
    /// Returns what is known of the backend `B` before there is a value of it.
    #[must_use]
    pub fn of<B: Backend>() -> Self {
        Self { name: B::name(), capabilities: B::capabilities() }
    }
}

/// Keeps [`Backend::about`] object safe, although it asks the type.
mod of_type {
    use super::{About, Backend};

    pub trait OfType {
        fn of_type(&self) -> About;
    }

    impl<B: Backend> OfType for B {
        fn of_type(&self) -> About {
            About::of::<B>()
        }
    }
}

/// A source of file-system events for one platform facility.
///
/// A backend is a [`Stream`] of [`StreamItem`]s. It is created with the paths to watch, reports
/// what happens to them for as long as it lives, and frees everything when it is dropped.
///
/// # What an implementation must do
///
/// - **Readiness.** [`poll_next`](Stream::poll_next) returns without blocking. `Poll::Pending`
///   means that the waker of the *last* call will be woken once there is more. `None` is final.
/// - **No gap.** A change made after [`new`](Self::new) has returned is reported; one made before
///   is not, and neither is what merely exists.
/// - **Paths.** An event's path starts with the watched path exactly as it was given: neither made
///   absolute nor canonical. Names are passed on byte for byte.
/// - **Loss is said.** Where events are lost, an [`EventKind::Missed`](crate::EventKind::Missed)
///   stands in their place, for everything or for the part that lost them. A folder that cannot be
///   watched inside a larger tree is an `Err` item that names it, and the rest of the tree is watched
///   anyway.
/// - **Capabilities are promises.** What [`capabilities`](Self::capabilities) declares works; what
///   it does not declare does not show.
/// - **Drop frees.** No thread, descriptor or platform watch that the backend made for itself outlives the
///   value. What it shares with others, such as a daemon's watch of a folder, stays as it found it.
///
/// # Ends
///
/// With [`ChangeWatches`](Capability::ChangeWatches), the stream ends only if its source has failed for
/// good, which an `Err` item tells before. That nothing is watched, because all paths were removed or
/// are gone, is no end: the stream waits for the next [`watch`](Self::watch). Without, it ends also when
/// all that it watched is gone, unless the backend looks for it to come back.
///
/// After `None`, [`watch`](Self::watch) and [`unwatch`](Self::unwatch) return
/// [`BackendError::Ended`].
///
/// # Runtimes
///
/// A program makes a backend inside a Tokio runtime, and polls and changes it there. It may drop it
/// anywhere, also after the runtime has ended. A backend that needs no runtime works without one as
/// well.
///
/// The runtime is one with drivers for I/O and time, as `#[tokio::main]` and
/// [`Builder::enable_all`](tokio::runtime::Builder::enable_all) make it. In one without, whatever of Tokio
/// needs them panics ("IO is disabled"), and so may a backend: Tokio has no way to ask.
///
/// # What is left open
///
/// The order of events between unrelated folders, whether equal changes that were not yet read are
/// merged, how long after the change an event arrives, and under which of its names a folder stands in the
/// path of what happens in it while it, or one above it, is renamed. Also a change that is undone before
/// the backend could see it, if its documentation says so: one that looks from time to time, or whose
/// platform tells states rather than changes, cannot know of it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    label = "`impl Backend for {Self}` is missing",
    note = "the guide \"Writing a Backend\" shows what to write: section \"Base code explainer\", (3)"
)]
// The compiler shows authors the line that their type does not meet, so the lines tell the remedy.
pub trait Backend:
    Stream<Item = StreamItem> // implement it, with this `Item`: guide, "Base code explainer" (4)
    + Send // keep what may go to another thread, `Arc` rather than `Rc`: guide, "Base code explainer" (2)
    + Unpin // keep what must stay in place in a `Pin<Box<_>>`: guide, "Base code explainer" (2)
    + Debug // derive it: guide, "Base code explainer" (2)
    + 'static
    + of_type::OfType // nothing to write: every backend has it
{
    /// Watches `watches`, with all resources set up before it returns.
    ///
    /// There may be none: with [`ChangeWatches`](Capability::ChangeWatches), the stream waits for the first
    /// [`watch`](Self::watch). Of several of the same path, spelled alike, the last one counts, as if each
    /// had been added by `watch`.
    ///
    /// # Errors
    ///
    /// [`BackendError::NoRuntime`] if it is called outside a Tokio runtime and the backend needs one.
    /// Callers make it inside one, since they cannot know ([Runtimes](Self#runtimes)). A path that
    /// does not exist, cannot be read or is of a kind the backend cannot watch is an error that names
    /// it, and so is a [demand](Watch#demands) that it does not support. On an error nothing stays
    /// behind. [`check_watches`] is the function for all of these.
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError>
    where
        Self: Sized;

    /// Watches `watches`, and heeds those of the `hints` that mean something to this backend. The provided
    /// method is [`new`](Self::new), which heeds none.
    ///
    /// Write it where the backend has settings that a program may wish for without knowing it, such as how
    /// often to look. Settings of its own are for a function of its own, and a
    /// [`Maker`](crate::settings::Maker) that calls it.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new). A hint is no reason for one.
    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError>
    where
        Self: Sized,
    {
        let _ = hints;
        Self::new(watches)
    }

    /// What every backend of this type promises; the same at every call. What depends on the machine, such
    /// as a privilege, is left out here and is part of [`about`](Self::about).
    fn capabilities() -> Capabilities
    where
        Self: Sized;

    /// The backend's name, in the form `namespace/platform`.
    ///
    /// The namespace is yours (a GitHub account, an organisation); `official` is reserved for
    /// backends kept by the Notify project.
    fn name() -> &'static str
    where
        Self: Sized;

    /// What this backend is called and promises: at least what its type does.
    ///
    /// The provided method returns [`name`](Self::name) and [`capabilities`](Self::capabilities). Write it
    /// where a value can do more than its type can promise, because of a privilege, say, or the version of
    /// a daemon:
    ///
    /// ```
    /// # use notify_backend::prelude::*;
    /// use notify_backend::About;
    ///
    /// # #[derive(Debug)]
    /// # struct Acme { is_privileged: bool }
    /// # impl Stream for Acme {
    /// #     type Item = StreamItem;
    /// #     fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
    /// #         Poll::Pending
    /// #     }
    /// # }
    /// # impl Backend for Acme {
    /// #     fn new(_: Vec<Watch>) -> Result<Self, BackendError> { Ok(Self { is_privileged: true }) }
    /// #     fn capabilities() -> Capabilities { Capabilities::NONE }
    /// #     fn name() -> &'static str { "acme/acme" }
    /// fn about(&self) -> About {
    ///     let mut about = About::of::<Self>();
    ///     if self.is_privileged {
    ///         about.capabilities = about.capabilities.with(Capability::EmitOnAccess);
    ///     }
    ///     about
    /// }
    /// # }
    /// # let acme = Acme::new(vec![])?;
    /// # assert!(acme.about().capabilities.contains(Capability::EmitOnAccess));
    /// # Ok::<_, BackendError>(())
    /// ```
    fn about(&self) -> About {
        self.of_type()
    }

    /// Adds a watch, without a gap for those already there. What happened before is not reported for
    /// it, also if it was not read yet. For a path that is watched already, what this watch asks for
    /// replaces what the earlier one did.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`BackendError::Ended`] once the stream has ended; on an error the
    /// watches are as before. The provided method answers
    /// that [`Capability::ChangeWatches`] is not supported.
    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        Err(BackendError::not_supported(Capability::ChangeWatches, [watch.path]))
    }

    /// Adds several watches as [`watch`](Self::watch) adds one, of paths that are not watched yet.
    ///
    /// The provided method adds them one by one, and removes them again if one fails. Write it where each
    /// change interrupts the others or takes a round trip, to have that once for all of them.
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch); on an error none is added. A path that was watched already is lost then,
    /// since nobody knows any more what was asked of it: give it to `watch`.
    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        let mut added: Vec<PathBuf> = vec![];
        for watch in watches {
            let path = watch.path.clone();
            if let Err(error) = self.watch(watch) {
                for path in added {
                    // Fails if it has ended by itself, which is as good.
                    let _ = self.unwatch(&path);
                }
                return Err(error);
            }
            added.push(path);
        }
        Ok(())
    }

    /// Removes the watch of `path`, without a gap for the others. Once it has returned, nothing is
    /// reported for that watch any more.
    ///
    /// # Errors
    ///
    /// [`BackendError::NotWatched`] if `path` is not spelled as in a watch that was added, and
    /// [`BackendError::Ended`] once the stream has ended. The
    /// provided method answers that [`Capability::ChangeWatches`] is not supported.
    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        Err(BackendError::not_supported(Capability::ChangeWatches, [path]))
    }
}

/// Checks what a backend needs to be made: a Tokio runtime, paths that exist, and the capabilities that
/// they and their watches need.
///
/// It is the first line of [`Backend::new`]. Whether the runtime has its drivers, it cannot tell: see
/// [Runtimes](Backend#runtimes). A link that leads nowhere exists, unless the watch asks
/// for links to be followed; whether it can be watched is for the backend to say.
///
/// ```
/// use notify_backend::{check_watches, prelude::*};
///
/// const CAPABILITIES: Capabilities = Capabilities::declare(&[Capability::WatchFolders]);
///
/// let watches = ["/", "/no/such/file", "/nor/this"].map(Watch::recursive);
/// assert!(matches!(check_watches(&watches, CAPABILITIES), Err(BackendError::NoRuntime { .. })));
///
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let error = runtime.block_on(async { check_watches(&watches, CAPABILITIES) }).unwrap_err();
/// assert_eq!(error.paths(), [Path::new("/no/such/file"), Path::new("/nor/this")]);
/// # Ok::<_, std::io::Error>(())
/// ```
///
/// # Errors
///
/// [`BackendError::NoRuntime`] outside a Tokio runtime, [`BackendError::NotFound`] with every path
/// that does not exist, [`BackendError::NotSupported`] with the first capability that is lacking and
/// every path that needs it.
pub fn check_watches(watches: &[Watch], capabilities: Capabilities) -> Result<(), BackendError> {
    Handle::try_current().map_err(|_| BackendError::no_runtime())?;
    check_paths(watches, capabilities)
}

/// Checks the paths and what they need, as [`check_watches`] does: for a backend that needs no runtime.
///
/// # Errors
///
/// As [`check_watches`], but for the runtime.
pub fn check_paths(watches: &[Watch], capabilities: Capabilities) -> Result<(), BackendError> {
    let is_missing = |watch: &&Watch| {
        watch.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let missing: Vec<_> = watches.iter().filter(is_missing).map(|watch| &watch.path).collect();
    if !missing.is_empty() {
        return Err(BackendError::not_found(missing));
    }
    let lacking = |watch: &Watch| watch.lacking(capabilities);
    let Some(first) = watches.iter().find_map(lacking) else { return Ok(()) };
    let needing = watches.iter().filter(|watch| lacking(watch) == Some(first));
    Err(BackendError::not_supported(first, needing.map(|watch| &watch.path)))
}
