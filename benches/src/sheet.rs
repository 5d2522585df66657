//! The results: [`Sheet`].

use std::{collections::BTreeMap, fmt};

use crate::contender::Contender;

/// The samples of each measure and contender; displayed as a table with medians, and with ratios
/// to the bare loop.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// The columns; the first is the baseline.
    contenders: &'static [Contender],
    /// In the order in which they were first measured.
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    measure: String,
    unit: Unit,
    /// One sample per run.
    samples: BTreeMap<Contender, Vec<f64>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// Nanoseconds.
    Time,
    Bytes,
    Count,
}

impl Sheet {
    pub(crate) fn new(contenders: &'static [Contender]) -> Self {
        Self { contenders, rows: Vec::new() }
    }

    /// Returns whether these are its columns.
    pub(crate) fn compares(&self, contenders: &[Contender]) -> bool {
        self.contenders == contenders
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a sample: `amount` divided by `count`, such as the time per event.
    #[allow(clippy::cast_precision_loss, reason = "nothing is measured to 52 bits")]
    pub(crate) fn add(
        &mut self,
        measure: impl Into<String>,
        contender: Contender,
        unit: Unit,
        (amount, count): (u64, usize),
    ) {
        let measure = measure.into();
        let sample = amount as f64 / count as f64;
        let at = self.rows.iter().position(|row| row.measure == measure).unwrap_or_else(|| {
            self.rows.push(Row { measure, unit, samples: BTreeMap::new() });
            self.rows.len() - 1
        });
        self.rows[at].samples.entry(contender).or_default().push(sample);
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "|")?;
        let contenders = self.contenders;
        contenders.iter().try_for_each(|contender| write!(f, " | {}", contender.title()))?;
        write!(f, " |\n|---{}|", "|---:".repeat(contenders.len()))?;
        for Row { measure, unit, samples } in &self.rows {
            write!(f, "\n| {measure}")?;
            for own in contenders.iter().filter_map(|contender| samples.get(contender)) {
                write!(f, " | {}", unit.show(median(own.iter().copied())))?;
                // Run by run, since the machine's speed differs between runs.
                let ratios = own.iter().zip(&samples[&contenders[0]]).map(|(own, bare)| own / bare);
                let ratio = median(ratios);
                if ratio.is_finite() {
                    write!(f, " ({ratio:.2} ×)")?;
                }
            }
            write!(f, " |")?;
        }
        Ok(())
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Time if value < 1e6 => format!("{:.2} µs", value / 1e3),
            Self::Time => format!("{:.0} ms", value / 1e6),
            Self::Bytes => format!("{value:.0} B"),
            Self::Count => format!("{value:.0}"),
        }
    }
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<_> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
