//! Ends a case that does not end by itself: [`Alarm`].

use std::{path::Path, sync::mpsc, thread, time::Duration};

use super::{
    case::Listed, child::write_answer, failure::Failure, mode::Mode, process::Verdict,
    timeline::Timeline,
};

/// Ends the process when a case does not, and tells what it was waiting for.
pub(super) struct Alarm {
    /// Its end is the news that the case has ended.
    ended: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Alarm {
    pub(super) fn set(
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
            // Before whoever started this process ends it.
            let limit = limit.mul_f32(0.9);
            if ended.recv_timeout(limit) != Err(mpsc::RecvTimeoutError::Timeout) {
                return;
            }
            let but = match timeline.unfinished_call() {
                Some((call, since)) => {
                    format!("a call of the backend's `{call}` has lasted for {since:.1?}")
                }
                None => format!("it was still going on after {limit:.0?}"),
            };
            let failure = Failure { expected: "the case ends".into(), but, invariant: None };
            let text = failure.explain(listed, mode, &timeline);
            write_answer(&answer_folder, &Verdict::Failed(text).into());
            std::process::exit(1);
        });
        Self { ended: Some(sender), thread: Some(thread) }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.ended = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
