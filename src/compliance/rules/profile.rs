//! What a backend may honestly differ in: [`Profile`].

use std::time::Duration;

/// A time that every clock can be set ahead by, even several times.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Differences between backends that are not capabilities.
///
/// The default describes a kernel facility: nothing is lost, events arrive at once, and changes of metadata
/// are distinguished from those of data. A backend that looks at the files from time to time says
/// so, and is judged accordingly. Times of more than a year count as a year.
///
/// ```
/// use std::time::Duration;
/// use notify_backend::compliance::Profile;
///
/// let profile = Profile::default().sampled(Duration::from_millis(50)).pairs_renames(false);
/// # let _ = profile;
/// ```
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Profile {
    pub(crate) latency: Duration,
    pub(crate) coalesced: bool,
    /// It also looks from time to time, even if nothing happens.
    pub(crate) sampled: bool,
    pub(crate) distinguishes_metadata: bool,
    pub(crate) pairs_renames: bool,
    pub(crate) leaves_traces: bool,
    pub(crate) reports_own_metadata: bool,
    pub(crate) in_another_process: bool,
    pub(crate) most_paths: usize,
    pub(crate) mtime_granularity: Duration,
    pub(crate) patience: Duration,
    pub(crate) outlook: Outlook,
}

/// What to expect of a backend in a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    Good,
    /// Nothing was reported in the cases before, so less patience will do.
    Deaf,
}

/// The part of the patience that is left for a backend that has reported nothing.
const DEAF_PART: u32 = 100;

impl Default for Profile {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            coalesced: false,
            sampled: false,
            distinguishes_metadata: true,
            pairs_renames: true,
            leaves_traces: false,
            reports_own_metadata: true,
            in_another_process: false,
            most_paths: usize::MAX,
            mtime_granularity: Duration::ZERO,
            patience: Duration::from_secs(10),
            outlook: Outlook::Good,
        }
    }
}

impl Profile {
    /// Sets how long after a change its event may arrive by design, for a platform that collects
    /// events for a while.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency.min(LONGEST);
        self
    }

    /// Declares that the platform merges what happens to a file until the backend looks, as kqueue and some daemons
    /// do: a change that is undone before is not seen, and the order of changes is lost. The backend is not judged
    /// by what it cannot know.
    #[must_use]
    pub fn coalesced(mut self) -> Self {
        self.coalesced = true;
        self
    }

    /// Declares that the backend compares the state of the files every `interval`. It is also
    /// [coalesced](Self::coalesced), and may wake up for each look.
    #[must_use]
    pub fn sampled(mut self, interval: Duration) -> Self {
        self.sampled = true;
        self.coalesced().latency(interval)
    }

    /// Sets whether changes of metadata are distinguished from changes of data.
    #[must_use]
    pub fn distinguishes_metadata(mut self, distinguishes: bool) -> Self {
        self.distinguishes_metadata = distinguishes;
        self
    }

    /// Sets whether a rename is reported as `From` and `To`. If not, it may be a removal and a
    /// creation, and the capability [`TrackRelated`](crate::Capability::TrackRelated) is
    /// not checked, as on a file system that cannot distinguish files.
    ///
    /// A [coalesced](Self::coalesced) backend that pairs no renames knows files only by their paths. To such a
    /// backend, a file that is moved away and back between two looks, or replaced for a while, seems
    /// unchanged. Therefore the suite, which otherwise looks at each path as soon as it is reported, looks
    /// only when nothing changes any more.
    #[must_use]
    pub fn pairs_renames(mut self, pairs: bool) -> Self {
        self.pairs_renames = pairs;
        self
    }

    /// Sets whether the facility makes entries of its own in a watched folder, as a daemon may in order to
    /// know that it is up to date. The backend's documentation has to say so; events about these entries are
    /// judged like any others.
    #[must_use]
    pub fn leaves_traces(mut self, leaves: bool) -> Self {
        self.leaves_traces = leaves;
        self
    }

    /// Sets whether a change of the metadata of a watched folder itself is reported, and not only those of its
    /// entries.
    #[must_use]
    pub fn reports_own_metadata(mut self, reports: bool) -> Self {
        self.reports_own_metadata = reports;
        self
    }

    /// Declares that another process does the watching, such as a daemon. It has limits of its own, and sees
    /// nothing that is mounted for the process of one case: cases that need either are ignored.
    #[must_use]
    pub fn in_another_process(mut self) -> Self {
        self.in_another_process = true;
        self
    }

    /// Sets how many paths can be watched at the same time on an ordinary machine, if that is a small number.
    /// The backend's documentation has to say so.
    #[must_use]
    pub fn most_paths(mut self, most: usize) -> Self {
        self.most_paths = most;
        self
    }

    /// Sets the time within which two changes with the same size look like one to the backend, because it
    /// compares modification times.
    #[must_use]
    pub fn mtime_granularity(mut self, granularity: Duration) -> Self {
        self.mtime_granularity = granularity.min(LONGEST);
        self
    }

    /// Sets how long an event may be overdue, beyond the [latency](Self::latency), before it counts as
    /// lost. By default 10 seconds, because machines may be busy; only failing cases wait that long.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.min(LONGEST);
        self
    }

    /// Returns this profile with another outlook.
    pub(crate) fn with_outlook(self, outlook: Outlook) -> Self {
        let patience = match outlook {
            Outlook::Good => self.patience,
            Outlook::Deaf => self.patience / DEAF_PART,
        };
        Self { patience, outlook, ..self }
    }

    /// Returns the time after which an event that has not arrived counts as lost.
    pub(crate) fn deadline(&self) -> Duration {
        // A sampling backend may need a look to take a reference and another one to compare.
        self.patience + self.latency * 4
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use super::*;

    #[test]
    fn the_longest_times_can_be_reckoned_with() {
        let profile = Profile::default()
            .sampled(Duration::MAX)
            .mtime_granularity(Duration::MAX)
            .patience(Duration::MAX);
        // No case does more with them.
        let longest = profile.deadline() * 10;
        assert!(Instant::now().checked_add(longest).is_some());
        assert!(SystemTime::now().checked_sub(profile.mtime_granularity * 2).is_some());
        assert!(u64::try_from(longest.as_millis()).is_ok());
    }
}
