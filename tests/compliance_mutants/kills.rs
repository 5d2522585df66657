//! Runs the mutants against the cases that must catch them, and prints the kill table.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    process::ExitCode,
    time::Duration,
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use notify_backend::{
    compliance::{Profile, Suite, Verdict, View, catalogue},
    prelude::*,
};
use notify_backend_inotify::InotifyBackend;

use crate::{
    clients, construction, contents, demands, files, gone, in_memory, losses,
    mutant::{Mutant, Mutation},
    networked, places, resuming, streaming, unread,
};

/// A broken backend and the cases that must catch it.
pub(crate) struct Entry {
    name: &'static str,
    suite: Suite,
    kills: &'static [&'static str],
}

impl Entry {
    /// Lets the mutant watch what `view` makes of a case's folder.
    pub(crate) fn seen_through(self, view: fn(&Path) -> io::Result<View>) -> Self {
        Self { suite: self.suite.seen_through(view), ..self }
    }
}

/// A mutation by name, and the cases that must catch it.
pub(crate) fn entry<M: Mutation>(name: &'static str, kills: &'static [&'static str]) -> Entry {
    entry_with::<M>(name, Profile::default(), kills)
}

/// The same for a backend whose profile says that it compares states, and identifies files only by their paths.
/// The suite requires less of such a backend.
pub(crate) fn sampled_entry<M: Mutation>(
    name: &'static str,
    kills: &'static [&'static str],
) -> Entry {
    entry_with::<M>(name, sampled(), kills)
}

/// The same for a backend whose profile says that its platform merges changes.
pub(crate) fn coalesced_entry<M: Mutation>(
    name: &'static str,
    kills: &'static [&'static str],
) -> Entry {
    entry_with::<M>(name, Profile::default().coalesced(), kills)
}

/// The same for a backend whose profile is that of a client of a daemon.
pub(crate) fn client_entry<M: Mutation>(
    name: &'static str,
    kills: &'static [&'static str],
) -> Entry {
    let profile = Profile::default().in_another_process();
    entry_with::<M>(name, profile.reports_own_metadata(false).most_paths(80), kills)
}

fn sampled() -> Profile {
    Profile::default().sampled(Duration::ZERO).pairs_renames(false)
}

fn entry_with<M: Mutation>(
    name: &'static str,
    profile: Profile,
    kills: &'static [&'static str],
) -> Entry {
    // A silent mutant makes the suite wait.
    let suite = Suite::of::<Mutant<M>>().profile(profile.patience(Duration::from_millis(400)));
    entry_of(name, suite.beside::<InotifyBackend>(Profile::default()), kills)
}

/// A broken backend that is not built on the inotify backend.
pub(crate) fn entry_of(name: &'static str, suite: Suite, kills: &'static [&'static str]) -> Entry {
    Entry { name, suite, kills }
}

/// No mistake.
#[derive(Debug, Default)]
struct Nothing;
impl Mutation for Nothing {}

/// Yields to the runtime before each item, as a backend with more work than one poll allows may do.
#[derive(Debug, Default)]
struct GivesUpItsTurn {
    has_given_up: bool,
}
impl Mutation for GivesUpItsTurn {
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        if !std::mem::replace(&mut self.has_given_up, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = Pin::new(inner).poll_next(cx);
        self.has_given_up = polled.is_pending();
        polled
    }
}

/// The same with `WatchEntireFilesystem`, as for most backends that receive so much.
#[derive(Debug, Default)]
struct GivesUpTurnsOfAll(GivesUpItsTurn);
impl Mutation for GivesUpTurnsOfAll {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.with(Capability::WatchEntireFilesystem)
    }
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        self.0.poll(inner, cx)
    }
}

/// Reports a loss once for each watched folder, like a backend with a queue per folder.
#[derive(Debug, Default)]
struct NamesEachPart {
    parts: Vec<PathBuf>,
}
impl Mutation for NamesEachPart {
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        let parts = watches.iter().map(|watch| watch.path.clone()).collect();
        Ok((InotifyBackend::new(watches)?, Self { parts }))
    }

    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        match item {
            Ok(Event { kind: EventKind::Missed(count), .. }) => {
                let parts = self.parts.iter().map(|part| Event::missed_below(part, count));
                reported.extend(parts.map(Ok));
            }
            item => reported.push_back(item),
        }
    }
}

/// The cases that such a backend must pass as well.
const PARTS_CONTROL: &[&str] = &["STR04", "OVF01", "OVF02", "OVF03", "OVF04", "OVF08", "OVF11"];

/// The same for a backend that yields.
const TURN_CONTROL: &[&str] =
    &["STR04", "STR05", "STR07", "STR13", "STR16", "FIL01", "REC03", "OVF04"];

/// The same on a separate file system.
const DISTURBED_CONTROL: &[&str] = &["STR06", "STR07", "RES03", "REC15"];

/// A few cases of every kind, which the backend must pass when it is wrapped like a mutant. It reports each loss as
/// one of everything, which is also right for a loss in one folder.
const CONTROL: &[&str] = &[
    "CON10", "STR06", "FIL01", "FIL14", "REC03", "REN09", "ROOT03", "OVF03", "OVF11", "RES01",
    "CHG03",
];

/// The same for a backend that is judged as a sampling one, where that makes a difference.
const SAMPLED_CONTROL: &[&str] = &["CONV01", "CONV04", "CONV07"];

/// The cases that a backend which resumes must pass.
const RESUMING_CONTROL: &[&str] = &[
    "RSM01", "RSM02", "RSM03", "RSM04", "RSM05", "RSM06", "RSM07", "RSM08", "RSM09", "RSM11",
    "RSM12", "OVF17",
];

/// The mutants with a snapshot of their first case's report: one for each kind of report that is the same in every
/// run.
const TEXTS: &[&str] = &[
    "access_undeclared",
    "always_deep",
    "bare_errors",
    "claims_no_changes",
    "deaf_after_neighbour",
    "doubles",
    "drops_arrivals",
    "drops_removals",
    "ends_with_first_root",
    "everything_is_a_file",
    "holds_first_half",
    "keeps_first_waker",
    "loss_without_need",
    "makes_text_of_names",
    "metadata_as_data",
    "name_only",
    "names_all_paths",
    "never_wakes",
    "no_rescan",
    "no_runtime_check",
    "no_trackers",
    "other_without_info",
    "panics_in_thread",
    "refuses_odd_folders",
    "silent",
    "unwatches_anything",
    "would_block",
];

pub(crate) fn main() -> ExitCode {
    let entries: Vec<_> = [
        construction::mutants(),
        streaming::mutants(),
        contents::mutants(),
        contents::mutants_of_names(),
        places::mutants(),
        demands::mutants(),
        unread::mutants(),
        files::mutants(),
        gone::mutants(),
        losses::mutants(),
        resuming::mutants(),
        clients::mutants(),
        networked::mutants(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let control = Suite::of::<Mutant<Nothing>>();
    let turn_control = Suite::of::<Mutant<GivesUpItsTurn>>();
    let all_control = Suite::of::<Mutant<GivesUpTurnsOfAll>>();
    let parts_control = Suite::of::<Mutant<NamesEachPart>>();
    let resuming_control = resuming::control();
    let view_control = networked::control();
    let controls =
        [&control, &turn_control, &all_control, &parts_control, &resuming_control, &view_control];
    let answers = controls.map(Suite::answer).contains(&true);
    if answers || entries.iter().any(|entry| entry.suite.answer()) {
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments::from_args();
    // Most cases wait for something that a mutant does not report.
    arguments.test_threads.get_or_insert(16);
    if let Some(folder) = in_memory::folder() {
        // No case has needed it yet.
        _ = tempfile::env::override_temp_dir(folder);
    }
    let mut trials = vec![Trial::test("kill_table::has_no_gap", gaps(&entries))];
    let sampled_control = control.clone().profile(sampled());
    let controls = [
        ("unbroken", control, CONTROL),
        ("gives_up_its_turn", turn_control, TURN_CONTROL),
        ("gives_up_turns_of_all", all_control, DISTURBED_CONTROL),
        ("names_each_part", parts_control, PARTS_CONTROL),
        ("sampled", sampled_control, SAMPLED_CONTROL),
        ("resumable", resuming_control, RESUMING_CONTROL),
        ("sees_the_view", view_control, networked::CONTROL),
    ];
    for (name, suite, ids) in controls {
        for &id in ids {
            let suite = suite.clone();
            let passes = move || match suite.judge(id) {
                Verdict::Passed => Ok(Completion::Completed),
                Verdict::Ignored(reason) => Ok(Completion::ignored_with(reason)),
                Verdict::Failed(text) => Err(Failed::from(text)),
            };
            trials.push(Trial::ignorable_test(format!("{name}::{id}"), passes));
        }
    }
    for entry in &entries {
        for (i, &id) in entry.kills.iter().enumerate() {
            let (suite, name) = (entry.suite.clone(), entry.name);
            let is_caught = move || match suite.judge(id) {
                Verdict::Passed => Err(Failed::from(format!("{id} does not catch {name}"))),
                Verdict::Ignored(reason) => Ok(Completion::ignored_with(reason)),
                Verdict::Failed(text) => {
                    if i == 0 && TEXTS.contains(&name) {
                        insta::with_settings!({ prepend_module_to_snapshot => false }, {
                            insta::assert_snapshot!(name, without_times(&text));
                        });
                    }
                    Ok(Completion::Completed)
                }
            };
            trials.push(Trial::ignorable_test(format!("{name}::{id}"), is_caught));
        }
    }
    if !arguments.list {
        print_table(&entries);
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Checks that some mutant names each MUST case, and that all named cases exist.
fn gaps(entries: &[Entry]) -> impl FnOnce() -> Result<(), Failed> + Send + 'static {
    let killed: Vec<_> = entries.iter().flat_map(|entry| entry.kills).copied().collect();
    move || {
        let cases = catalogue();
        let unknown = killed.iter().find(|&&id| cases.iter().all(|case| case.id != id));
        if let Some(id) = unknown {
            return Err(Failed::from(format!("there is no case {id}, which a mutant names")));
        }
        let must = cases.into_iter().filter(|case| case.level == "MUST");
        let gaps: Vec<_> =
            must.filter(|case| !killed.contains(&case.id)).map(|case| case.name).collect();
        if gaps.is_empty() {
            return Ok(());
        }
        Err(Failed::from(format!("no mutant is caught by {}: {}", gaps.len(), gaps.join(", "))))
    }
}

fn print_table(entries: &[Entry]) {
    let mut table: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in entries {
        for id in entry.kills {
            table.entry(id).or_default().push(entry.name);
        }
    }
    println!("kill table ({} mutants):", entries.len());
    for case in catalogue() {
        let mutants = table.get(case.id).map_or_else(String::new, |names| names.join(", "));
        println!("  {:<7} {:<6} {mutants}", case.id, case.level);
    }
}

/// Removes the parts of a text that differ from run to run: times, trackers, and the places and backtraces of
/// panics.
fn without_times(text: &str) -> String {
    let mut result = String::new();
    for line in text.lines().take_while(|line| !line.starts_with("printed by the backend")) {
        // `     12 ms  did     …` --> `        ms  did     …`
        let line = match line.split_once(" ms  ") {
            Some((time, rest)) if time.trim().parse::<u64>().is_ok() => format!("  … ms  {rest}"),
            _ => line.to_owned(),
        };
        // `… tracker=3994148` --> `… tracker=…`
        let line = match line.split_once(" tracker=") {
            Some((event, tracker)) if tracker.parse::<u64>().is_ok() => {
                format!("{event} tracker=…")
            }
            _ => line,
        };
        // `thread main panicked at src/lib.rs:1:2:` --> `thread main panicked at …`
        let line = match line.split_once(" panicked at ") {
            Some((thread, _)) => format!("{thread} panicked at …"),
            None => line,
        };
        result.push_str(line.trim_end());
        result.push('\n');
    }
    result
}
