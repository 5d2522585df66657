//! The test programs of a few backends: [`main`].

use std::{marker::PhantomData, os::unix::fs::MetadataExt as _, process::ExitCode, time::Duration};

use notify_backend::{
    compliance::{Profile, Suite},
    fallback::FirstOf,
    prelude::*,
};
use notify_backend_inotify::InotifyBackend;

/// The environment variable that names the program to run as.
pub(crate) const PROGRAM: &str = "COMPLIANCE_RUNS_PROGRAM";

/// A case that the suite runs as an ordinary user.
pub(crate) const AS_ORDINARY_USER: &str = "PERM01";

/// A case that the suite runs in separate namespaces.
pub(crate) const IN_NAMESPACES: &str = "CON20";

/// The case that looks for changes caused by watching.
pub(crate) const UNTOUCHED: &str = "RES08";

/// A case that passes on every platform that has files.
pub(crate) const EASY: &str = "FIL01";

pub(crate) fn main(program: &str) -> ExitCode {
    match program {
        "right" => Suite::of::<InotifyBackend>().main(),
        "modest" => Suite::of::<Like<Modest>>().main(),
        "blank" => Suite::of::<Like<Blank>>().main(),
        "silent" => Suite::of::<Like<Silent>>().main(),
        "hears all" => Suite::of::<Like<HearsAll>>().main(),
        "drops in the runtime" => Suite::of::<Like<DropsInRuntime>>().main(),
        "privileged" => Suite::of::<Like<Privileged>>().main(),
        "privileged, and says so" => Suite::of::<Like<Privileged>>().needs_root().main(),
        "absent" => Suite::of::<Like<Absent>>().runs_on(&["linux", "windows"]).main(),
        "absent, and says so" => Suite::of::<Like<Absent>>().runs_on(&["macos", "windows"]).main(),
        "right elsewhere" => Suite::of::<InotifyBackend>().runs_on(&["windows"]).main(),
        "tidy, or so it says" => Suite::of::<Like<Untidy>>().main(),
        "untidy" => {
            Suite::of::<Like<Untidy>>().profile(Profile::default().leaves_traces(true)).main()
        }
        "ends its process" => Suite::of::<Like<EndsItsProcess>>().main(),
        "mute" => Suite::of::<Like<Mute>>().profile(impatient()).main(),
        "hides barriers" => Suite::of::<Like<HidesBarriers>>().profile(impatient()).main(),
        "silent, known" => {
            Suite::of::<Like<Silent>>().deviation(EASY, "it never says a word").main()
        }
        "right, known" => {
            Suite::of::<InotifyBackend>().deviation(EASY, "it never says a word").main()
        }
        "right, left out" => {
            Suite::of::<InotifyBackend>().leave_out(EASY, "it is lost now and then").main()
        }
        "first of two" => Suite::of::<FirstOf<(InotifyBackend, Like<Silent>)>>().main(),
        "unknown case" => Suite::of::<InotifyBackend>().deviation("FIL99", "a slip").main(),
        _ => panic!("no program {program}"),
    }
}

/// A backend's differences from the inotify backend.
trait Likeness: std::fmt::Debug + Send + Unpin + 'static {
    const CAPABILITIES: Capabilities;

    /// Returns whether the backend hides this item from its consumer.
    fn hides(_: &StreamItem) -> bool {
        false
    }

    fn make(watches: Vec<Watch>) -> Result<InotifyBackend, BackendError> {
        InotifyBackend::new(watches)
    }

    /// Does something when the backend is dropped.
    fn drop() {}
}

/// Follows symbolic links, but does not declare it.
#[derive(Debug)]
struct Modest;
impl Likeness for Modest {
    const CAPABILITIES: Capabilities = Capabilities::declare(&[
        Capability::ChangeWatches,
        Capability::EmitOnAccess,
        Capability::TrackRelated,
        Capability::WatchFiles,
        Capability::WatchFolders,
        Capability::WatchNewFolders,
        Capability::WatchRecursively,
    ]);
}

/// A backend that is not written yet.
#[derive(Debug)]
struct Blank;
impl Likeness for Blank {
    const CAPABILITIES: Capabilities = Capabilities::NONE;

    fn make(_: Vec<Watch>) -> Result<InotifyBackend, BackendError> {
        Err(BackendError::not_implemented("Blank::new"))
    }
}

/// Receives the events of a whole file system, within the folder for temporary files, and reports those of the
/// watched paths.
#[derive(Debug)]
struct HearsAll;
impl Likeness for HearsAll {
    const CAPABILITIES: Capabilities = Capabilities::declare(&[
        Capability::ChangeWatches,
        Capability::EmitOnAccess,
        Capability::FollowSymlinks,
        Capability::TrackRelated,
        Capability::WatchEntireFilesystem,
        Capability::WatchFiles,
        Capability::WatchFolders,
        Capability::WatchNewFolders,
        Capability::WatchRecursively,
    ]);

    fn hides(item: &StreamItem) -> bool {
        let is_elsewhere = |event: &Event| event.path.to_string_lossy().contains("/./");
        item.as_ref().map_or(true, is_elsewhere)
    }

    fn make(mut watches: Vec<Watch>) -> Result<InotifyBackend, BackendError> {
        let temporary = std::env::temp_dir();
        if let Some(first) = watches.first().and_then(|watch| watch.path.canonicalize().ok()) {
            let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
            let same =
                |path: &&Path| device(path) == device(&first) && path.starts_with(&temporary);
            // Another spelling distinguishes it from the requested paths.
            let top = first.ancestors().take_while(same).last().map(|top| top.join("."));
            watches.extend(top.map(Watch::recursive));
        }
        InotifyBackend::new(watches)
    }
}

/// Leaves a file in the watched folder.
#[derive(Debug)]
struct Untidy;
impl Likeness for Untidy {
    const CAPABILITIES: Capabilities = Mute::CAPABILITIES;

    fn make(watches: Vec<Watch>) -> Result<InotifyBackend, BackendError> {
        for watch in &watches {
            // Only a folder can contain the file.
            _ = std::fs::write(watch.path.join("trace"), "");
        }
        InotifyBackend::new(watches)
    }
}

/// Ends the process of a case, as if all were well.
#[derive(Debug)]
struct EndsItsProcess;
impl Likeness for EndsItsProcess {
    const CAPABILITIES: Capabilities = Mute::CAPABILITIES;

    fn make(watches: Vec<Watch>) -> Result<InotifyBackend, BackendError> {
        if std::env::var_os("NOTIFY_BACKEND_COMPLIANCE_CASE").is_some() {
            std::process::exit(0);
        }
        InotifyBackend::new(watches)
    }
}

/// Works only for root, outside user namespaces.
#[derive(Debug)]
struct Privileged;
impl Likeness for Privileged {
    const CAPABILITIES: Capabilities = Mute::CAPABILITIES;

    fn make(watches: Vec<Watch>) -> Result<InotifyBackend, BackendError> {
        // The map of the initial user namespace, which has all users: user_namespaces(7).
        let users = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        let is_first = users.split_whitespace().eq(["0", "0", "4294967295"]);
        if is_first && rustix::process::geteuid().is_root() {
            return InotifyBackend::new(watches);
        }
        Err(BackendError::unavailable("it needs CAP_SYS_ADMIN"))
    }
}

/// Works on another system.
#[derive(Debug)]
struct Absent;
impl Likeness for Absent {
    const CAPABILITIES: Capabilities = Mute::CAPABILITIES;

    fn make(_: Vec<Watch>) -> Result<InotifyBackend, BackendError> {
        Err(BackendError::unavailable("it needs another kernel"))
    }
}

#[derive(Debug)]
struct Silent;
impl Likeness for Silent {
    const CAPABILITIES: Capabilities = Capabilities::declare(&[Capability::WatchFolders]);

    fn hides(_: &StreamItem) -> bool {
        true
    }
}

/// Declares much and reports nothing.
#[derive(Debug)]
struct Mute;
impl Likeness for Mute {
    const CAPABILITIES: Capabilities = Capabilities::declare(&[
        Capability::ChangeWatches,
        Capability::FollowSymlinks,
        Capability::WatchFiles,
        Capability::WatchFolders,
        Capability::WatchNewFolders,
        Capability::WatchRecursively,
    ]);

    fn hides(_: &StreamItem) -> bool {
        true
    }
}

/// Does not report the suite's barriers.
#[derive(Debug)]
struct HidesBarriers;
impl Likeness for HidesBarriers {
    const CAPABILITIES: Capabilities = Capabilities::declare(&[Capability::WatchFolders]);

    fn hides(item: &StreamItem) -> bool {
        let is_barrier = |event: &Event| event.path.to_string_lossy().contains("suite-sentinel");
        item.as_ref().is_ok_and(is_barrier)
    }
}

/// The time that a case waits in vain if it cannot know better.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Cannot be dropped outside a runtime.
#[derive(Debug)]
struct DropsInRuntime;
impl Likeness for DropsInRuntime {
    const CAPABILITIES: Capabilities = Modest::CAPABILITIES;

    fn drop() {
        tokio::runtime::Handle::current();
    }
}

fn impatient() -> Profile {
    Profile::default().patience(PATIENCE)
}

#[derive(Debug)]
struct Like<L: Likeness>(InotifyBackend, PhantomData<L>);

impl<L: Likeness> Drop for Like<L> {
    fn drop(&mut self) {
        L::drop();
    }
}

impl<L: Likeness> Backend for Like<L> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Ok(Self(L::make(watches)?, PhantomData))
    }

    fn capabilities() -> Capabilities {
        L::CAPABILITIES
    }

    fn name() -> &'static str {
        "tests/like-inotify"
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.0.watch(watch)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.0.unwatch(path)
    }
}

impl<L: Likeness> Stream for Like<L> {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        match Pin::new(&mut self.get_mut().0).poll_next(cx) {
            Poll::Ready(Some(item)) if L::hides(&item) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            polled => polled,
        }
    }
}
