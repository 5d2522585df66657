//! A run of the suite for one backend: [`Suite`].

use std::{
    ffi::OsString,
    io,
    num::NonZero,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use libtest_mimic::Arguments;

use super::{
    first_steps,
    process::{child, parent},
    run::Run,
};
use crate::{
    compliance::{
        cases,
        report::{summary, verdict::Verdict},
        rules::profile::{Outlook, Profile},
        scene::{environment, subject::Subject, view::View},
    },
    contract::backend::Backend,
};

/// The suite for one backend. [`test_compliance!`](crate::test_compliance) is its short form.
///
/// ```no_run
/// # use notify_backend::prelude::*;
/// # #[derive(Debug)]
/// # struct Acme;
/// # impl Backend for Acme {
/// #     fn new(_: Vec<Watch>) -> Result<Self, BackendError> { Ok(Self) }
/// #     fn capabilities() -> Capabilities { Capabilities::NONE }
/// #     fn name() -> &'static str { "acme/acme" }
/// # }
/// # impl Stream for Acme {
/// #     type Item = StreamItem;
/// #     fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
/// #         Poll::Pending
/// #     }
/// # }
/// use std::{process::ExitCode, time::Duration};
/// use notify_backend::compliance::{Profile, Suite};
///
/// fn main() -> ExitCode {
///     Suite::of::<Acme>()
///         .profile(Profile::default().sampled(Duration::from_millis(50)))
///         .main()
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a suite does nothing until `main` is called"]
pub struct Suite {
    subject: Subject,
    profile: Profile,
    deviations: Vec<(&'static str, &'static str)>,
    needs_root: bool,
    systems: &'static [&'static str],
    needs_program: Option<&'static str>,
    left_out: Vec<(&'static str, &'static str)>,
}

/// The environment variable that does what `--report` does.
const REPORT: &str = "NOTIFY_BACKEND_COMPLIANCE_REPORT";

impl Suite {
    /// Creates the suite for the backend `B`, as a kernel facility without deviations. If the backend needs
    /// settings for the tests, use [`Made`](crate::settings::Made).
    pub fn of<B: Backend>() -> Self {
        Self {
            subject: Subject::of::<B>(),
            profile: Profile::default(),
            deviations: Vec::new(),
            needs_root: false,
            systems: &[],
            needs_program: None,
            left_out: Vec::new(),
        }
    }

    /// Sets how the backend may honestly differ.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Adds a comparison with another backend, which `profile` describes: both watch one tree,
    /// and the same state of the tree has to follow from their events (case CONV06).
    pub fn beside<B: Backend>(mut self, profile: Profile) -> Self {
        self.subject = self.subject.beside::<B>(profile);
        self
    }

    /// Adds a way to make the source forget what happened in a watched folder, such as a restart of its daemon,
    /// for a backend that declares [`Resume`](crate::Capability::Resume) (case RSM07). It is called while
    /// no backend watches the folder, and must leave other folders alone: other cases run at the same time.
    pub fn forgetting(mut self, forget: fn(&Path) -> io::Result<()>) -> Self {
        self.subject.forget = Some(forget);
        self
    }

    /// Adds a way to make the source lose what has happened in a watched folder, or in a folder above several, and
    /// say so: for a source that loses nothing however much happens (case OVF17). With that, the other cases about
    /// losses are tried as well, also if the platform merges changes. It is called while a backend watches, and must
    /// leave other folders alone.
    pub fn losing(mut self, lose: fn(&Path) -> io::Result<()>) -> Self {
        self.subject.lose = Some(lose);
        self
    }

    /// Lets the backend watch what `view` makes of each case's folder, while the files are changed in the folder
    /// itself: a mount of it, or the path under which a service shows it. With that,
    /// [`WatchNetworkedFilesystem`](crate::Capability::WatchNetworkedFilesystem) is tested.
    ///
    /// `view` is called before the backend is made, with a folder that exists. A new view belongs to
    /// each folder, and cases run at the same time.
    ///
    /// ```no_run
    /// # use notify_backend::prelude::*;
    /// # #[derive(Debug)]
    /// # struct Acme;
    /// # impl Backend for Acme {
    /// #     fn new(_: Vec<Watch>) -> Result<Self, BackendError> { Ok(Self) }
    /// #     fn capabilities() -> Capabilities { Capabilities::NONE }
    /// #     fn name() -> &'static str { "acme/acme" }
    /// # }
    /// # impl Stream for Acme {
    /// #     type Item = StreamItem;
    /// #     fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
    /// #         Poll::Pending
    /// #     }
    /// # }
    /// use std::{io, path::Path, process::{Child, Command, ExitCode}};
    /// use notify_backend::compliance::{Suite, View};
    ///
    /// /// Ends the server when it is dropped.
    /// struct Server(Child);
    ///
    /// impl Drop for Server {
    ///     fn drop(&mut self) {
    ///         // It may have ended by itself.
    ///         _ = self.0.kill();
    ///         _ = self.0.wait();
    ///     }
    /// }
    ///
    /// fn view(folder: &Path) -> io::Result<View> {
    ///     let server = Command::new("acme-server").arg(folder).spawn()?;
    ///     Ok(View::new(folder).keeping(Server(server)))
    /// }
    ///
    /// fn main() -> ExitCode {
    ///     Suite::of::<Acme>().seen_through(view).main()
    /// }
    /// ```
    pub fn seen_through(mut self, view: fn(&Path) -> io::Result<View>) -> Self {
        self.subject.view = Some(view);
        self
    }

    /// Declares that only root can make the backend, since its platform needs a privilege. A run by another
    /// user proves nothing: it is one ignored test, with the backend's reason, and does not fail.
    pub fn needs_root(mut self) -> Self {
        self.needs_root = true;
        self
    }

    /// Declares that the backend is available on these systems only, by their names in [`std::env::consts::OS`].
    /// A run on another one proves nothing: it is one ignored test, with the backend's reason, and does not
    /// fail.
    pub fn runs_on(mut self, systems: &'static [&'static str]) -> Self {
        self.systems = systems;
        self
    }

    /// Declares that the backend needs this program, such as a daemon that the tests start. A run without it in
    /// the `PATH` proves nothing: it is one ignored test, with the backend's reason, and does not fail.
    pub fn needs_program(mut self, name: &'static str) -> Self {
        self.needs_program = Some(name);
        self
    }

    /// Declares that the backend is known to fail the case with this number, e.g. `REN05`, and why.
    ///
    /// The case runs anyway. If it passes, that is an error, so that the list stays true.
    pub fn deviation(mut self, id: &'static str, reason: &'static str) -> Self {
        self.deviations.push((id, reason));
        self
    }

    /// Declares that the case with this number proves nothing about the backend on this machine, and why: for
    /// example because an emulation of the platform loses events now and then.
    ///
    /// The case is ignored with this reason, and not run. If it always fails, use
    /// [`deviation`](Self::deviation).
    pub fn leave_out(mut self, id: &'static str, reason: &'static str) -> Self {
        self.left_out.push((id, reason));
        self
    }

    /// Runs the cases that the program's arguments select, as a test program does.
    ///
    /// The backend is made once first, and judged by what it declares then ([`Backend::about`]).
    ///
    /// A run of all cases ends with the progress, e.g. ``3 of 61 · next: `files::created` ``, the
    /// section of the guide that helps with the next case, and what is still open: leftovers of the
    /// template, capabilities that are declared and were not tested, and whether the template or this
    /// crate is older than the other.
    ///
    /// In addition to the arguments of a test program, there is `--report FILE`: it writes the score card as
    /// `FILE.md`, `FILE.json` and, as a badge, `FILE.svg`. The environment variable
    /// `NOTIFY_BACKEND_COMPLIANCE_REPORT` does the same.
    ///
    /// A backend whose [`Backend::new`] returns [`NotImplemented`](crate::BackendError::NotImplemented) fails one test, which
    /// says what to write first. If `NOTIFY_BACKEND_COMPLIANCE_UNWRITTEN` is `allowed`, that test
    /// is ignored, and the run says that it proves nothing. So CI can check everything else of a new crate.
    /// As soon as `new` returns a backend, the variable has no effect.
    #[must_use]
    pub fn main(mut self) -> ExitCode {
        if self.answer() {
            return ExitCode::SUCCESS;
        }
        let (arguments, report) = arguments(std::env::args_os());
        let mut arguments = Arguments::from_iter(arguments);
        let at_a_time = *arguments.test_threads.get_or_insert_with(cases_at_a_time);
        self.subject.is_beside_others = at_a_time > 1;
        let obstacle =
            first_steps::take(&self.subject, &self.profile, &self.named(), || self.lacking())
                .map(|said| self.subject.said = said)
                .err();
        let (deviations, left_out) = (self.deviations.clone(), self.left_out.clone());
        let run = Run::new(self.subject.clone(), deviations, left_out, self.limit());
        let trials = run.trials(obstacle.as_ref());
        if !arguments.list {
            println!("{}", summary::head(&self.subject));
        }
        let conclusion = libtest_mimic::run(&arguments, trials);
        if arguments.list {
            return ExitCode::SUCCESS;
        }
        let is_filtered = arguments.filter.is_some() || !arguments.skip.is_empty();
        let is_whole = !is_filtered && !arguments.ignored;
        if let Some(excuse) = obstacle.as_ref().and_then(|obstacle| obstacle.excuse.as_ref()) {
            println!("{}", excuse.remark);
        } else if is_whole && !conclusion.has_failed() && !run.has_run_any() {
            println!("{}", summary::NO_CASE);
            return ExitCode::FAILURE;
        }
        let remarks = run.remarks(obstacle.as_ref(), is_filtered, is_whole);
        print!("{}", run.text(&remarks));
        if let Some(file) = report
            && let Err(error) = run.write_card(&file, &remarks)
        {
            println!("{}", summary::not_written(&file, &error));
            return ExitCode::FAILURE;
        }
        conclusion.exit_code()
    }

    /// Runs the case with this number and returns the verdict, whether or not the backend declares
    /// what the case needs. For programs that judge backends by other rules than a test program.
    ///
    /// The program's `main` function has to call [`answer`](Self::answer) first.
    #[must_use]
    pub fn judge(&self, id: &str) -> Verdict {
        match cases::all().find(|listed| listed.case.id == id) {
            None => Verdict::Failed(format!("there is no case {id}")),
            Some(listed) => match listed.case.environment_gate() {
                Some(reason) => Verdict::Ignored(reason),
                None => parent::run(listed, &self.subject, Outlook::Good, self.limit()).verdict,
            },
        }
    }

    /// Runs one case of this suite's backend, if this process was started for that. Returns whether it was;
    /// the process has nothing more to do then.
    ///
    /// [`main`](Self::main) calls it first. Each case runs in its own process, which begins with the
    /// program's `main` function again: if that starts something for the whole run, such as a server, call
    /// this before. The guide's page [Testing and testing](crate::guide::_3_testing_and_testing#honest-differences-the-profile)
    /// has an example.
    #[must_use]
    pub fn answer(&self) -> bool {
        child::answer(self.subject.clone(), self.profile.clone(), self.limit())
    }

    /// Returns the numbers of the cases that it names, with the reasons.
    fn named(&self) -> Vec<(&'static str, &'static str)> {
        [self.deviations.as_slice(), &self.left_out].concat()
    }

    /// Returns what to do if the backend is known to be unavailable here.
    fn lacking(&self) -> Option<String> {
        let is_there = |name: &str| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
        };
        if !self.systems.is_empty() && !self.systems.contains(&std::env::consts::OS) {
            return Some(format!("run this on {}", self.systems.join(" or ")));
        }
        if self.needs_root && !environment::is_root() {
            return Some("run this as root".into());
        }
        let missing = self.needs_program.filter(|name| !is_there(name));
        missing.map(|name| format!("install `{name}`"))
    }

    /// Returns how long a case may take on a machine that has nothing else to do before its process is
    /// ended.
    fn limit(&self) -> Duration {
        Duration::from_secs(10) + self.profile.deadline() * 5
    }
}

/// Returns how many cases run at a time by default. Each is a process that mostly waits, so running more of
/// them than there are processors takes less time in all. Where the system does not tell how long a case
/// waited for a processor, fewer run, so that they do not disturb each other.
fn cases_at_a_time() -> usize {
    let least = if cfg!(target_os = "linux") { 12 } else { 6 };
    std::thread::available_parallelism().map_or(least, NonZero::get).max(least)
}

/// Returns the program's arguments without `--report FILE`, and that file.
fn arguments(given: impl Iterator<Item = OsString>) -> (Vec<OsString>, Option<PathBuf>) {
    let mut report = std::env::var_os(REPORT).map(PathBuf::from);
    let mut others = Vec::new();
    let mut given = given.peekable();
    while let Some(argument) = given.next() {
        if argument == "--report" {
            report = given.next().map(PathBuf::from).or(report);
        } else {
            others.push(argument);
        }
    }
    (others, report)
}
