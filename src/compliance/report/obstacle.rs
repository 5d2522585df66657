//! Why no case can be run: [`Obstacle`].

/// A reason why no case can be run, which a single test reports instead of them.
#[derive(Debug)]
pub(crate) struct Obstacle {
    /// The test's name.
    pub(crate) test: &'static str,
    pub(crate) text: String,
    /// The reason why this run does not fail for it, if it does not.
    pub(crate) excuse: Option<Excuse>,
}

/// Why a run does not fail although it proves nothing.
#[derive(Debug)]
pub(crate) struct Excuse {
    /// The reason why the test is ignored.
    pub(crate) reason: String,
    /// The last line of the run.
    pub(crate) remark: String,
}

/// The environment variable that lets a run succeed although the backend cannot be made yet.
pub(crate) const UNWRITTEN: &str = "NOTIFY_BACKEND_COMPLIANCE_UNWRITTEN";

/// The name of the test if the backend is not written yet.
const NOT_WRITTEN: &str = "implement_new_first";

impl Obstacle {
    /// Creates one for a mistake in the suite's settings, or because the scene of the first case could not be
    /// set.
    pub(crate) fn other(test: &'static str, reason: impl Into<String>) -> Self {
        Self { test, text: reason.into(), excuse: None }
    }

    /// Creates the one for a backend of the type `backend` that returns `error` because it is not written yet.
    /// `is_allowed` says whether that is excused.
    pub(crate) fn not_written(backend: &str, error: &str, is_allowed: bool) -> Self {
        let advice = "The suite begins as soon as `Backend::new` makes a backend. In this order:\n\
                      1. `new` checks the paths it is given and sets up the platform's watches;\n\
                      2. `poll_next` hands over their events, and stores the waker before `Pending`;\n\
                      3. `capabilities` declares what works, and the cases for it appear.\n\
                      The guide \"Writing a Backend\" goes through them: section \"A walk-through\".";
        let excuse = is_allowed.then(|| Excuse {
            reason: format!("{UNWRITTEN} allows it"),
            remark: format!(
                "nothing is proven: `Backend::new` is not written yet, which {UNWRITTEN} allows"
            ),
        });
        Self { test: NOT_WRITTEN, text: said(backend, error, advice), excuse }
    }

    /// Creates the one for a backend that returns `error` because this machine lacks something. `remedy` is
    /// what to do, if that was to be expected.
    pub(crate) fn unavailable(backend: &str, error: &str, remedy: Option<String>) -> Self {
        let text = said(backend, error, "No case can be run on this machine.");
        let excuse = remedy.map(|remedy| Excuse {
            reason: text.replace('\n', " "),
            remark: format!("nothing is proven: {remedy}"),
        });
        Self { test: "facility_is_unavailable", text, excuse }
    }

    /// Returns whether the backend has still to be written.
    pub(crate) fn is_unwritten(&self) -> bool {
        self.test == NOT_WRITTEN
    }
}

fn said(backend: &str, error: &str, advice: &str) -> String {
    format!("`{backend}` says: {error}\n\n{advice}\n")
}
