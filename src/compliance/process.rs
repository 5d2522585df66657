//! One case in a process of its own: started by the run, answered by the same program.
//!
//! A process can be ended when it blocks, its leaks and panics are its own, and it can be another
//! user's or live in other namespaces.

use std::{
    env, fs,
    io::{self, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    case::Listed,
    failure::{Check, Failure, Stop, violates},
    invariants,
    lab::Lab,
    mode::Mode,
    profile::Profile,
    subject::Subject,
    timeline::Timeline,
};

/// The number of the case that a process is to run.
const CASE: &str = "NOTIFY_BACKEND_COMPLIANCE_CASE";
/// The type that it is to run it with.
const TYPE: &str = "NOTIFY_BACKEND_COMPLIANCE_TYPE";
/// The folder that it may use, and puts its answer into.
const FOLDER: &str = "NOTIFY_BACKEND_COMPLIANCE_FOLDER";
const ANSWER: &str = "outcome.json";

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome {
    Passed,
    /// With the reason.
    Ignored(String),
    /// With the whole explanation.
    Failed(String),
}

/// Runs `listed` in a new process, and kills that if it takes longer than `limit`.
pub(super) fn run(listed: Listed, subject: Subject, limit: Duration) -> Outcome {
    match try_run(listed, subject, limit) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(format!("the case could not be started: {error}")),
    }
}

fn try_run(listed: Listed, subject: Subject, limit: Duration) -> io::Result<Outcome> {
    let folder = tempfile::Builder::new().prefix("compliance-").tempdir()?;
    let output = folder.path().join("output.txt");
    let stdout = fs::File::create(&output)?;
    let mut command = Command::new(env::current_exe()?);
    command
        .env(CASE, listed.case.id)
        .env(TYPE, (subject.type_name)())
        .env(FOLDER, folder.path())
        .stdin(Stdio::piped())
        .stderr(stdout.try_clone()?)
        .stdout(stdout);
    let status = wait(&mut command, limit)?;
    let printed = fs::read_to_string(&output).unwrap_or_default();
    let printed = match printed.trim_end() {
        "" => String::new(),
        printed => format!("\nprinted by the backend:\n{printed}\n"),
    };
    let answer = fs::read(folder.path().join(ANSWER)).ok();
    let answer = answer.and_then(|answer| serde_json::from_slice(&answer).ok());
    Ok(match (answer, status) {
        (Some(Outcome::Failed(text)), _) => Outcome::Failed(text + &printed),
        (Some(outcome), _) => outcome,
        (None, Some(status)) => {
            let name = listed.full_name();
            Outcome::Failed(format!(
                "{name}: the process of the case ended with {status}\n{printed}"
            ))
        }
        (None, None) => {
            let name = listed.full_name();
            Outcome::Failed(format!("{name}: the case did not end within {limit:?}\n{printed}"))
        }
    })
}

/// Starts `command` and waits for its end; kills it, and answers `None`, when `limit` is over.
fn wait(command: &mut Command, limit: Duration) -> io::Result<Option<ExitStatus>> {
    // A pipe that nobody writes to: the child's end is closed when the child ends, however it does.
    let (mut end, held) = io::pipe()?;
    command.stdin(held);
    let mut child = command.spawn()?;
    // The command keeps a copy of what it gives to its child.
    command.stdin(Stdio::null());
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        _ = end.read(&mut [0]);
        // Nobody listens any more if time was up.
        _ = sender.send(());
    });
    _ = ended.recv_timeout(limit);
    // Asked in any case: a process that the backend left behind may hold the pipe.
    let status = child.try_wait()?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(status)
}

/// If this process was started to run a case with `subject`, runs it; answers whether it was.
pub(super) fn answer(
    subject: Subject,
    cases: &[Listed],
    profile: Profile,
    limit: Duration,
) -> bool {
    let (Some(id), Some(folder)) = (env::var_os(CASE), env::var_os(FOLDER)) else { return false };
    if env::var_os(TYPE).is_none_or(|name| name != (subject.type_name)()) {
        return false;
    }
    let folder = PathBuf::from(folder);
    let Some(&listed) = cases.iter().find(|listed| id == listed.case.id) else { return false };
    let outcome = run_here(listed, subject, profile, &folder, limit);
    write_answer(&folder, &outcome);
    true
}

fn write_answer(folder: &Path, outcome: &Outcome) {
    // If there is no answer, whoever started this process says so.
    if let Ok(text) = serde_json::to_vec(outcome) {
        _ = fs::write(folder.join(ANSWER), text);
    }
}

/// Runs a case in this process, once for each of its modes.
fn run_here(
    listed: Listed,
    subject: Subject,
    profile: Profile,
    folder: &Path,
    limit: Duration,
) -> Outcome {
    let panics = Panics::install();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    for &mode in listed.case.modes {
        let folder = folder.join(mode.name());
        if let Err(error) = fs::create_dir(&folder) {
            return Outcome::Failed(format!("could not make {}: {error}", folder.display()));
        }
        let timeline = Timeline::new(folder.clone());
        let alarm = Alarm::set(listed, mode, &timeline, &folder, limit);
        let stop = run_mode(listed, subject, profile, mode, &folder, &timeline, &panics);
        drop(alarm);
        match stop {
            Ok(()) => {}
            Err(Stop::Ignored(reason)) => return Outcome::Ignored(reason),
            Err(Stop::Failed(failure)) => {
                return Outcome::Failed(failure.explain(listed, mode, &timeline));
            }
            Err(Stop::Broken(text)) => {
                let name = listed.full_name();
                return Outcome::Failed(format!(
                    "{name}: the scene could not be set, which is not the backend's fault\n{text}\n\n\
                     what happened:\n{timeline}"
                ));
            }
        }
    }
    Outcome::Passed
}

fn run_mode(
    listed: Listed,
    subject: Subject,
    profile: Profile,
    mode: Mode,
    folder: &Path,
    timeline: &Timeline,
    panics: &Panics,
) -> Check {
    // A first runtime sets up what Tokio keeps for the whole process.
    Lab::new(folder, subject, profile, mode, timeline)?.close();
    let before = Holdings::count();
    let mut lab = Lab::new(folder, subject, profile, mode, timeline)?;
    let ran = catch_unwind(AssertUnwindSafe(|| (listed.case.run)(&mut lab)));
    lab.close();
    if let Some(text) = panics.first() {
        return Err(violates(invariants::NO_PANIC, text));
    }
    ran.unwrap_or_else(|_| Err(Stop::Broken("the case panicked".into())))?;
    before.expect_same()
}

/// The descriptors and threads of this process, where the system tells them.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    descriptors: Vec<String>,
    threads: usize,
}

impl Holdings {
    fn count() -> Self {
        let list = |folder| fs::read_dir(folder).into_iter().flatten().flatten();
        let target = |entry: &fs::DirEntry| fs::read_link(entry.path()).ok();
        // The descriptor of the listing itself is gone by the time it is looked at.
        let descriptors = list("/proc/self/fd").filter_map(|entry| target(&entry));
        let mut descriptors: Vec<_> =
            descriptors.map(|target| target.display().to_string()).collect();
        descriptors.retain(|target| !target.ends_with("/fd"));
        descriptors.sort();
        Self { descriptors, threads: list("/proc/self/task").count() }
    }

    /// Waits until no more is there than at this count, and fails if that does not come.
    fn expect_same(&self) -> Check {
        // A thread that has been told to end takes a moment.
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let now = Self::count();
            if now.threads <= self.threads && now.descriptors.len() <= self.descriptors.len() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let mut new = now.descriptors;
                for old in &self.descriptors {
                    if let Some(at) = new.iter().position(|new| new == old) {
                        new.remove(at);
                    }
                }
                let threads = now.threads.saturating_sub(self.threads);
                let left = format!("left were {threads} threads and the descriptors {new:?}");
                return Err(violates(invariants::NO_LEAK, left));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Ends the process when a case does not, and tells what it was waiting for.
struct Alarm {
    /// Its end is the news that the case has ended.
    ended: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Alarm {
    fn set(
        listed: Listed,
        mode: Mode,
        timeline: &Timeline,
        folder: &Path,
        limit: Duration,
    ) -> Self {
        let (sender, ended) = mpsc::channel();
        let timeline = timeline.clone();
        let answer_folder = folder.parent().unwrap_or(folder).to_path_buf();
        let thread = thread::spawn(move || {
            // Before whoever started this process ends it.
            let limit = limit.mul_f32(0.9);
            if ended.recv_timeout(limit) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            let but = match timeline.unfinished_call() {
                Some((call, since)) => {
                    format!("a call of the backend's `{call}` has lasted for {since:.1?}")
                }
                None => format!("it was still going on after {limit:.0?}"),
            };
            let failure = Failure { expected: "the case ends".into(), but, invariant: None };
            let text = failure.explain(listed, mode, &timeline);
            write_answer(&answer_folder, &Outcome::Failed(text));
            std::process::exit(1);
        });
        Self { ended: Some(sender), thread: Some(thread) }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.ended = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// The first panic of any thread of this process.
struct Panics(std::sync::Arc<Mutex<Option<String>>>);

impl Panics {
    fn install() -> Self {
        let first = std::sync::Arc::new(Mutex::new(None));
        let seen = first.clone();
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let name = thread::current().name().unwrap_or("without a name").to_owned();
            let text = format!("thread {name} {info}");
            seen.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
            print(info);
        }));
        Self(first)
    }

    fn first(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
