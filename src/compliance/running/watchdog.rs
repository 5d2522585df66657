//! Ends a case that does not end by itself: [`Watchdog`].

use std::{
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::process::protocol::write_answer;
use crate::compliance::{
    case::Listed,
    record::{mode::Mode, timeline::Timeline},
    report::verdict::Verdict,
    rules::{failure::Failure, usage::ResourceUsage},
};

/// How many times its limit a case may take on a busy machine, also if it makes one change after the other.
pub(crate) const LONGEST: u32 = 16;
/// The same, unless it has made a change since, for as long as its limit.
const LONGEST_WITHOUT_CHANGE: u32 = 3;

/// Ends the process if its case does not end, and says what the case was waiting for.
pub(crate) struct Watchdog {
    /// Dropping it says that the case has ended.
    ended: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watchdog {
    pub(crate) fn set(
        listed: Listed,
        mode: Mode,
        timeline: &Timeline,
        folder: &Path,
        limit: Duration,
    ) -> Self {
        let (sender, ended) = mpsc::channel();
        let timeline = timeline.clone();
        let answer_folder = folder.parent().unwrap_or(folder).to_path_buf();
        let thread = thread::spawn(move || {
            let start = Instant::now();
            let (mut waited, mut left) = (Duration::ZERO, limit);
            let (mut changes, mut progress) = (0, start);
            while !left.is_zero() {
                if ended.recv_timeout(left) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
                // Threads that have ended are not counted any more.
                waited = waited.max(ResourceUsage::waited());
                let excused = waited + timeline.time_of_changes();
                left = limit.saturating_sub(start.elapsed().saturating_sub(excused));
                if timeline.changes() != changes {
                    (changes, progress) = (timeline.changes(), Instant::now());
                }
                let is_stuck =
                    start.elapsed() > limit * LONGEST_WITHOUT_CHANGE && progress.elapsed() > limit;
                if is_stuck || start.elapsed() > limit * (LONGEST - 1) {
                    break;
                }
            }
            let but = match (timeline.unfinished_call(), timeline.unfinished_change()) {
                (Some((call, since)), _) => {
                    format!("a call of the backend's `{call}` has lasted for {since:.1?}")
                }
                (None, Some(since)) => format!(
                    "the system has taken {since:.1?} for a change, which is not the backend's fault: the record \
                     below names it"
                ),
                (None, None) => format!("it was still going on after {:.0?}", start.elapsed()),
            };
            let expected = "the case ends".into();
            let failure = Failure { expected, but, invariant: None, is_early: false };
            let text = failure.explain(listed, mode, &timeline);
            write_answer(&answer_folder, &Verdict::Failed(text).into());
            std::process::exit(1);
        });
        Self { ended: Some(sender), thread: Some(thread) }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.ended = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
