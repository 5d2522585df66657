//! The events that the watching process counts, and the marks that it prints: [`Tally`] and [`Mark`].

use std::{fmt, hint::black_box, io::Write, path::Path, str::FromStr};

use anyhow::{Context, Result, ensure};
use notify_backend::EventKind as BackendKind;
use notify8::EventKind as NotifyKind;

use crate::clock;

/// The kinds of events that all contenders distinguish.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Create,
    Access,
    Modify,
    Remove,
    Other,
}

impl From<BackendKind> for Kind {
    fn from(kind: BackendKind) -> Self {
        match kind {
            BackendKind::Create(_) => Self::Create,
            BackendKind::Access(_) => Self::Access,
            BackendKind::Modify(_) => Self::Modify,
            BackendKind::Remove(_) => Self::Remove,
            _ => Self::Other,
        }
    }
}

// For notify 9 too: the type comes from `notify-types`.
impl From<NotifyKind> for Kind {
    fn from(kind: NotifyKind) -> Self {
        match kind {
            NotifyKind::Create(_) => Self::Create,
            NotifyKind::Access(_) => Self::Access,
            NotifyKind::Modify(_) => Self::Modify,
            NotifyKind::Remove(_) => Self::Remove,
            NotifyKind::Any | NotifyKind::Other => Self::Other,
        }
    }
}

/// Counts events, and prints a [`Mark`] after every `batch` of them.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    // Some contenders get events of their own listing of the folders. The first change is by the load.
    has_begun: bool,
    batch: usize,
    left: usize,
    seen: Seen,
}

impl Tally {
    pub(crate) fn new(batch: usize) -> Self {
        Self { has_begun: false, batch, left: batch, seen: Seen::default() }
    }

    pub(crate) fn event(&mut self, kind: impl Into<Kind>, path: &Path) {
        black_box(path);
        let kind = kind.into();
        self.has_begun |= matches!(kind, Kind::Create | Kind::Modify);
        if !self.has_begun {
            return;
        }
        self.seen.0[kind as usize] += 1;
        self.left -= 1;
        if self.left == 0 {
            self.left = self.batch;
            self.mark();
        }
    }

    /// Prints the current state of this process.
    pub(crate) fn mark(&self) {
        let mark = Mark { time: clock::now(), cpu: clock::cpu(), seen: self.seen };
        // In one write. It fails if the benchmark has ended, and then nothing reads it.
        let _ = std::io::stdout().write_all(format!("{mark}\n").as_bytes());
    }
}

/// The number of events of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(pub(crate) [usize; 5]);

impl Seen {
    pub(crate) fn total(self) -> usize {
        self.0.iter().sum()
    }
}

/// The state of a watching process at some moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    /// The time, in nanoseconds.
    pub(crate) time: u64,
    /// The CPU time of the process, in nanoseconds.
    pub(crate) cpu: u64,
    pub(crate) seen: Seen,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time, self.cpu)?;
        self.seen.0.iter().try_for_each(|count| write!(f, " {count}"))
    }
}

impl FromStr for Mark {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self> {
        ensure!(!line.is_empty(), "the watching process has ended");
        let mut words = line.split_whitespace();
        let mut next = || words.next().context("a mark is cut off");
        let (time, cpu) = (next()?.parse()?, next()?.parse()?);
        let mut seen = Seen::default();
        for count in &mut seen.0 {
            *count = next()?.parse()?;
        }
        Ok(Self { time, cpu, seen })
    }
}
