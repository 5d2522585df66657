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

#[cfg(feature = "notify")]
pub(crate) use self::networked::is_remote;
pub use self::networked::{check_local, is_networked};
use super::{
    capability::{Capabilities, Capability},
    cursor::Cursor,
    error::{BackendError, StreamError},
    event::Event,
    settings::hints::Hints,
};

/// What a backend's stream yields: an event, or an error about a part of the watched paths.
///
/// An error item never means that the stream is over; only `None` does.
pub type StreamItem = Result<Event, StreamError>;

/// A path to watch, and the demands on its watch. A [`Capability`] says which demands a backend can meet.
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
/// - A backend does only what the watch asks for, even if it could do more. Otherwise a consumer that
///   reads every reported file would get events for its own reading, forever.
/// - A demand whose capability the backend lacks is refused with
///   [`NotSupported`](BackendError::NotSupported). [`check`](Self::check) does that, for all demands
///   that this version of the crate knows.
/// - Where watches overlap, each reports under its own spelling. For the paths that both cover, a
///   backend may give each what the other asked for: most platforms have one watch per folder.
/// - Later versions may add demands. Each gets its own capability, and is off by default. So make a
///   watch with the functions below, and take it apart with `..`:
///   `let Watch { path, recursive, .. } = watch;`.
#[derive(Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::manual_non_exhaustive,
    reason = "for a private field, the compiler suggests the functions that make a watch"
)]
pub struct Watch {
    /// The file or folder, in the spelling that its events use. The spelling identifies the watch: `a` and
    /// `a/.` are two watches, although `Path` compares components and takes them for equal. Compare
    /// `as_os_str()`.
    pub path: PathBuf,
    /// Whether folders below [`path`](Self::path) are watched too, at every depth. Without it, a
    /// watched folder reports itself and its direct entries. It has no effect on a file.
    pub recursive: bool,
    /// Whether accesses to files are reported as well, and not only changes. Needs
    /// [`Capability::EmitOnAccess`].
    pub access: bool,
    /// Whether symbolic links are followed: the path itself, if it is a link, and links to folders in a
    /// recursively watched folder. All other links, such as those to files in a tree, are entries of their
    /// own. Links on the way to the path are followed anyway. Needs [`Capability::FollowSymlinks`].
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

    /// Checks that a backend with `capabilities` can meet the demands, and can watch what is at the path, if
    /// that can be determined: a folder, a folder with everything below it, or anything else, which needs
    /// [`Capability::WatchFiles`].
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

    /// Returns the first capability that the watch needs and that is not among `capabilities`.
    fn lacking(&self, capabilities: Capabilities) -> Option<Capability> {
        use Capability::{
            EmitOnAccess, FollowSymlinks, WatchFiles, WatchFolders, WatchRecursively,
        };

        let is_lacking = |&capability: &Capability| !capabilities.contains(capability);
        let asked =
            [self.access.then_some(EmitOnAccess), self.follow_links.then_some(FollowSymlinks)];
        asked.into_iter().flatten().find(is_lacking).or_else(|| {
            // If everything can be watched, there is no need to look at the path.
            if ![WatchFiles, WatchFolders, WatchRecursively].iter().any(is_lacking) {
                return None;
            }
            // If the path cannot be inspected, the backend will find out why.
            let is_folder = self.metadata().ok()?.is_dir();
            let needed: &[Capability] = match (is_folder, self.recursive) {
                (false, _) => &[WatchFiles],
                (true, false) => &[WatchFolders],
                (true, true) => &[WatchFolders, WatchRecursively],
            };
            needed.iter().copied().find(is_lacking)
        })
    }

    /// Returns the metadata of the file or folder at the path; of the link itself, if it is a link that is
    /// not followed.
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

/// The name of a backend, and its promises.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// As [`Backend::name`].
    pub name: &'static str,
    /// As [`Backend::capabilities`].
    pub capabilities: Capabilities,
}

impl About {
    /// Returns what the type `B` declares, before there is a value of it.
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
/// what happens to them as long as it exists, and frees everything when it is dropped.
///
/// # What an implementation must do
///
/// - **Readiness.** [`poll_next`](Stream::poll_next) returns without blocking. `Poll::Pending`
///   means that the waker of the *last* call will be woken once there is more. `None` is final.
/// - **No gap.** A change made after [`new`](Self::new) has returned is reported. One made before is not,
///   and there are no events for files that merely exist.
/// - **Paths.** An event's path starts with the watched path exactly as it was given: neither made
///   absolute nor canonical. Names are passed on byte for byte.
/// - **No silent loss.** If events are lost, an [`EventKind::Missed`](crate::EventKind::Missed) takes
///   their place, for everything or for the part that lost them. A folder inside a larger tree that
///   cannot be watched is an `Err` item that names it, and the rest of the tree is watched anyway.
/// - **Capabilities are promises.** Every [declared](Self::capabilities) capability works, and the backend
///   shows no sign of an undeclared one.
/// - **Drop frees.** No thread, descriptor or platform watch that the backend made for itself outlives the
///   value. Shared resources, such as a daemon's watch of a folder, stay as the backend found them.
///
/// # Ends
///
/// With [`ChangeWatches`](Capability::ChangeWatches), the stream ends only if its source has failed for
/// good; an `Err` item reports that first. It does not end when nothing is watched, because all paths were
/// removed or are gone: it waits for the next [`watch`](Self::watch). Without that capability, it also ends
/// when everything that it watched is gone, unless the backend waits for it to come back.
///
/// After `None`, [`watch`](Self::watch) and [`unwatch`](Self::unwatch) return
/// [`BackendError::Ended`].
///
/// # Runtimes
///
/// A program makes a backend inside a Tokio runtime, and polls and changes it there. It may drop the
/// backend anywhere, even after the runtime has ended. A backend that needs no runtime also works without
/// one.
///
/// The runtime has the drivers for I/O and time, as `#[tokio::main]` and
/// [`Builder::enable_all`](tokio::runtime::Builder::enable_all) make it. Without these drivers, the parts of
/// Tokio that need them panic ("IO is disabled"), and so may a backend: Tokio has no way to check.
///
/// # Unspecified
///
/// - The order of events between unrelated folders.
/// - Whether equal changes that have not been read yet are merged.
/// - How long after the change an event arrives.
/// - Under which of its names a folder appears in the paths of events in it while it, or a folder above
///   it, is renamed.
/// - Whether a change is reported that is undone before the backend could see it, if its documentation says
///   so: a backend that looks from time to time, or whose platform has states rather than changes, cannot
///   notice it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    label = "`impl Backend for {Self}` is missing",
    note = "the guide \"Writing a Backend\" shows what to write: section \"Base code explainer\", (3)"
)]
// The compiler shows the line that an author's type does not meet, so the lines name the remedy.
pub trait Backend:
    Stream<Item = StreamItem> // implement it, with this `Item`: guide, "Base code explainer" (4)
    + Send // keep what may go to another thread, `Arc` rather than `Rc`: guide, "Base code explainer" (2)
    + Unpin // keep what must stay in place in a `Pin<Box<_>>`: guide, "Base code explainer" (2)
    + Debug // derive it: guide, "Base code explainer" (2)
    + 'static
    + of_type::OfType // nothing to write: every backend has it
{
    /// Watches `watches`. Returns when everything is set up.
    ///
    /// `watches` may be empty: with [`ChangeWatches`](Capability::ChangeWatches), the stream waits for the
    /// first [`watch`](Self::watch). If several have the same path in the same spelling, the last one counts,
    /// as if each had been added by `watch`.
    ///
    /// # Errors
    ///
    /// [`BackendError::NoRuntime`] outside a Tokio runtime, if the backend needs one. Callers always call it
    /// inside one, since they cannot know ([Runtimes](Self#runtimes)). A path that does not exist, cannot be
    /// read or is of a kind that the backend cannot watch is an error that names it, and so is a
    /// [demand](Watch#demands) that the backend cannot meet. [`check_watches`] checks all of this. After an
    /// error, nothing is left behind.
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError>
    where
        Self: Sized;

    /// Watches `watches`, and follows those of the `hints` that apply to this backend. The provided
    /// method calls [`new`](Self::new) and ignores the hints.
    ///
    /// Write it if the backend has settings that a program may ask for without knowing the backend, such as
    /// how often to look. For the backend's own settings, write another function, which a
    /// [`Maker`](crate::settings::Maker) can call.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new). A hint never causes one.
    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError>
    where
        Self: Sized,
    {
        let _ = hints;
        Self::new(watches)
    }

    /// Watches `watches`, as [`new`](Self::new) does, and first reports what happened since `from`: whatever
    /// the backend that returned this [`cursor`](Self::cursor) had not yielded by then. Nothing that it had
    /// yielded is reported again.
    ///
    /// The source may have forgotten what happened then: the cursor is too old, or the source was made anew.
    /// That is no error. The stream begins with a [`Missed`](crate::EventKind::Missed), for everything or
    /// for a part, and so it does for a path about which the cursor says nothing, because it was not watched
    /// then. In between, several changes of a path may have become one event, and what was undone may
    /// not show, if the backend's documentation says so.
    ///
    /// Write it, together with `cursor`, if you declare [`Capability::Resume`]. The provided method
    /// returns that this is not supported.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`BackendError::InvalidCursor`] for a cursor that is damaged or from another
    /// backend ([`Cursor::position`]).
    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self, BackendError>
    where
        Self: Sized,
    {
        let _ = from;
        let paths = watches.into_iter().map(|watch| watch.path);
        Err(BackendError::not_supported(Capability::Resume, paths))
    }

    /// Returns the promises of every backend of this type; the same at every call. A capability that depends
    /// on the machine, such as on a privilege, belongs in [`about`](Self::about) instead.
    fn capabilities() -> Capabilities
    where
        Self: Sized;

    /// Returns the backend's name, in the form `namespace/platform`.
    ///
    /// The namespace is yours (a GitHub account, an organisation); `official` is reserved for
    /// backends kept by the Notify project.
    fn name() -> &'static str
    where
        Self: Sized;

    /// Returns what a value of this type may be, the best one first. That is the type itself, as the provided
    /// method says, except for a choice, such as [`FirstOf`](crate::fallback::FirstOf).
    #[must_use]
    fn candidates() -> Vec<About>
    where
        Self: Sized,
    {
        vec![About::of::<Self>()]
    }

    /// Returns the name and the promises of this value: at least those of its type.
    ///
    /// The provided method returns [`name`](Self::name) and [`capabilities`](Self::capabilities). Write it
    /// if a value can do more than its type can promise, for example because of a privilege or the version
    /// of a daemon:
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

    /// Returns where the stream stands: after the last item that it has yielded, no matter how many others it
    /// has already received. [`resume`](Self::resume) goes on from there, in this program or a later one.
    ///
    /// The provided method returns `None`. With [`Capability::Resume`], there is a cursor at any time, also
    /// before the first poll, and while the source cannot be reached.
    fn cursor(&self) -> Option<Cursor> {
        None
    }

    /// Adds a watch, without a gap for the existing ones. Earlier changes are not reported for it, even if
    /// their events have not been read yet. For a path that is already watched, the new demands replace
    /// the old ones.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`BackendError::Ended`] once the stream has ended. After an error, the
    /// watches are as before. The provided method returns that [`Capability::ChangeWatches`] is not
    /// supported.
    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        Err(BackendError::not_supported(Capability::ChangeWatches, [watch.path]))
    }

    /// Adds several watches as [`watch`](Self::watch) adds one, for paths that are not watched yet.
    ///
    /// The provided method adds them one by one, and removes them again if one fails. Write it if each
    /// change interrupts the others or takes a round trip, so that this happens once for all of them.
    ///
    /// # Errors
    ///
    /// As [`watch`](Self::watch). After an error, none is added. A path that was already watched is then
    /// unwatched, because its earlier demands are no longer known: pass such a path to `watch`.
    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        let mut added: Vec<PathBuf> = vec![];
        for watch in watches {
            let path = watch.path.clone();
            if let Err(error) = self.watch(watch) {
                for path in added {
                    // Fails if the watch has ended by itself, which does no harm.
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
    /// provided method returns that [`Capability::ChangeWatches`] is not supported.
    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        Err(BackendError::not_supported(Capability::ChangeWatches, [path]))
    }
}

/// Checks everything that a backend needs to be made: a Tokio runtime, paths that exist, and the
/// capabilities that the paths and their watches need.
///
/// Call it in the first line of [`Backend::new`]. It cannot check whether the runtime has its drivers: see
/// [Runtimes](Backend#runtimes). A link that leads nowhere counts as existing, unless the watch asks for
/// links to be followed; the backend decides whether it can watch such a link.
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
/// that does not exist, [`BackendError::NotSupported`] with the first missing capability and
/// every path that needs it.
pub fn check_watches(watches: &[Watch], capabilities: Capabilities) -> Result<(), BackendError> {
    Handle::try_current().map_err(|_| BackendError::no_runtime())?;
    check_paths(watches, capabilities)
}

/// Checks the paths and the capabilities that they need, as [`check_watches`] does, for a backend that
/// needs no runtime.
///
/// # Errors
///
/// As [`check_watches`], except [`BackendError::NoRuntime`].
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
