//! The tests of one run, and their results: [`Run`].

use std::{
    env, io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use libtest_mimic::{Completion, Failed, Trial};

use super::{
    hearing::Hearing,
    process::{parent, protocol::Outcome},
    turns::Turns,
};
use crate::{
    compliance::{
        case::{Level, Listed},
        cases,
        report::{
            checklist,
            entry::Entry,
            obstacle::Obstacle,
            progress::Progress,
            score_card::{Remarks, ScoreCard},
            verdict::Verdict,
        },
        scene::{environment, subject::Subject},
    },
    contract::capability::Capability,
};

/// A run of the suite for one backend.
#[derive(Debug)]
pub(crate) struct Run {
    subject: Subject,
    deviations: Vec<(&'static str, &'static str)>,
    /// The cases that are not run, and why.
    left_out: Vec<(&'static str, &'static str)>,
    /// How long a case may take on a machine that has nothing else to do.
    limit: Duration,
    card: ScoreCard,
    hearing: Hearing,
    turns: Turns,
}

impl Run {
    pub(crate) fn new(
        subject: Subject,
        deviations: Vec<(&'static str, &'static str)>,
        left_out: Vec<(&'static str, &'static str)>,
        limit: Duration,
    ) -> Arc<Self> {
        let (card, hearing, turns) = (ScoreCard::default(), Hearing::default(), Turns::default());
        Arc::new(Self { subject, deviations, left_out, limit, card, hearing, turns })
    }

    /// Returns a test for each case, or the one that says why there is none.
    pub(crate) fn trials(self: &Arc<Self>, obstacle: Option<&Obstacle>) -> Vec<Trial> {
        let Some(Obstacle { test, text, excuse }) = obstacle else {
            return cases::all().map(|listed| self.trial(listed)).collect();
        };
        let completed = match excuse {
            Some(excuse) => Ok(Completion::ignored_with(&excuse.reason)),
            None => Err(Failed::from(text)),
        };
        vec![Trial::ignorable_test(*test, || completed)]
    }

    fn trial(self: &Arc<Self>, listed: Listed) -> Trial {
        let capabilities = self.subject.about().capabilities;
        let gate = listed.case.gate(capabilities).or_else(|| listed.case.environment_gate());
        let left_out = self.left_out.iter().find(|(id, _)| *id == listed.case.id);
        let gate = gate.or_else(|| left_out.map(|(_, reason)| (*reason).to_owned()));
        // nextest knows a test to be ignored only from the list; it shows no reason.
        let is_ignored = gate.is_some() && env::var_os("NEXTEST").is_some();
        let deviation = self.deviations.iter().find(|(id, _)| *id == listed.case.id);
        let deviation = deviation.map(|(_, reason)| (*reason).to_owned());
        let is_alone = listed.case.is_disturbed
            && gate.is_none()
            && capabilities.contains(Capability::WatchEntireFilesystem)
            && environment::unshare_mounts().is_none();
        let run = self.clone();
        let test = move || {
            let _turn = run.turns.take(is_alone);
            let start = Instant::now();
            let Outcome { verdict, figures, .. } = match gate {
                Some(reason) => Verdict::Ignored(reason).into(),
                None => run.case(listed),
            };
            run.card.add(Entry {
                listed,
                verdict: verdict.clone(),
                deviation: deviation.clone(),
                figures,
                took: start.elapsed(),
            });
            conclude(listed, verdict, deviation)
        };
        Trial::ignorable_test(listed.full_name(), test)
            .with_kind(listed.case.id)
            .with_ignored_flag(is_ignored)
    }

    /// Runs a case, with the outlook that follows from the cases so far.
    fn case(&self, listed: Listed) -> Outcome {
        let outcome = parent::run(listed, &self.subject, self.hearing.outlook(), self.limit);
        self.hearing.note(outcome.barriers);
        outcome
    }

    /// Returns whether some case was run, and not only ignored.
    pub(crate) fn has_run_any(&self) -> bool {
        self.card.entries().iter().any(|entry| !matches!(entry.verdict, Verdict::Ignored(_)))
    }

    /// Returns what there is to say beyond the cases. `is_filtered` if only some were selected, `is_whole` if
    /// all were that can be run.
    pub(crate) fn remarks(
        &self,
        obstacle: Option<&Obstacle>,
        is_filtered: bool,
        is_whole: bool,
    ) -> Remarks {
        let entries = self.card.entries();
        let is_unwritten = obstacle.is_some_and(Obstacle::is_unwritten);
        let mut remarks = Remarks::default();
        if !is_filtered {
            remarks.advice = self.advice();
        }
        // If nothing was run, the reason has been printed.
        if is_whole && (is_unwritten || !entries.is_empty()) {
            remarks.progress = Some(if is_unwritten {
                Progress::at_the_start(&self.subject)
            } else {
                Progress::of(&entries)
            });
            remarks.open = checklist::points(&self.subject, &entries);
        }
        remarks
    }

    /// Returns the text at the end of a run.
    pub(crate) fn text(&self, remarks: &Remarks) -> String {
        // The verdict on a single case has been printed.
        let card = (self.card.entries().len() > 1).then(|| self.card.text(&remarks.advice) + "\n");
        card.unwrap_or_default() + &remarks.to_string()
    }

    /// Writes the score card to `file`.
    pub(crate) fn write_card(&self, file: &Path, remarks: &Remarks) -> io::Result<()> {
        self.card.write(file, &self.subject, remarks)
    }

    /// Returns capabilities that are not declared although everything that needs them works.
    fn advice(&self) -> Vec<String> {
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
                && cases.all(|listed| self.case(listed).verdict == Verdict::Passed)
        });
        works
            .map(|capability| format!("{capability} is not declared, but every case of it passes"))
            .collect()
    }
}

/// Returns the result of the test for a verdict, given the case's level and a known deviation.
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
