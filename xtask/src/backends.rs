//! `cargo xtask backends`: the list of backends, from their score cards.

/// The suite's own drawing.
#[path = "../../src/compliance/report/badge.rs"]
mod badge;

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{files::read, template::repository};

/// The data, from which `cargo xtask sync` writes `BACKENDS.md`.
const DATA: &str = "docs/backends.toml";

/// The list for readers.
pub(crate) const PAGE: &str = "BACKENDS.md";

/// How many runs in a row, per user, the guide asks of an official backend.
const RUNS: usize = 10;

/// Add a backend to the list, or update it, from score cards.
///
/// A score card is the file `.json` that the compliance suite writes with `--report FILE`. All cards have to be of
/// one backend. They show whether it meets the first three criteria of an official backend, which are in the guide;
/// what they do not show is noted in the list.
#[derive(clap::Args)]
pub(crate) struct Backends {
    /// The crate's name
    package: String,
    /// Where it runs, e.g. "Linux, as root"
    #[arg(long)]
    runs_on: String,
    /// Only root can make it, so runs as root are enough
    #[arg(long)]
    needs_root: bool,
    /// The documentation says why SHOULD cases do not pass
    #[arg(long)]
    documented: bool,
    /// The score cards
    #[arg(required = true)]
    cards: Vec<PathBuf>,
}

/// A score card, as far as the list needs it.
#[derive(Deserialize)]
struct Card {
    backend: String,
    capabilities: Vec<String>,
    machine: BTreeMap<String, String>,
    cases: Vec<Case>,
    advice: Vec<String>,
    open: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    level: String,
    verdict: String,
    deviation: Option<String>,
}

/// The backends by the names of their crates.
type List = BTreeMap<String, Row>;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Row {
    /// The backend's name, whose namespace says whether it is official.
    name: String,
    runs_on: String,
    capabilities: Vec<String>,
    /// Passed cases, and how many ran, in the worst run.
    must: [usize; 2],
    should: [usize; 2],
    /// Where the suite ran, with the number of runs.
    runs: BTreeMap<String, usize>,
    /// The criteria of an official backend that the cards do not show.
    lacks: Vec<String>,
}

impl Backends {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let cards = self.cards.iter().map(|path| {
            serde_json::from_str(&read(path)?)
                .with_context(|| format!("{} is not a score card", path.display()))
        });
        let row = self.row(&cards.collect::<Result<Vec<Card>>>()?)?;
        for lack in &row.lacks {
            println!("{}: not shown: {lack}", self.package);
        }
        let path = repository()?.join(DATA);
        let mut list = list(&path)?;
        list.insert(self.package.clone(), row);
        let text = toml::to_string(&list)?;
        fs::write(&path, format!("# Written by `cargo xtask backends`.\n{text}"))?;
        println!("wrote {DATA}; `cargo xtask sync` writes BACKENDS.md from it");
        Ok(ExitCode::SUCCESS)
    }

    fn row(&self, cards: &[Card]) -> Result<Row> {
        let first = cards.first().context("there is no score card")?;
        let mut runs = BTreeMap::new();
        for card in cards {
            ensure!(
                card.backend == first.backend && card.capabilities == first.capabilities,
                "the score cards are of different backends: {} and {}",
                first.backend,
                card.backend
            );
            *runs.entry(card.place()?).or_default() += 1;
        }
        let worst = |level| {
            let figures = cards.iter().map(|card| card.figures(level));
            figures.max_by_key(|[passed, ran]| (ran - passed, Reverse(*ran))).unwrap_or_default()
        };
        Ok(Row {
            name: first.backend.clone(),
            runs_on: self.runs_on.clone(),
            capabilities: first.capabilities.clone(),
            must: worst("MUST"),
            should: worst("SHOULD"),
            lacks: self.lacks(cards),
            runs,
        })
    }

    /// Returns the criteria that the cards do not show; the guide has them by these numbers.
    fn lacks(&self, cards: &[Card]) -> Vec<String> {
        let mut lacks = vec![];
        let failed = |level| {
            let ids = cards.iter().flat_map(|card| card.not_met(level)).collect::<Vec<_>>();
            let mut ids: Vec<_> = ids.into_iter().map(String::from).collect();
            ids.sort();
            ids.dedup();
            ids
        };
        let must = failed("MUST");
        if !must.is_empty() {
            lacks.push(format!("1: the MUST cases {} do not pass", must.join(", ")));
        }
        let users: &[&str] = if self.needs_root { &["root"] } else { &["root", "ordinary"] };
        for user in users {
            let runs = cards.iter().filter(|card| card.user() == *user).count();
            if runs < RUNS {
                lacks.push(
                    format!("1: {runs} of {RUNS} runs in a row as {user} user")
                        .replace("root user", "root"),
                );
            }
        }
        let should = failed("SHOULD");
        if !should.is_empty() && !self.documented {
            lacks.push(format!("2: the SHOULD cases {} do not pass", should.join(", ")));
        }
        let mut points: Vec<_> =
            cards.iter().flat_map(|card| card.advice.iter().chain(&card.open)).collect();
        points.sort();
        points.dedup();
        lacks.extend(points.into_iter().map(|point| format!("3: {point}")));
        lacks
    }
}

impl Card {
    /// Returns the machine that the suite ran on.
    fn place(&self) -> Result<String> {
        let fact = |name: &str| {
            self.machine.get(name).with_context(|| format!("the score card has no {name}"))
        };
        Ok(format!("{}, {}, as {}", fact("platform")?, fact("file system")?, self.user()))
    }

    fn user(&self) -> &'static str {
        match self.machine.get("user").map(String::as_str) {
            Some("root") => "root",
            _ => "ordinary",
        }
    }

    /// Returns how many cases of this level passed, and how many ran.
    fn figures(&self, level: &str) -> [usize; 2] {
        let ran = self.cases.iter().filter(|case| case.level == level && case.verdict != "ignored");
        let passed = ran.clone().filter(|case| case.verdict == "passed");
        [passed.count(), ran.count()]
    }

    /// Returns the cases of this level that failed, or are listed as deviations.
    fn not_met(&self, level: &str) -> impl Iterator<Item = &str> {
        let is_met = |case: &&Case| case.verdict != "failed" && case.deviation.is_none();
        let of_level = self.cases.iter().filter(move |case| case.level == level);
        of_level.filter(move |case| !is_met(case)).map(|case| &*case.id)
    }
}

fn list(path: &Path) -> Result<List> {
    if !path.exists() {
        return Ok(List::new());
    }
    toml::from_str(&read(path)?).with_context(|| format!("cannot parse {}", path.display()))
}

/// Returns the badge of each backend: its path in the checkout, and its text.
pub(crate) fn badges(checkout: &Path) -> Result<Vec<(String, String)>> {
    let drawn = |(package, Row { must: [passed, ran], .. }): (String, Row)| {
        (badge_of(&package), badge::svg(passed, ran))
    };
    Ok(list(&checkout.join(DATA))?.into_iter().map(drawn).collect())
}

/// Returns whether the score cards of a backend in the list show that it passes the suite, which is the guide's first
/// criterion of an official backend.
pub(crate) fn is_proven(checkout: &Path, package: &str) -> Result<bool> {
    let list = list(&checkout.join(DATA))?;
    let is_met = |row: &Row| !row.lacks.iter().any(|lack| lack.starts_with("1: "));
    Ok(list.get(package).is_some_and(is_met))
}

/// Returns the path of the badge of a backend, if it is in the list.
pub(crate) fn badge_of_listed(checkout: &Path, package: &str) -> Result<Option<String>> {
    let list = list(&checkout.join(DATA))?;
    Ok(list.contains_key(package).then(|| badge_of(package)))
}

fn badge_of(package: &str) -> String {
    format!("docs/badges/{package}.svg")
}

/// Returns the page with the list.
pub(crate) fn page(checkout: &Path) -> Result<String> {
    let mut text = "# Backends

Written by `cargo xtask sync` from `docs/backends.toml`, which `cargo xtask backends` fills from score cards.
An official backend has the namespace `official`; the guide has [the criteria](src/guide/7_finishing_up.md).
The figures are those of the worst run: cases that passed, of those that ran.

| crate | runs on | MUST | SHOULD | the suite ran on |
|---|---|---|---|---|
"
    .to_owned();
    let list = list(&checkout.join(DATA))?;
    for (package, row) in &list {
        let [must, should] =
            [row.must, row.should].map(|[passed, ran]| format!("{passed} of {ran}"));
        let must = format!("![{must}]({})", badge_of(package));
        let runs = row.runs.iter().map(|(place, count)| format!("{place}: {count}×"));
        let runs = runs.collect::<Vec<_>>().join("; ");
        _ = writeln!(text, "| `{package}` | {} | {must} | {should} | {runs} |", row.runs_on);
    }
    text += "\n## Capabilities\n";
    for (package, row) in &list {
        let names: Vec<_> = row.capabilities.iter().map(|name| format!("`{name}`")).collect();
        _ = write!(text, "\n- `{package}` (`{}`): {}\n", row.name, names.join(", "));
    }
    let lacking = list.iter().filter(|(_, row)| row.name.starts_with("official/"));
    let lacks = lacking.flat_map(|(package, row)| {
        row.lacks.iter().map(move |lack| format!("- `{package}`, {lack}\n"))
    });
    let lacks: String = lacks.collect();
    if !lacks.is_empty() {
        _ = write!(
            text,
            "\n## Criteria that the score cards of official backends do not show\n\n{lacks}"
        );
    }
    Ok(text)
}
