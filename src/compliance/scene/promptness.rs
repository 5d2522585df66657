//! Whether `poll_next` returns at once: [`Promptness`].

use std::time::Duration;

use super::stopwatch::Taken;

/// What is known of the calls of `poll_next` so far.
#[derive(Debug, Default)]
pub(crate) struct Promptness {
    calls: usize,
    slow: usize,
    slowest: Option<Taken>,
    /// One bit for each of the last calls: whether it lingered.
    lingered: u128,
}

/// The longest that a call may take by itself.
const PROMPT: Duration = Duration::from_millis(100);
/// How many calls may take longer: a page may have to be read from a disk, or a lock of the system or of
/// another thread be awaited.
const SLOW: usize = 3;
/// The time of a call that does next to nothing, on a machine that is ten times as slow as most. A call that
/// sleeps for a moment takes longer.
const LINGERING: Duration = Duration::from_millis(2);

impl Promptness {
    /// Takes note of a call, which was measured exactly or not. Returns what is wrong, if the calls
    /// so far cannot be explained by bad luck.
    pub(crate) fn note(&mut self, taken: Taken, is_exact: bool) -> Result<(), String> {
        self.calls += 1;
        self.lingered = self.lingered << 1 | u128::from(taken.own > LINGERING);
        if self.slowest.is_none_or(|slowest| taken.own > slowest.own) {
            self.slowest = Some(taken);
        }
        let of_which = |taken: Taken| match taken.computed {
            Some(computed) => {
                let blocked = taken.own.saturating_sub(computed);
                format!("it computed for {computed:.1?} and was blocked for {blocked:.1?}")
            }
            None => format!("it took {:.1?}", taken.own),
        };
        if self.lingered.count_ones() > u128::BITS / 2 {
            return Err(format!(
                "of the last {} calls more than half took longer than {LINGERING:?}; in the last one \
                 {}",
                u128::BITS,
                of_which(taken),
            ));
        }
        if taken.own <= PROMPT {
            return Ok(());
        }
        self.slow += 1;
        // Where the system does not tell, a call that was interrupted looks slow. That is rare among short
        // calls.
        let allowed = if is_exact { SLOW } else { SLOW.max(self.calls / 4) };
        match self.slowest {
            Some(slowest) if self.slow > allowed => Err(format!(
                "{} of {} calls took longer than {PROMPT:?}; in the longest one {}",
                self.slow,
                self.calls,
                of_which(slowest),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is wrong after these calls, each blocked for so many milliseconds.
    fn verdict(is_exact: bool, calls: impl IntoIterator<Item = u64>) -> Result<(), String> {
        let mut promptness = Promptness::default();
        calls.into_iter().try_for_each(|millis| {
            let computed = is_exact.then_some(Duration::from_micros(20));
            promptness.note(Taken { own: Duration::from_millis(millis), computed }, is_exact)
        })
    }

    #[test]
    fn few_slow_calls_are_bad_luck() {
        for is_exact in [true, false] {
            assert_eq!(verdict(is_exact, [200; SLOW]), Ok(()));
            assert!(verdict(is_exact, [200; SLOW + 1]).is_err());
        }
    }

    #[test]
    fn slow_now_and_then() {
        let calls = (0..200).map(|i| if i % 20 == 0 { 200 } else { 0 });
        let said = "4 of 61 calls took longer than 100ms; in the longest one it computed for 20.0µs \
                    and was blocked for 200.0ms";
        assert_eq!(verdict(true, calls.clone()), Err(said.into()));
        // The machine may be as busy as that.
        assert_eq!(verdict(false, calls), Ok(()));
    }

    #[test]
    fn a_moment_in_each_call() {
        for is_exact in [true, false] {
            assert_eq!(verdict(is_exact, [5; 64]), Ok(()));
            assert!(verdict(is_exact, [5; 65]).is_err());
            assert_eq!(verdict(is_exact, (0..1000).map(|i| 5 * (i % 2))), Ok(()));
            assert_eq!(verdict(is_exact, [1; 1000]), Ok(()));
        }
    }
}
