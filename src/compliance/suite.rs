//! A run of the suite for one backend: [`Suite`].

use std::{process::ExitCode, time::Duration};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::{
    case::Listed,
    cases, environment,
    failure::{Check, Stop},
    lab::Lab,
    mode::Mode,
    process::{self, Outcome},
    profile::Profile,
    subject::Subject,
    timeline::Timeline,
};
use crate::{backend::Backend, error::BackendError};

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
#[derive(Debug)]
#[must_use = "a suite does nothing until `main` is called"]
pub struct Suite {
    subject: Subject,
    profile: Profile,
}

impl Suite {
    /// The suite for the backend `B`, as a kernel facility without deviations.
    pub fn of<B: Backend>() -> Self {
        Self { subject: Subject::of::<B>(), profile: Profile::default() }
    }

    /// Says what the backend may honestly differ in.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Runs the cases that the program's arguments ask for, as a test program does.
    #[must_use]
    pub fn main(self) -> ExitCode {
        let limit = self.limit();
        let all: Vec<_> = cases::all().collect();
        if process::answer(self.subject, &all, self.profile, limit) {
            return ExitCode::SUCCESS;
        }
        let arguments = Arguments::from_args();
        let trials = match self.first_steps() {
            Ok(()) => all.into_iter().map(|listed| self.trial(listed, limit)).collect(),
            Err(text) => vec![Trial::test("implement_new_first", || Err(Failed::from(text)))],
        };
        if !arguments.list {
            println!("backend:  {} ({})", (self.subject.name)(), (self.subject.capabilities)());
            println!("machine:  {}", environment::summary());
        }
        let filtered = arguments.filter.is_some() || !arguments.skip.is_empty();
        let conclusion = libtest_mimic::run(&arguments, trials);
        let ran = conclusion.num_passed + conclusion.num_failed;
        if ran == 0 && !filtered && !arguments.list && !arguments.ignored {
            println!(
                "no case could be run: a backend that declares no capability to watch something is \
                 not tested by anything; declare WatchFolders or WatchFiles"
            );
            return ExitCode::FAILURE;
        }
        conclusion.exit_code()
    }

    /// How long a case may take before its process is ended.
    fn limit(&self) -> Duration {
        Duration::from_secs(20) + self.profile.deadline() * 4
    }

    fn trial(&self, listed: Listed, limit: Duration) -> Trial {
        let subject = self.subject;
        let gate = listed.case.gate((subject.capabilities)());
        let gate = gate.or_else(|| listed.case.environment_gate());
        // nextest knows a test to be ignored only from the list; it shows no reason.
        let ignored = gate.is_some() && std::env::var_os("NEXTEST").is_some();
        let run = move || {
            let outcome = match gate {
                Some(reason) => Outcome::Ignored(reason),
                None => process::run(listed, subject, limit),
            };
            match outcome {
                Outcome::Passed => Ok(Completion::Completed),
                Outcome::Ignored(reason) => Ok(Completion::ignored_with(reason)),
                Outcome::Failed(text) => Err(Failed::from(text)),
            }
        };
        Trial::ignorable_test(listed.full_name(), run)
            .with_kind(listed.case.id)
            .with_ignored_flag(ignored)
    }

    /// Makes the backend once, so that one that cannot be made yet is told so once and not by every
    /// case.
    fn first_steps(&self) -> Result<(), String> {
        let error = match self.make_once() {
            Ok(()) => return Ok(()),
            Err(Stop::Ignored(error) | Stop::Broken(error)) => error,
            Err(Stop::Failed(failure)) => failure.but,
        };
        Err(error)
    }

    fn make_once(&self) -> Check {
        let folder = tempfile::Builder::new().prefix("compliance-").tempdir();
        let folder =
            folder.map_err(|error| Stop::Broken(format!("no temporary folder: {error}")))?;
        let timeline = Timeline::new(folder.path().into());
        let lab = Lab::new(folder.path(), self.subject, self.profile, Mode::Stepped, &timeline)?;
        let error = lab.make(vec![lab.anything()?]).err();
        let advice = match error {
            Some(BackendError::NotImplemented { .. }) => {
                "The suite begins as soon as `Backend::new` makes a backend. In this order:\n\
                 1. `new` checks the paths it is given and sets up the platform's watches;\n\
                 2. `poll_next` hands over their events, and stores the waker before `Pending`;\n\
                 3. `capabilities` declares what works, and the cases for it appear.\n\
                 The guide \"Writing a Backend\" goes through them."
            }
            Some(BackendError::Unavailable { .. }) => "No case can be run on this machine.",
            // Whatever else is wrong, the cases tell it.
            _ => return Ok(()),
        };
        let error = error.map(|error| error.to_string()).unwrap_or_default();
        let backend = (self.subject.type_name)();
        Err(Stop::Broken(format!("`{backend}` says: {error}\n\n{advice}\n")))
    }
}
