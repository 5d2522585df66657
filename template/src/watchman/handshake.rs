//! The beginning of a connection, without the connection: [`Handshake`]. {%- capture source %}
//!
//! 1. `watch-project`: the daemon watches the folder, or a folder above it does already.
//! 2. `clock` or, to go on from a position, `query`, both synchronised: the daemon makes a *cookie* (a file) and
//!    waits until it sees it. So everything that happened before is in the past of the answer.
//! 3. `subscribe` from the answer's moment.
//!
//! Later, a [`beat`] asks again from time to time.

use std::{mem, os::unix::ffi::OsStrExt, time::Duration};

use crate::{
    bser::{Malformed, Term, Value, encode},
    changes::{Changes, Extra},
    position::{Clock, Position},
    settings::Settings,
    target::Target,
};

/// The name of our only subscription of a connection.
const NAME: &str = "notify-backend";

/// How many milliseconds a cookie may take; none is made if it is 0.
const TIMEOUT: &str = "sync_timeout";

/// A conversation that is going on.
#[derive(Debug)]
pub(crate) struct Handshake<'a> {
    target: &'a Target,
    settings: &'a Settings,
    sync: Duration,
    from: Option<Position>,
    root: Vec<u8>,
    prefix: Vec<u8>,
    opened: Option<(Changes, Extra, Clock)>,
}

/// What a conversation leads to.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) changes: Changes,
    pub(crate) extra: Extra,
    /// The present moment, from whatever position the changes begin.
    pub(crate) now: Clock,
    /// What the daemon watches.
    pub(crate) root: Vec<u8>,
    /// What the watched folder is below the root that the daemon watches.
    pub(crate) prefix: Vec<u8>,
}

/// What to do after an answer.
pub(crate) enum Next {
    Send(Vec<u8>),
    Done(Opened),
}

/// Why the daemon does not watch.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It says why.
    Said(String),
    /// It is not understood.
    Malformed(Malformed),
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl<'a> Handshake<'a> {
    /// Begins a conversation, and returns what to send first. `sync` is how long the daemon may take to
    /// synchronise.
    pub(crate) fn begin(
        target: &'a Target,
        settings: &'a Settings,
        sync: Duration,
        from: Option<Position>,
    ) -> (Self, Vec<u8>) {
        let folder = Term::Text(target.folder.as_os_str().as_bytes().into());
        let first = encode(&Term::List(vec!["watch-project".into(), folder]));
        let (root, prefix, opened) = (vec![], vec![], None);
        (Self { target, settings, sync, from, root, prefix, opened }, first)
    }

    /// Takes an answer.
    pub(crate) fn answered(&mut self, answer: &Value<'_>) -> Result<Next, Refusal> {
        if let Some(error) = answer.bytes("error") {
            return Err(Refusal::Said(String::from_utf8_lossy(error).into_owned()));
        }
        if self.root.is_empty() {
            let root = answer.bytes("watch").ok_or(Malformed::new("no root"))?;
            self.root = root.to_vec();
            self.prefix = answer.bytes("relative_path").unwrap_or_default().to_vec();
            return Ok(Next::Send(encode(&self.synchronise())));
        }
        if let Some((changes, extra, now)) = self.opened.take() {
            answer.bytes("subscribe").ok_or(Malformed::new("no subscription"))?;
            let (root, prefix) = (mem::take(&mut self.root), mem::take(&mut self.prefix));
            return Ok(Next::Done(Opened { changes, extra, now, root, prefix }));
        }
        let clock = Clock::from(answer.bytes("clock").ok_or(Malformed::new("no clock"))?);
        let subscribe = encode(&self.subscribe(clock.as_bytes()));
        let (changes, extra) = match self.from.take() {
            None => {
                let position = Position { since: clock.clone(), part: None };
                (Changes::at(position), Extra::default())
            }
            Some(from) => {
                let mut changes = Changes::at(from);
                let extra = changes.take_in(self.target, &self.prefix, answer)?;
                (changes, extra)
            }
        };
        self.opened = Some((changes, extra, clock));
        Ok(Next::Send(subscribe))
    }

    fn root(&self) -> Term {
        Term::Text(self.root.clone())
    }

    /// Asks for the present moment, or for what has happened since the position.
    fn synchronise(&self) -> Term {
        let patience = i64::try_from(self.sync.as_millis()).unwrap_or(i64::MAX);
        let timeout = (TIMEOUT, Term::Number(patience));
        match &self.from {
            None => Term::List(vec!["clock".into(), self.root(), Term::Map(vec![timeout])]),
            Some(Position { since, .. }) => {
                let mut query = query(self.target, self.settings, &self.prefix, since.as_bytes());
                query.push(timeout);
                Term::List(vec!["query".into(), self.root(), Term::Map(query)])
            }
        }
    }

    fn subscribe(&self, clock: &[u8]) -> Term {
        let mut query = query(self.target, self.settings, &self.prefix, clock);
        query.push(("defer_vcs", Term::Flag(self.settings.defer_vcs)));
        Term::List(vec!["subscribe".into(), self.root(), NAME.into(), Term::Map(query)])
    }
}

/// Returns what to ask from time to time: what has happened since the clock. An answer shows that the daemon is there.
///
/// With `defer_vcs`, only that is asked for, since changes have to wait.
pub(crate) fn beat(
    target: &Target,
    settings: &Settings,
    root: &[u8],
    prefix: &[u8],
    since: &Clock,
) -> Vec<u8> {
    let root = Term::Text(root.to_vec());
    if settings.defer_vcs {
        return encode(&Term::List(vec!["clock".into(), root]));
    }
    let mut query = query(target, settings, prefix, since.as_bytes());
    // Without a cookie, which would be a change of the tree.
    query.push((TIMEOUT, Term::Number(0)));
    encode(&Term::List(vec!["query".into(), root, Term::Map(query)]))
}

/// Returns the members of a query for the changes of `target` since a clock.
fn query(
    target: &Target,
    settings: &Settings,
    prefix: &[u8],
    since: &[u8],
) -> Vec<(&'static str, Term)> {
    let fields = ["name", "exists", "new", "type", "oclock", "cclock"].map(Term::from);
    vec![
        ("since", Term::Text(since.to_vec())),
        ("expression", target.expression(prefix, settings.expression.as_ref())),
        ("fields", Term::List(fields.into())),
        // A loss is reported as such.
        ("empty_on_fresh_instance", Term::Flag(true)),
    ]
}
//~{% endcapture %}{{ source | remove: "//~" -}}
