//! The runs and their results: [`main`].

use std::{
    env, fs,
    process::{Command, ExitCode},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::{
    in_memory,
    programs::{AS_ORDINARY_USER, EASY, IN_NAMESPACES, PATIENCE, PROGRAM, UNTOUCHED},
};

/// The variable that lets a backend pass that is not written yet.
const ALLOWED: (&str, &str) = ("NOTIFY_BACKEND_COMPLIANCE_UNWRITTEN", "allowed");

/// The result of a run.
struct Run {
    is_success: bool,
    printed: String,
}

fn run(program: &str, arguments: &[&str]) -> Result<Run, Failed> {
    run_where(&[], program, arguments)
}

/// Runs a program with these additional environment variables.
fn run_where(variables: &[(&str, &str)], program: &str, arguments: &[&str]) -> Result<Run, Failed> {
    let mut command = Command::new(env::current_exe()?);
    if let Some(folder) = in_memory::folder() {
        command.env("TMPDIR", folder);
    }
    command.args(arguments).env(PROGRAM, program).envs(variables.iter().copied());
    let output = command.output()?;
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    Ok(Run { is_success: output.status.success(), printed })
}

impl Run {
    fn succeeds(&self) -> Result<(), Failed> {
        if self.is_success { Ok(()) } else { Err(self.failed("fails")) }
    }

    fn fails(&self) -> Result<(), Failed> {
        if self.is_success { Err(self.failed("succeeds")) } else { Ok(()) }
    }

    fn says(&self, text: &str) -> Result<(), Failed> {
        if self.printed.contains(text) {
            return Ok(());
        }
        Err(self.failed(&format!("does not say {text:?}")))
    }

    fn says_not(&self, text: &str) -> Result<(), Failed> {
        if self.printed.contains(text) {
            return Err(self.failed(&format!("says {text:?}")));
        }
        Ok(())
    }

    fn failed(&self, text: &str) -> Failed {
        Failed::from(format!("the run {text}:\n{}", self.printed))
    }
}

pub(crate) fn main() -> ExitCode {
    let trials = vec![
        Trial::test("a_case_that_passes", a_case_that_passes),
        Trial::test("some_cases_are_no_progress", some_cases_are_no_progress),
        Trial::test("a_case_that_fails", a_case_that_fails),
        Trial::test("dropped_where_it_must_not_be", dropped_where_it_must_not_be),
        Trial::test("a_process_that_ends_too_early", a_process_that_ends_too_early),
        Trial::test("nothing_is_heard", nothing_is_heard),
        Trial::test("no_large_scene_for_nothing", no_large_scene_for_nothing),
        // It takes long, and the two before show on some cases what it shows on all.
        Trial::test("nothing_is_heard_in_any_case", nothing_is_heard_in_any_case)
            .with_ignored_flag(true),
        Trial::test("no_barrier_is_heard", no_barrier_is_heard),
        Trial::test("a_known_deviation", a_known_deviation),
        Trial::test("a_deviation_that_is_gone", a_deviation_that_is_gone),
        Trial::test("a_deviation_from_no_case", a_deviation_from_no_case),
        Trial::test("a_backend_that_is_not_written", a_backend_that_is_not_written),
        Trial::test("not_written_and_allowed_to_be", not_written_and_allowed_to_be),
        Trial::test("written_and_nothing_is_allowed", written_and_nothing_is_allowed),
        Trial::test("unavailable_to_some_users", unavailable_to_some_users),
        Trial::test("left_out_on_this_machine", left_out_on_this_machine),
        Trial::test("unavailable_on_other_systems", unavailable_on_other_systems),
        Trial::test("traces_are_excused_by_the_profile", traces_are_excused_by_the_profile),
        Trial::test("more_than_the_type_promises", more_than_the_type_promises),
        Trial::test("what_works_but_is_not_declared", what_works_but_is_not_declared),
        Trial::ignorable_test("others_disturb_no_case", others_disturb_no_case),
    ];
    let mut arguments = Arguments::from_args();
    // The tests wait for other processes, which mostly wait too.
    arguments.test_threads.get_or_insert(trials.len());
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn a_case_that_passes() -> Result<(), Failed> {
    let run = run("right", &[EASY])?;
    run.says("1 passed; 0 failed")?;
    run.succeeds()
}

/// A run of a few cases says nothing about the backend's progress.
fn some_cases_are_no_progress() -> Result<(), Failed> {
    run("silent", &[EASY])?.says_not("progress:")
}

fn a_case_that_fails() -> Result<(), Failed> {
    let run = run("silent", &[EASY])?;
    run.says("what happened:")?;
    run.says("0 passed; 1 failed")?;
    run.fails()
}

/// A backend that panics outside the runtime ends the case that tries this, and no other.
fn dropped_where_it_must_not_be() -> Result<(), Failed> {
    let run = run("drops in the runtime", &["stream::dropped_outside"])?;
    run.says("test [STR18] stream::dropped_outside_the_runtime ... FAILED")?;
    run.says("0 passed; 1 failed")?;
    run.fails()
}

/// That a process has ended well is no reason for a failure; that it has not answered is.
fn a_process_that_ends_too_early() -> Result<(), Failed> {
    let run = run("ends its process", &[EASY])?;
    run.says("the process of the case ended before the case did, or its answer is lost: ")?;
    run.says_not("ended with exit status: 0")?;
    run.fails()
}

/// Only the first cases wait in vain; the others know from them.
fn nothing_is_heard() -> Result<(), Failed> {
    few_are_patient("mute")
}

/// Once it is known that the backend reports nothing, no case sets up a large scene.
fn no_large_scene_for_nothing() -> Result<(), Failed> {
    // The first two find it out, and the last one needs 5000 folders.
    let run = run("mute", &["overflow::", "--test-threads", "1"])?;
    run.fails()?;
    run.says("overflow::loss_in_large_tree   ... ignored (SHOULD, and does not")?;
    run.says_not("make 5000 folders")
}

/// The suite of a backend that reports nothing takes less than a minute in all, unless the machine is busy: hardly a case
/// waits as long as one that may still hear something.
fn nothing_is_heard_in_any_case() -> Result<(), Failed> {
    const AT_A_TIME: usize = 12;
    let run = run("mute", &["--test-threads", &AT_A_TIME.to_string()])?;
    run.fails()?;
    let patient = run.printed.matches(&format!("did not arrive within {PATIENCE:?}")).count();
    let all = run.printed.matches("did not arrive within ").count();
    // Some have begun before two have found it out.
    if (2..=2 * AT_A_TIME).contains(&patient) && all > 10 * patient {
        return Ok(());
    }
    Err(run.failed(&format!("has {patient} of {all} cases that wait for {PATIENCE:?}")))
}

/// A backend that receives all changes on the file system reports nothing without changes in the watched paths.
fn others_disturb_no_case() -> Result<Completion, Failed> {
    // The folder for temporary files of that run.
    let noise = tempfile::tempdir()?;
    let place = noise.path().canonicalize()?.display().to_string();
    let (over, is_over) = mpsc::channel::<()>();
    let run = thread::scope(|scope| {
        let file = noise.path().join("file");
        scope.spawn(move || {
            // Like another program that makes changes all the time.
            let interval = Duration::from_millis(20);
            while is_over.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                fs::write(&file, "").and_then(|()| fs::remove_file(&file)).expect("it is ours");
            }
        });
        let run = run_where(&[("TMPDIR", &place)], "hears all", &["idle_costs_nothing"]);
        drop(over);
        run
    })?;
    if run.printed.contains("namespaces: no") {
        return Ok(Completion::ignored_with("there are no namespaces here"));
    }
    run.says("1 passed; 0 failed")?;
    run.succeeds()?;
    Ok(Completion::Completed)
}

fn no_barrier_is_heard() -> Result<(), Failed> {
    few_are_patient("hides barriers")
}

fn few_are_patient(program: &str) -> Result<(), Failed> {
    let run = run(program, &["files::", "--test-threads", "2"])?;
    run.fails()?;
    let patient = run.printed.matches(&format!("did not arrive within {PATIENCE:?}")).count();
    let all = run.printed.matches("did not arrive within ").count();
    // Two find it out, and a third may have started before.
    if (2..=3).contains(&patient) && all > 2 * patient {
        return Ok(());
    }
    Err(run.failed(&format!("has {patient} of {all} cases that wait for {PATIENCE:?}")))
}

fn a_known_deviation() -> Result<(), Failed> {
    let run = run("silent, known", &[EASY])?;
    run.says("known deviation: it never says a word")?;
    run.says("0 failed; 1 ignored")?;
    run.succeeds()
}

fn a_deviation_that_is_gone() -> Result<(), Failed> {
    let run = run("right, known", &[EASY])?;
    run.says("the case passes, but is listed as a deviation (it never says a word); remove that")?;
    run.fails()
}

fn a_deviation_from_no_case() -> Result<(), Failed> {
    let run = run("unknown case", &[])?;
    run.says("FIL99 is named, and there is no such case")?;
    run.fails()
}

/// The run says once, and not per case, what to write first.
fn a_backend_that_is_not_written() -> Result<(), Failed> {
    let run = run("blank", &[])?;
    run.says("running 1 test")?;
    run.says("implement_new_first")?;
    run.says("Blank::new")?;
    run.says("section \"A walk-through\"")?;
    run.says("progress: 0 of ")?;
    run.says(" · next: `new` · in the guide: \"A walk-through\"\n")?;
    run.fails()
}

/// The CI of a new crate passes, and says that this proves nothing.
fn not_written_and_allowed_to_be() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let card = folder.path().join("card");
    let card_is = ("NOTIFY_BACKEND_COMPLIANCE_REPORT", card.to_str().ok_or("a path of UTF-8")?);
    let run = run_where(&[ALLOWED, card_is], "blank", &[])?;
    run.says("0 passed; 0 failed; 1 ignored")?;
    run.says("nothing is proven: `Backend::new` is not written yet")?;
    run.says("progress: 0 of ")?;
    run.succeeds()?;
    let markdown = fs::read_to_string(card.with_extension("md"))?;
    assert!(markdown.contains("\nProgress: 0 of "), "{markdown}");
    assert!(markdown.contains(" · next: `new` · in the guide: \"A walk-through\"\n"), "{markdown}");
    // Another value does not allow it.
    run_where(&[(ALLOWED.0, "1")], "blank", &[])?.fails()
}

/// As soon as a backend can be created, the suite decides.
fn written_and_nothing_is_allowed() -> Result<(), Failed> {
    let run = run_where(&[ALLOWED], "silent", &[EASY])?;
    run.says("0 passed; 1 failed")?;
    run.says_not("nothing is proven")?;
    run.fails()?;
    run_where(&[ALLOWED], "unknown case", &[])?.fails()
}

/// A backend may be unavailable in cases that the suite runs as another user. It has to work for the user that
/// starts the suite.
fn unavailable_to_some_users() -> Result<(), Failed> {
    if !rustix::process::geteuid().is_root() {
        run("privileged", &[EASY])?.fails()?;
        let run = run("privileged, and says so", &[])?;
        run.says("0 passed; 0 failed; 1 ignored")?;
        run.says("it needs CAP_SYS_ADMIN")?;
        run.says("nothing is proven: run this as root")?;
        return run.succeeds();
    }
    for program in ["privileged", "privileged, and says so"] {
        run(program, &[EASY])?.says("1 passed; 0 failed; 0 ignored")?;
    }
    for (case, role) in
        [(AS_ORDINARY_USER, "an ordinary user"), (IN_NAMESPACES, "root of a user namespace")]
    {
        let run = run("privileged", &[case])?;
        run.says("0 passed; 0 failed; 1 ignored")?;
        run.says(&format!("the backend is unavailable to {role}: it needs CAP_SYS_ADMIN"))?;
    }
    Ok(())
}

/// A backend has to work on the systems that it is said to run on; elsewhere, it may say that it does not.
fn unavailable_on_other_systems() -> Result<(), Failed> {
    run("absent", &[])?.fails()?;
    let run_elsewhere = run("absent, and says so", &[])?;
    run_elsewhere.says("0 passed; 0 failed; 1 ignored")?;
    run_elsewhere.says("it needs another kernel")?;
    run_elsewhere.says("nothing is proven: run this on macos or windows")?;
    run_elsewhere.succeeds()?;
    run("right elsewhere", &[EASY])?.says("1 passed; 0 failed; 0 ignored")
}

/// A case that proves nothing is not run, and the reason is given.
fn left_out_on_this_machine() -> Result<(), Failed> {
    let run = run("right, left out", &[EASY])?;
    run.says("0 passed; 0 failed; 1 ignored")?;
    run.says("it is lost now and then")?;
    run.succeeds()
}

fn traces_are_excused_by_the_profile() -> Result<(), Failed> {
    run("tidy, or so it says", &[UNTOUCHED])?.fails()?;
    let run = run("untidy", &[UNTOUCHED])?;
    run.succeeds()?;
    run.says("the profile says that traces are left")
}

/// A whole run, which also writes the score card. An undeclared feature must not show, so the advice is to declare
/// it.
fn what_works_but_is_not_declared() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let card = folder.path().join("card");
    let run = run("modest", &["--report", &card.to_string_lossy()])?;
    run.says("symlinks::asked_in_vain")?;
    run.fails()?;
    let advice = "FollowSymlinks is not declared, but every case of it passes";
    run.says(&format!("advice: {advice}"))?;
    run.says(" · next: `symlinks::asked_in_vain` · in the guide: \"Symbolic links\"\n")?;
    // Everything declared was tested.
    run.says_not("still open")?;
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(card.with_extension("json"))?)?;
    assert_eq!(json["advice"], serde_json::json!([advice]));
    assert_eq!(json["open"], serde_json::json!([]));
    let progress = json["progress"].as_str().ok_or("no progress")?;
    run.says(&format!("progress: {progress}\n"))?;
    let markdown = fs::read_to_string(card.with_extension("md"))?;
    assert!(markdown.contains(advice), "{markdown}");
    assert!(markdown.contains(&format!("\nProgress: {progress}\n")), "{markdown}");
    let badge = fs::read_to_string(card.with_extension("svg"))?;
    let must = |verdict: &str| {
        let cases = json["cases"].as_array().into_iter().flatten();
        cases.filter(|case| case["level"] == "MUST" && case["verdict"] == verdict).count()
    };
    let (passed, failed) = (must("passed"), must("failed"));
    let share = format!("{passed} of {} MUST", passed + failed);
    assert!(passed > 0 && failed > 0, "the picture has one colour for all passed");
    assert!(badge.contains(&share) && badge.contains("#bc4c00"), "{share}: {badge}");
    Ok(())
}

/// The type promises only to watch folders, as its last choice does; the value does much more.
fn more_than_the_type_promises() -> Result<(), Failed> {
    let run = run("first of two", &["changing::all_gone", "--exact"])?;
    run.says("backend: your-namespace/inotify (")?;
    run.says("1 passed; 0 failed; 0 ignored")?;
    run.succeeds()
}
