//! The settings: [`Settings`] and [`Expression`]. {%- capture source %}

use std::{path::PathBuf, time::Duration};

use crate::bser::Term;

/// Where the daemon is, and what it is asked for.
///
/// ```no_run
/// use notify_backend::prelude::*;
/// use notify_backend_watchman::{Expression, Settings, WatchmanBackend};
///
/// let no_objects = Expression::list(["not".into(), Expression::list(["suffix".into(), "o".into()])]);
/// let settings = Settings::default().socket("/run/watchman/sock").expression(no_objects);
/// let changes = WatchmanBackend::with_settings(settings, vec![Watch::recursive("/srv")])?;
/// # Ok::<_, BackendError>(())
/// ```
///
/// How long the daemon waits for further changes before it reports one (*settle*, 20 ms by default) is a setting of
/// the daemon's: the option `settle` of `/etc/watchman.json` or of the root's `.watchmanconfig`. A
/// client cannot change it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) defer_vcs: bool,
    pub(crate) expression: Option<Expression>,
    pub(crate) patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { socket: None, defer_vcs: false, expression: None, patience: Duration::from_secs(60) }
    }
}

impl Settings {
    /// Sets the daemon's socket. By default, it is that of the environment variable `WATCHMAN_SOCK`, or
    /// else the one that `watchman get-sockname` names, which starts the daemon if it does not run.
    #[must_use]
    pub fn socket(mut self, socket: impl Into<PathBuf>) -> Self {
        self.socket = Some(socket.into());
        self
    }

    /// Sets whether changes wait while Git or Mercurial works in the tree (while `.git/index.lock` or `.hg/wlock`
    /// exists), so that a checkout is one batch of events. By default they do not.
    #[must_use]
    pub fn defer_vcs(mut self, defer: bool) -> Self {
        self.defer_vcs = defer;
        self
    }

    /// Sets which changes the daemon reports. Names in the expression are relative to the root that Watchman
    /// watches, which may be a folder above the watched path. What it leaves out does not come back
    /// as a loss.
    #[must_use]
    pub fn expression(mut self, expression: Expression) -> Self {
        self.expression = Some(expression);
        self
    }

    /// Sets how long the daemon may take for an answer, such as that it has read a whole tree; by default
    /// a minute.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// An expression of Watchman's, such as `["not", ["suffix", "o"]]`: see
/// <https://facebook.github.io/watchman/docs/file-query#expressions>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(pub(crate) Term);

impl Expression {
    /// Makes a list, as most expressions are.
    pub fn list(terms: impl IntoIterator<Item = Self>) -> Self {
        Self(Term::List(terms.into_iter().map(|Self(term)| term).collect()))
    }

    /// Makes a text of any bytes, for names that are not UTF-8.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Term::Text(bytes.into()))
    }
}

impl From<&str> for Expression {
    fn from(text: &str) -> Self {
        Self(Term::from(text))
    }
}

impl From<i64> for Expression {
    fn from(number: i64) -> Self {
        Self(Term::Number(number))
    }
}

impl From<bool> for Expression {
    fn from(flag: bool) -> Self {
        Self(Term::Flag(flag))
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_watchman", crate_name | replace: "WatchmanBackend", type_name -}}
