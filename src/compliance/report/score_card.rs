//! The score card: the results by group and level, as a table, as Markdown, as JSON and as a badge.

use std::{
    fmt::{self, Write as _},
    fs, io,
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde_json::json;

use super::{badge, entry::Entry, progress::Progress, verdict::Verdict};
use crate::compliance::{
    case::{Level, Listed},
    cases::{self, GROUPS},
    scene::{environment, subject::Subject},
};

/// The results of the cases that were run.
#[derive(Debug, Default)]
pub(crate) struct ScoreCard(Mutex<Vec<Entry>>);

/// The remarks of a run beyond its cases; empty if only a few cases were run.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    /// Capabilities that could be declared.
    pub(crate) advice: Vec<String>,
    pub(crate) progress: Option<Progress>,
    /// The open points of the crate.
    pub(crate) open: Vec<String>,
}

/// Writes the lines at the end of a run.
impl fmt::Display for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(progress) = &self.progress {
            writeln!(f, "progress: {progress}")?;
        }
        self.open.iter().try_for_each(|point| writeln!(f, "still open: {point}"))
    }
}

/// How many cases of some kind passed, and so on.
#[derive(Debug, Default)]
struct Count {
    passed: usize,
    failed: usize,
    ignored: usize,
    deviating: usize,
}

impl Count {
    fn of<'a>(entries: impl Iterator<Item = &'a Entry>) -> Self {
        let mut count = Self::default();
        for entry in entries {
            match (&entry.verdict, &entry.deviation) {
                (Verdict::Ignored(_), _) => count.ignored += 1,
                (_, Some(_)) => count.deviating += 1,
                (Verdict::Passed, None) => count.passed += 1,
                (Verdict::Failed(_), None) => count.failed += 1,
            }
        }
        count
    }

    /// Returns `5 of 6`, or nothing if there was nothing to pass.
    fn share(&self) -> String {
        match self.passed + self.failed {
            0 => String::new(),
            ran => format!("{} of {ran}", self.passed),
        }
    }

    fn number(number: usize) -> String {
        if number == 0 { String::new() } else { number.to_string() }
    }
}

impl ScoreCard {
    pub(crate) fn add(&self, entry: Entry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Returns everything so far, in the order of the catalogue.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let place =
            |entry: &Entry| cases::all().position(|listed| listed.case.id == entry.listed.case.id);
        entries.sort_by_key(place);
        entries
    }

    /// Returns the rows of the table, with a head and a sum.
    fn rows(&self) -> Vec<[String; 6]> {
        let entries = self.entries();
        let row = |title: &str, entries: &[&Entry]| {
            let at = |level| {
                Count::of(entries.iter().copied().filter(|entry| entry.listed.case.level == level))
            };
            let all = Count::of(entries.iter().copied());
            let [must, should, may] = Level::ALL.map(|level| at(level).share());
            let (ignored, deviating) = (Count::number(all.ignored), Count::number(all.deviating));
            [title.to_owned(), must, should, may, ignored, deviating]
        };
        let head = ["group", "MUST", "SHOULD", "MAY", "ignored", "deviating"];
        let mut rows = vec![head.map(str::to_owned)];
        for group in GROUPS {
            let of_group: Vec<_> =
                entries.iter().filter(|entry| entry.listed.group.name == group.name).collect();
            if !of_group.is_empty() {
                rows.push(row(group.title, &of_group));
            }
        }
        rows.push(row("all", &entries.iter().collect::<Vec<_>>()));
        rows
    }

    /// Returns the table in plain text, with warnings and advice below it.
    pub(crate) fn text(&self, advice: &[String]) -> String {
        let mut text = format!("\nscore card:\n{}", table(&self.rows(), false));
        for entry in self.entries() {
            if let (Verdict::Failed(explanation), None, true) =
                (&entry.verdict, &entry.deviation, entry.listed.case.level == Level::Should)
            {
                _ = write!(text, "\nwarning:\n{explanation}");
            }
        }
        for advice in advice {
            _ = writeln!(text, "\nadvice: {advice}");
        }
        text
    }

    /// Writes the score card as Markdown, as JSON and as a badge, to `file` with the extensions `md`, `json` and
    /// `svg`.
    pub(crate) fn write(
        &self,
        file: &Path,
        subject: &Subject,
        remarks: &Remarks,
    ) -> io::Result<()> {
        fs::write(file.with_extension("md"), self.markdown(subject, remarks))?;
        let json = serde_json::to_string_pretty(&self.json(subject, remarks))?;
        fs::write(file.with_extension("json"), json + "\n")?;
        fs::write(file.with_extension("svg"), self.badge())
    }

    fn badge(&self) -> String {
        let entries = self.entries();
        let must = Count::of(entries.iter().filter(|entry| entry.listed.case.level == Level::Must));
        badge::svg(must.passed, must.passed + must.failed + must.deviating)
    }

    fn markdown(&self, subject: &Subject, remarks: &Remarks) -> String {
        let entries = self.entries();
        let name = subject.about().name;
        let mut text = format!("## Compliance of `{name}`\n\n");
        _ = writeln!(text, "Declared: {}.\n", subject.about().capabilities);
        if let Some(progress) = &remarks.progress {
            _ = writeln!(text, "Progress: {progress}\n");
        }
        text.push_str(&table(&self.rows(), true));
        text.push('\n');
        for (name, value) in environment::facts() {
            _ = writeln!(text, "- {name}: {value}");
        }
        let mut list = |title: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                _ = write!(text, "\n### {title}\n\n{}\n", lines.join("\n"));
            }
        };
        let line = |entry: &Entry, reason: &str| {
            let Listed { case, .. } = entry.listed;
            format!("- {} `{}`: {reason}", case.id, entry.listed.full_name())
        };
        let failed = entries.iter().filter(|entry| {
            matches!(entry.verdict, Verdict::Failed(_)) && entry.deviation.is_none()
        });
        list("Not met", failed.map(|entry| line(entry, entry.listed.case.checks)).collect());
        let deviating =
            entries.iter().filter_map(|entry| Some(line(entry, entry.deviation.as_deref()?)));
        list("Known deviations", deviating.collect());
        let ignored = entries.iter().filter_map(|entry| match &entry.verdict {
            Verdict::Ignored(reason) => Some(line(entry, reason)),
            _ => None,
        });
        list("Ignored", ignored.collect());
        let figures = entries.iter().flat_map(|entry| {
            entry.figures.iter().map(|(name, value)| line(entry, &format!("{name} {value}")))
        });
        list("Measured", figures.collect());
        list("Advice", remarks.advice.iter().map(|advice| format!("- {advice}")).collect());
        list("Still open", remarks.open.iter().map(|point| format!("- {point}")).collect());
        text
    }

    fn json(&self, subject: &Subject, remarks: &Remarks) -> serde_json::Value {
        let cases: Vec<_> = self
            .entries()
            .into_iter()
            .map(|entry| {
                let (verdict, reason) = match entry.verdict {
                    Verdict::Passed => ("passed", None),
                    Verdict::Ignored(reason) => ("ignored", Some(reason)),
                    Verdict::Failed(text) => ("failed", Some(text)),
                };
                json!({
                    "id": entry.listed.case.id,
                    "name": entry.listed.full_name(),
                    "level": entry.listed.case.level.name(),
                    "verdict": verdict,
                    "reason": reason,
                    "deviation": entry.deviation,
                    "figures": entry.figures,
                    "milliseconds": u64::try_from(entry.took.as_millis()).unwrap_or(u64::MAX),
                })
            })
            .collect();
        let capabilities: Vec<_> =
            subject.about().capabilities.iter().map(|capability| capability.to_string()).collect();
        let machine: serde_json::Map<_, _> = environment::facts()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        json!({
            "backend": subject.about().name,
            "capabilities": capabilities,
            "machine": machine,
            "cases": cases,
            "advice": remarks.advice,
            "progress": remarks.progress.as_ref().map(Progress::to_string),
            "open": remarks.open,
        })
    }
}

/// Returns `rows` as a table, for a terminal or as Markdown.
fn table<const N: usize>(rows: &[[String; N]], markdown: bool) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        let cells: Vec<_> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let line = if markdown {
            format!("| {} |", cells.join(" | "))
        } else {
            format!("  {}", cells.join("  ").trim_end())
        };
        _ = writeln!(text, "{line}");
        if markdown && i == 0 {
            let rule: Vec<_> = widths.iter().map(|&width| "-".repeat(width)).collect();
            _ = writeln!(text, "| {} |", rule.join(" | "));
        }
    }
    text
}
