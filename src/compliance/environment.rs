//! What this machine offers: probed once, printed, and given as the reason where a case is ignored.

use std::fmt;

/// Something that a case may need and that not every machine offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Environment {
    /// A Unix system: modes, hard links, pipes.
    Unix,
}

impl Environment {
    /// Why it is not there, if so.
    pub(super) fn missing(self) -> Option<String> {
        let there = match self {
            Self::Unix => cfg!(unix),
        };
        (!there).then(|| self.to_string())
    }
}

/// The reason to give where it is missing.
impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unix => "needs a Unix system",
        })
    }
}

/// Whether this process runs as root, to whom permissions mean nothing.
#[cfg(unix)]
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this process runs as root; there is no such user here.
#[cfg(not(unix))]
pub(super) fn is_root() -> bool {
    false
}

/// A line on the machine, for the head of a run.
pub(super) fn summary() -> String {
    let user = if is_root() { "root" } else { "ordinary user" };
    format!("{} {}, {user}", std::env::consts::OS, std::env::consts::ARCH)
}
