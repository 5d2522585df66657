//! The scene of a case: folders, a runtime, and the backend under test: [`Scene`].

pub(super) mod consumer;
pub(super) mod driver;
pub(super) mod environment;
pub(super) mod foreign;
pub(super) mod mounts;
pub(super) mod pace;
pub(super) mod places;
pub(super) mod platform;
pub(super) mod promptness;
pub(super) mod sentinel;
pub(super) mod stopwatch;
pub(super) mod subject;
pub(super) mod sync;
pub(super) mod tree;
pub(super) mod view;
pub(super) mod wake_flag;
pub(super) mod workload;

use std::{
    fs,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::runtime::{Builder, Runtime};

use self::{
    driver::{Driver, Meters},
    stopwatch::Stopwatch,
    subject::{Other, Subject},
    tree::Tree,
    view::{Spelling, View},
};
use super::{
    record::{history::History, measurements::Measurements, mode::Mode, timeline::Timeline},
    rules::{
        failure::{Step, Stop, fail, violates},
        invariants::{self, Guard},
        profile::{Outlook, Profile},
    },
};
use crate::contract::{
    backend::{About, Backend, Watch},
    capability::{Capabilities, Capability},
    cursor::Cursor,
    error::BackendError,
    settings::Hints,
};

/// Everything that a case works with.
#[derive(Debug)]
pub(super) struct Scene {
    /// The folder that is watched and changed.
    pub(super) tree: Tree,
    /// A folder on the same file system that is not watched.
    pub(super) outside: Tree,
    /// A folder that a case watches beside its own if that may be removed.
    pub(super) sentinel_folder: Tree,
    pub(super) mode: Mode,
    pub(super) profile: Profile,
    pub(super) timeline: Timeline,
    subject: Subject,
    folder: PathBuf,
    /// Dropped with the scene, after its drivers.
    view: Option<View>,
    history: History,
    measurements: Measurements,
    runtime: Rc<Runtime>,
    stopwatch: Rc<Stopwatch>,
}

impl Scene {
    /// Creates a scene in `folder`, which exists and is empty.
    pub(super) fn new(
        folder: &Path,
        subject: &Subject,
        profile: &Profile,
        mode: Mode,
        timeline: &Timeline,
        measurements: &Measurements,
    ) -> Step<Self> {
        let history = History::default();
        let tree = |name| Tree::new(folder.join(name), timeline.clone(), history.clone());
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Stop::Broken(format!("no runtime: {error}")))?;
        let (tree, outside, sentinel_folder) =
            (tree("tree")?, tree("outside")?, tree("sentinels")?);
        Ok(Self {
            tree,
            outside,
            sentinel_folder,
            mode,
            profile: profile.clone(),
            timeline: timeline.clone(),
            subject: subject.clone(),
            folder: folder.into(),
            view: None,
            history: history.clone(),
            measurements: measurements.clone(),
            runtime: Rc::new(runtime),
            stopwatch: Rc::new(Stopwatch::new()),
        })
    }

    /// Makes the view that the suite was given: backends see the folder there from now on.
    pub(super) fn show(&mut self) -> Step {
        let folder = &self.folder;
        let view = self.subject.view.map(|view| view(folder)).transpose();
        self.view = view.map_err(|error| {
            Stop::Broken(format!("there is no view of {}: {error}", folder.display()))
        })?;
        self.subject.spelling = self.view.as_ref().and_then(|view| Spelling::new(folder, view));
        Ok(())
    }

    /// Returns what the backend promises.
    pub(super) fn capabilities(&self) -> Capabilities {
        self.subject.about().capabilities
    }

    /// Returns the backend's name, and what it promises.
    pub(super) fn about(&self) -> About {
        self.subject.about()
    }

    /// Returns the backend's type, for cases that make it in their own way.
    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns what the backend's type declares.
    pub(super) fn declared(&self) -> About {
        (self.subject.declared)()
    }

    pub(super) fn has(&self, capability: Capability) -> bool {
        self.capabilities().contains(capability)
    }

    /// If the backend has reported nothing in any case so far, tries one barrier, before this case sets a
    /// scene that takes long.
    pub(super) fn reports_anything(&self) -> Step {
        match self.profile.outlook {
            Outlook::Good => Ok(()),
            Outlook::Deaf => self.watch([self.flat()])?.settle(),
        }
    }

    /// Ignores the case for a backend whose platform merges changes: it sees no single ones, and has no queue that
    /// could overflow.
    pub(super) fn sees_changes(&self) -> Step {
        if self.profile.coalesced {
            return Err(Stop::Ignored("the profile says that changes are merged".into()));
        }
        Ok(())
    }

    /// Ignores the case if the backend does not see a second change that comes soon and leaves the size as it
    /// was.
    pub(super) fn distinguishes_moments(&self) -> Step {
        let granularity = self.profile.mtime_granularity;
        if granularity.is_zero() {
            return Ok(());
        }
        let reason = format!("the profile says that two changes within {granularity:?} may be one");
        Err(Stop::Ignored(reason))
    }

    /// Ignores the case unless the backend sees the folder in another place than the one where it is changed.
    pub(super) fn is_seen_elsewhere(&self) -> Step {
        if self.subject.spelling.is_none() {
            let reason =
                "the files are changed where the backend watches: see `Suite::seen_through`";
            return Err(Stop::Ignored(reason.into()));
        }
        Ok(())
    }

    /// Returns a watch of the case's folder, without recursion.
    pub(super) fn flat(&self) -> Watch {
        Watch::non_recursive(self.tree.path(""))
    }

    /// Returns a watch of the case's folder and all below it.
    pub(super) fn deep(&self) -> Watch {
        Watch::recursive(self.tree.path(""))
    }

    /// Returns a watch for barriers alone, for cases whose own watches do not allow for any: a folder, or a
    /// file if the backend watches no folders.
    pub(super) fn barrier_watch(&self) -> Step<Watch> {
        if self.has(Capability::WatchFolders) {
            return Ok(Watch::non_recursive(self.sentinel_folder.path("")));
        }
        let file = self.sentinel_folder.path("suite-sentinel-file");
        let made = fs::write(&file, ".");
        made.map_err(|error| Stop::Broken(format!("could not make the sentinel file: {error}")))?;
        Ok(Watch::non_recursive(file))
    }

    /// Returns something to watch and settle with, whatever the backend can watch: the case's folder, or else
    /// the sentinel file.
    pub(super) fn anything(&self) -> Step<Watch> {
        if self.has(Capability::WatchFolders) { Ok(self.flat()) } else { self.barrier_watch() }
    }

    /// Makes the backend; fails if that returns an error.
    pub(super) fn watch(&self, watches: impl Into<Vec<Watch>>) -> Step<Driver> {
        let watches = watches.into();
        let shown: Vec<_> = watches.iter().map(|watch| self.timeline.show(&watch.path)).collect();
        self.try_watch(watches)?.or_else(|error| {
            fail(format!("`new` watches {}", shown.join(", ")), format!("it returned: {error}"))
        })
    }

    /// Makes the backend, or returns its error.
    pub(super) fn try_watch(
        &self,
        watches: impl Into<Vec<Watch>>,
    ) -> Step<Result<Driver, BackendError>> {
        let watches = watches.into();
        match self.make(watches.clone()) {
            Err(error) => Ok(Err(error)),
            Ok(made) => self.driver(made, self.capabilities(), &self.profile, &watches).map(Ok),
        }
    }

    /// Makes the backend, and gives it hints; fails if that returns an error.
    pub(super) fn watch_with_hints(
        &self,
        watches: impl Into<Vec<Watch>>,
        hints: &Hints,
    ) -> Step<Driver> {
        let watches = watches.into();
        let call = |watches| self.subject.make_with_hints(watches, hints);
        match self.made("with_hints", watches.clone(), call) {
            Err(error) => fail(
                "`with_hints` makes a backend: a hint never causes an error",
                format!("it returned, for {hints:?}: {error}"),
            ),
            Ok(made) => {
                let mut driver = self.driver(made, self.capabilities(), &self.profile, &watches)?;
                driver.guard.may_report_closes = hints.report_closes;
                Ok(driver)
            }
        }
    }

    /// Makes the backend go on from a cursor; fails if that returns an error.
    pub(super) fn resume(&self, watches: impl Into<Vec<Watch>>, from: &Cursor) -> Step<Driver> {
        self.try_resume(watches, from)?
            .or_else(|error| fail("`resume` makes a backend", format!("it returned: {error}")))
    }

    /// Makes the backend go on from a cursor, or returns its error.
    pub(super) fn try_resume(
        &self,
        watches: impl Into<Vec<Watch>>,
        from: &Cursor,
    ) -> Step<Result<Driver, BackendError>> {
        let watches = watches.into();
        match self.make_from(watches.clone(), from) {
            Err(error) => Ok(Err(error)),
            Ok(made) => self.driver(made, self.capabilities(), &self.profile, &watches).map(Ok),
        }
    }

    /// Ignores the case, with the reason, if the backend is unavailable to `role`: that is an honest error,
    /// and nothing else can be checked.
    pub(super) fn is_available_to(&self, role: &str) -> Step {
        let watch = self.anything()?;
        match self.try_watch([watch])? {
            Err(BackendError::Unavailable { reason, .. }) => {
                Err(Stop::Ignored(format!("the backend is unavailable to {role}: {reason}")))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Makes the backend that the one under test is compared with, if there is any.
    pub(super) fn watch_with_other(&self, watches: &[Watch]) -> Step<Driver> {
        let Some(Other { new, declared, profile }) = &self.subject.other else {
            return Err(Stop::Ignored("there is no other backend: see `Suite::beside`".into()));
        };
        let entered = self.runtime.enter();
        let made = new(watches.to_vec());
        drop(entered);
        let made = made.map_err(|error| Stop::Broken(format!("the other backend: {error}")))?;
        self.driver(made, declared().capabilities, profile, watches)
    }

    fn driver(
        &self,
        backend: Box<dyn Backend>,
        capabilities: Capabilities,
        profile: &Profile,
        watches: &[Watch],
    ) -> Step<Driver> {
        let guard =
            Guard::new(capabilities, self.timeline.clone(), self.history.clone(), self.mode);
        let (runtime, timeline) = (self.runtime.clone(), self.timeline.clone());
        let tree = self.tree.clone();
        let meters =
            Meters { stopwatch: self.stopwatch.clone(), measurements: self.measurements.clone() };
        let mut made =
            Driver::new(backend, runtime, timeline, profile.clone(), tree, guard, meters);
        watches.iter().try_for_each(|watch| made.added(watch))?;
        Ok(made)
    }

    /// Makes the backend itself, inside the runtime.
    pub(super) fn make(&self, watches: Vec<Watch>) -> Result<Box<dyn Backend>, BackendError> {
        self.made("new", watches, |watches| self.subject.make(watches))
    }

    /// Makes the backend itself, which goes on from a cursor, inside the runtime.
    pub(super) fn make_from(
        &self,
        watches: Vec<Watch>,
        from: &Cursor,
    ) -> Result<Box<dyn Backend>, BackendError> {
        self.made("resume", watches, |watches| self.subject.resume(watches, from))
    }

    fn made(
        &self,
        function: &'static str,
        watches: Vec<Watch>,
        call: impl FnOnce(Vec<Watch>) -> Result<Box<dyn Backend>, BackendError>,
    ) -> Result<Box<dyn Backend>, BackendError> {
        let shown: Vec<_> = watches
            .iter()
            .map(|watch| {
                let how = if watch.recursive { " and below" } else { "" };
                format!("{}{how}", self.timeline.show(&watch.path))
            })
            .collect();
        let _entered = self.runtime.enter();
        let made = self.timeline.during(function, || call(watches));
        let answer = match &made {
            Ok(_) => "done".into(),
            Err(error) => format!("error: {error}"),
        };
        self.timeline.note("call", format!("{function}({}): {answer}", shown.join(", ")));
        made
    }

    /// Has the source lose what has happened in a folder of the case's, or in this for an empty path, if the suite
    /// knows how to.
    pub(super) fn lose(&self, folder: &str) -> Step {
        let Some(lose) = self.subject.lose else { return Ok(()) };
        self.timeline.did(format!("lose what has happened in tree/{folder}"));
        lose(&self.path(folder))
            .map_err(|error| Stop::Broken(format!("nothing could be lost: {error}")))
    }

    /// Returns a path of the case's folder, absolute.
    pub(super) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.tree.path(path)
    }

    /// Returns the runtime, for cases that use the backend in their own way.
    pub(super) fn runtime(&self) -> Rc<Runtime> {
        self.runtime.clone()
    }

    /// Notes something that was measured, with its unit, for the score card.
    pub(super) fn measured(&self, name: &str, value: impl Into<String>) {
        self.measurements.note(name, value);
    }

    /// Returns the stopwatch, which tells how long a call takes by itself.
    pub(super) fn stopwatch(&self) -> &Stopwatch {
        &self.stopwatch
    }

    /// Fails if a task is left in the runtime once all backends are dropped, and stays there for as long
    /// as `patience`.
    pub(super) fn expect_no_tasks(&self, patience: Duration) -> Step {
        let deadline = Instant::now() + patience;
        loop {
            // A task that is aborted ends when its turn comes.
            self.runtime.block_on(tokio::task::yield_now());
            let tasks = self.runtime.metrics().num_alive_tasks();
            if tasks == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                let left = format!("{tasks} tasks are left in the Tokio runtime");
                return Err(violates(invariants::NO_LEAK, left));
            }
        }
    }

    /// Ends the runtime, in bounded time. What the backend left in it ends with it.
    pub(super) fn close(self) {
        // Nothing else holds it once the drivers are gone.
        if let Ok(runtime) = Rc::try_unwrap(self.runtime) {
            runtime.shutdown_timeout(Duration::from_secs(2));
        }
    }
}
