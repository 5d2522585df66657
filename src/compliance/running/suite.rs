//! A run of the suite for one backend: [`Suite`].

use std::{
    ffi::OsString,
    num::NonZero,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::{
    hearing::Hearing,
    process::{child, parent, protocol::Outcome},
    turns::Turns,
};
use crate::{
    backend::{About, Backend},
    capability::Capability,
    compliance::{
        case::{Level, Listed},
        cases,
        record::{measurements::Measurements, mode::Mode, timeline::Timeline},
        report::{
            checklist,
            entry::Entry,
            progress::Progress,
            score_card::{Remarks, ScoreCard},
            verdict::Verdict,
        },
        rules::{
            failure::{Step, Stop},
            profile::Profile,
        },
        scene::{Scene, environment, subject::Subject},
    },
    error::BackendError,
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
}

/// The environment variable that does what `--report` does.
const REPORT: &str = "NOTIFY_BACKEND_COMPLIANCE_REPORT";

/// The environment variable that lets a run succeed although the backend cannot be made yet.
const UNWRITTEN: &str = "NOTIFY_BACKEND_COMPLIANCE_UNWRITTEN";

/// The one test that fails where the backend cannot be made yet.
const NOT_WRITTEN: &str = "implement_new_first";

/// The one test where the backend cannot be made on this machine.
const UNAVAILABLE: &str = "facility_is_unavailable";

impl Suite {
    /// Creates the suite for the backend `B`, as a kernel facility without deviations. If the backend needs
    /// settings for the tests, use [`Made`](crate::settings::Made).
    pub fn of<B: Backend>() -> Self {
        Self {
            subject: Subject::of::<B>(),
            profile: Profile::default(),
            deviations: Vec::new(),
            needs_root: false,
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

    /// Declares that only root can make the backend, since its platform needs a privilege. A run by another
    /// user proves nothing: it is one ignored test, with the backend's reason, and does not fail.
    pub fn needs_root(mut self) -> Self {
        self.needs_root = true;
        self
    }

    /// Declares that the backend is known to fail the case with this number, e.g. `REN05`, and why.
    ///
    /// The case runs anyway. If it passes, that is an error, so that the list stays true.
    pub fn deviation(mut self, id: &'static str, reason: &'static str) -> Self {
        self.deviations.push((id, reason));
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
    /// `FILE.md` and `FILE.json`. The environment variable `NOTIFY_BACKEND_COMPLIANCE_REPORT` does
    /// the same.
    ///
    /// A backend whose [`Backend::new`] returns [`BackendError::NotImplemented`] fails one test, which
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
        let (card, hearing) = (Arc::new(ScoreCard::default()), Arc::new(Hearing::default()));
        let turns = Arc::new(Turns::default());
        let check = self.check();
        let is_written = !matches!(check, Err((NOT_WRITTEN, _)));
        let is_excused =
            !is_written && std::env::var_os(UNWRITTEN).is_some_and(|it| it == "allowed");
        let is_left_to_root =
            self.needs_root && !environment::is_root() && matches!(check, Err((UNAVAILABLE, _)));
        let trials = match check {
            Ok(said) => {
                self.subject.said = said;
                cases::all().map(|listed| self.trial(listed, &card, &hearing, &turns)).collect()
            }
            Err((name, _)) if is_excused => {
                let reason = format!("{UNWRITTEN} allows it");
                vec![Trial::ignorable_test(name, || Ok(Completion::ignored_with(reason)))]
            }
            Err((UNAVAILABLE, text)) if is_left_to_root => {
                let reason = text.replace('\n', " ");
                vec![Trial::ignorable_test(UNAVAILABLE, || Ok(Completion::ignored_with(reason)))]
            }
            Err((name, text)) => vec![Trial::test(name, || Err(Failed::from(text)))],
        };
        if !arguments.list {
            let About { name, capabilities } = self.subject.about();
            println!("backend: {name} ({capabilities})");
            let facts = environment::facts();
            let facts: Vec<_> =
                facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            println!("{}", facts.join("; "));
        }
        let is_filtered = arguments.filter.is_some() || !arguments.skip.is_empty();
        let conclusion = libtest_mimic::run(&arguments, trials);
        if arguments.list {
            return ExitCode::SUCCESS;
        }
        let entries = card.entries();
        let is_run = |entry: &Entry| !matches!(entry.verdict, Verdict::Ignored(_));
        let is_whole = !is_filtered && !arguments.ignored;
        if is_excused {
            println!(
                "nothing is proven: `Backend::new` is not written yet, which {UNWRITTEN} allows"
            );
        } else if is_left_to_root {
            println!("nothing is proven: run this as root");
        } else if is_whole && !conclusion.has_failed() && !entries.iter().any(is_run) {
            println!(
                "no case could be run, so nothing is proven: declare WatchFolders or WatchFiles, or \
                 see above what this machine lacks"
            );
            return ExitCode::FAILURE;
        }
        let mut remarks = Remarks::default();
        if !is_filtered {
            remarks.advice = self.advice(&hearing);
        }
        // Where nothing was run, the reason has been told.
        if is_whole && !(is_written && entries.is_empty()) {
            let progress = if is_written {
                Progress::of(&entries)
            } else {
                Progress::at_the_start(&self.subject)
            };
            remarks.progress = Some(progress);
            remarks.open = checklist::points(&self.subject, &entries);
        }
        if entries.len() > 1 {
            println!("{}", card.text(&remarks.advice));
        }
        print!("{remarks}");
        if let Some(file) = report
            && let Err(error) = card.write(&file, &self.subject, &remarks)
        {
            println!("failed to write the report {}: {error}", file.display());
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
                None => self.run(listed, &Hearing::default()).verdict,
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

    /// How long a case may take on a machine that has nothing else to do before its process is ended.
    fn limit(&self) -> Duration {
        Duration::from_secs(10) + self.profile.deadline() * 5
    }

    /// Runs a case, with the outlook that is right after what was heard so far.
    fn run(&self, listed: Listed, hearing: &Hearing) -> Outcome {
        let outcome = parent::run(listed, &self.subject, hearing.outlook(), self.limit());
        hearing.note(outcome.barriers);
        outcome
    }

    fn trial(
        &self,
        listed: Listed,
        card: &Arc<ScoreCard>,
        hearing: &Arc<Hearing>,
        turns: &Arc<Turns>,
    ) -> Trial {
        let (suite, card, hearing) = (self.clone(), card.clone(), hearing.clone());
        let turns = turns.clone();
        let gate = listed.case.gate(self.subject.about().capabilities);
        let gate = gate.or_else(|| listed.case.environment_gate());
        // nextest knows a test to be ignored only from the list; it shows no reason.
        let is_ignored = gate.is_some() && std::env::var_os("NEXTEST").is_some();
        let deviation = self.deviations.iter().find(|(id, _)| *id == listed.case.id);
        let deviation = deviation.map(|(_, reason)| (*reason).to_owned());
        let hears_all =
            self.subject.about().capabilities.contains(Capability::WatchEntireFilesystem);
        let is_alone = listed.case.is_disturbed
            && gate.is_none()
            && hears_all
            && environment::unshare_mounts().is_none();
        let run = move || {
            let _turn = turns.take(is_alone);
            let start = Instant::now();
            let Outcome { verdict, figures, .. } = match gate {
                Some(reason) => Verdict::Ignored(reason).into(),
                None => suite.run(listed, &hearing),
            };
            let took = start.elapsed();
            card.add(Entry {
                listed,
                verdict: verdict.clone(),
                deviation: deviation.clone(),
                figures,
                took,
            });
            conclude(listed, verdict, deviation)
        };
        Trial::ignorable_test(listed.full_name(), run)
            .with_kind(listed.case.id)
            .with_ignored_flag(is_ignored)
    }

    /// Capabilities that are not declared although everything that needs them works.
    fn advice(&self, hearing: &Hearing) -> Vec<String> {
        let declared = self.subject.about().capabilities;
        let missing =
            Capability::ALL.iter().copied().filter(|&capability| !declared.contains(capability));
        let works = missing.filter(|&capability| {
            let with = declared.with(capability);
            let mut cases = cases::all()
                .filter(|listed| listed.case.level == Level::Must)
                .filter(|listed| listed.case.needs.contains(&capability))
                .filter(|listed| listed.case.gate(with).is_none())
                .filter(|listed| listed.case.environment_gate().is_none())
                .peekable();
            cases.peek().is_some()
                && cases.all(|listed| self.run(listed, hearing).verdict == Verdict::Passed)
        });
        works
            .map(|capability| format!("{capability} is not declared, but every case of it passes"))
            .collect()
    }

    /// Checks what would make every case fail: the name of the one failing test, and its text. Returns
    /// what a backend says of itself, if one could be made.
    fn check(&self) -> Result<Option<About>, (&'static str, String)> {
        let unknown =
            self.deviations.iter().find(|(id, _)| cases::all().all(|listed| listed.case.id != *id));
        if let Some((id, _)) = unknown {
            return Err((
                "deviations",
                format!("there is no case {id}, for which there is a deviation"),
            ));
        }
        self.first_steps()
    }

    /// Makes the backend once, so that one that cannot be made yet is told so once and not by every
    /// case.
    fn first_steps(&self) -> Result<Option<About>, (&'static str, String)> {
        let (name, advice, error) = match self.make_once() {
            Ok(Err(error @ BackendError::NotImplemented { .. })) => (
                NOT_WRITTEN,
                "The suite begins as soon as `Backend::new` makes a backend. In this order:\n\
                 1. `new` checks the paths it is given and sets up the platform's watches;\n\
                 2. `poll_next` hands over their events, and stores the waker before `Pending`;\n\
                 3. `capabilities` declares what works, and the cases for it appear.\n\
                 The guide \"Writing a Backend\" goes through them: section \"A walk-through\".",
                error,
            ),
            Ok(Err(error @ BackendError::Unavailable { .. })) => {
                (UNAVAILABLE, "No case can be run on this machine.", error)
            }
            // Whatever else is wrong, the cases tell it.
            Ok(Err(_)) | Err(Stop::Passed) => return Ok(None),
            Ok(Ok(said)) => return Ok(Some(said)),
            Err(Stop::Ignored(text) | Stop::Broken(text)) => return Err(("first_steps", text)),
            Err(Stop::Failed(failure)) => return Err(("first_steps", failure.but)),
        };
        let backend = (self.subject.type_name)();
        Err((name, format!("`{backend}` says: {error}\n\n{advice}\n")))
    }

    /// What a backend says of itself, or why it cannot be made.
    fn make_once(&self) -> Step<Result<About, BackendError>> {
        let folder = tempfile::Builder::new().prefix("compliance-").tempdir();
        let folder =
            folder.map_err(|error| Stop::Broken(format!("no temporary folder: {error}")))?;
        let timeline = Timeline::new(folder.path().into());
        let (mode, figures) = (Mode::Stepped, Measurements::default());
        let scene =
            Scene::new(folder.path(), &self.subject, &self.profile, mode, &timeline, &figures)?;
        Ok(scene.make(vec![scene.anything()?]).map(|backend| backend.about()))
    }
}

/// What a verdict means for the test, given the case's level and what is known of the backend.
fn conclude(
    listed: Listed,
    verdict: Verdict,
    deviation: Option<String>,
) -> Result<Completion, Failed> {
    match (verdict, deviation, listed.case.level) {
        (Verdict::Ignored(reason), ..) => Ok(Completion::ignored_with(reason)),
        (Verdict::Passed, None, _) => Ok(Completion::Completed),
        (Verdict::Passed, Some(reason), _) => Err(Failed::from(format!(
            "the case passes, but is listed as a deviation ({reason}); remove that"
        ))),
        (Verdict::Failed(_), Some(reason), _) => {
            Ok(Completion::ignored_with(format!("known deviation: {reason}")))
        }
        (Verdict::Failed(text), None, Level::Must) => Err(Failed::from(text)),
        (Verdict::Failed(_), None, Level::Should) => {
            Ok(Completion::ignored_with("SHOULD, and does not: see the warning below"))
        }
        (Verdict::Failed(_), None, Level::May) => Ok(Completion::ignored_with("MAY, and does not")),
    }
}

/// How many cases are run at a time where no argument says it. Each is a process that mostly waits, so
/// that more of them than processors take less time in all. Where no system tells that a case could have
/// run and had no processor, fewer get in each other's way.
fn cases_at_a_time() -> usize {
    let least = if cfg!(target_os = "linux") { 12 } else { 6 };
    std::thread::available_parallelism().map_or(least, NonZero::get).max(least)
}

/// The program's arguments without `--report FILE`, and that file.
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
