//! What the watching process counts and tells: [`Tally`] and its [`Mark`]s.

use std::{fmt, hint::black_box, io::Write, path::Path, str::FromStr};

use anyhow::{Context, Result, ensure};
use notify_backend::EventKind as BackendKind;
use notify8::EventKind as NotifyKind;

use crate::clock;

/// The kinds of events that all contenders tell apart.
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

// Also notify 9's: the type comes from `notify-types`.
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
    // Some hear of their own listing of the folders. The first change is that of the load.
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

    /// Prints where this process is.
    pub(crate) fn mark(&self) {
        let mark = Mark { time: clock::now(), cpu: clock::cpu(), seen: self.seen };
        // In one piece. Fails if the bench has ended, and then nobody is left to be told.
        let _ = std::io::stdout().write_all(format!("{mark}\n").as_bytes());
    }
}

/// How many events there were of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(pub(crate) [usize; 5]);

impl Seen {
    pub(crate) fn total(self) -> usize {
        self.0.iter().sum()
    }
}

/// Where a watching process was at some moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mark {
    /// By the clock, in nanoseconds.
    pub(crate) time: u64,
    /// What the process has used of the CPU, in nanoseconds.
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
