//! The beginning of a connection, without the connection: [`Handshake`]. {%- capture source %}
//!
//! 1. `watch-project`: the daemon watches the folder, or a folder above it does already.
//! 2. `clock` or, to go on from a position, `query`, both synchronised: the daemon makes a *cookie* (a file) and
//!    waits until it sees it. So everything that happened before is in the past of the answer.
//! 3. After `clock`, a `query` since then. `clock` may name a tick at which the daemon has just begun to look, and which
//!    it fills with what happens next; a subscription from then on would not report that (seen with 4.9). A
//!    query waits for the look.
//! 4. `subscribe` from the answer's moment.

use std::{os::unix::ffi::OsStrExt, time::Duration};

use crate::{
    bser::{Malformed, Term, Value, encode},
    changes::{Changes, Extra},
    position::{Clock, Position},
    settings::Settings,
    target::Target,
};

/// The name of our only subscription of a connection.
const NAME: &str = "notify-backend";

/// A conversation that is going on.
#[derive(Debug)]
pub(crate) struct Handshake<'a> {
    target: &'a Target,
    settings: &'a Settings,
    sync: Duration,
    from: Option<Position>,
    start: Option<Clock>,
    root: Vec<u8>,
    prefix: Vec<u8>,
    opened: Option<(Changes, Extra)>,
}

/// What a conversation leads to.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) changes: Changes,
    pub(crate) extra: Extra,
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
        (Self { target, settings, sync, from, start: None, root, prefix, opened }, first)
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
        if let Some((changes, extra)) = self.opened.take() {
            answer.bytes("subscribe").ok_or(Malformed::new("no subscription"))?;
            let prefix = std::mem::take(&mut self.prefix);
            return Ok(Next::Done(Opened { changes, extra, prefix }));
        }
        let clock = Clock::from(answer.bytes("clock").ok_or(Malformed::new("no clock"))?);
        if self.from.is_none() && self.start.is_none() {
            let query = Term::Map(self.query(clock.before().as_bytes()));
            self.start = Some(clock);
            return Ok(Next::Send(encode(&Term::List(vec!["query".into(), self.root(), query]))));
        }
        // If it has noticed nothing at its last tick, it may be about to.
        let since = if is_noticed(answer, &clock) { clock } else { clock.before() };
        let (changes, extra) = match self.from.take() {
            None => {
                let since = since.clone();
                (Changes::at(Position { since, part: None }), Extra::default())
            }
            Some(from) => {
                let mut changes = Changes::at(from);
                let extra = changes.take_in(self.target, &self.prefix, answer)?;
                (changes, extra)
            }
        };
        self.opened = Some((changes, extra));
        Ok(Next::Send(encode(&self.subscribe(since.as_bytes()))))
    }

    fn root(&self) -> Term {
        Term::Text(self.root.clone())
    }

    /// Asks for the present moment, or for what has happened since the position.
    fn synchronise(&self) -> Term {
        let patience = i64::try_from(self.sync.as_millis()).unwrap_or(i64::MAX);
        let timeout = ("sync_timeout", Term::Number(patience));
        match &self.from {
            None => Term::List(vec!["clock".into(), self.root(), Term::Map(vec![timeout])]),
            Some(Position { since, .. }) => {
                let mut query = self.query(since.as_bytes());
                query.push(timeout);
                Term::List(vec!["query".into(), self.root(), Term::Map(query)])
            }
        }
    }

    fn subscribe(&self, clock: &[u8]) -> Term {
        let mut query = self.query(clock);
        query.push(("defer_vcs", Term::Flag(self.settings.defer_vcs)));
        Term::List(vec!["subscribe".into(), self.root(), NAME.into(), Term::Map(query)])
    }

    fn query(&self, since: &[u8]) -> Vec<(&'static str, Term)> {
        let fields = ["name", "exists", "new", "type", "oclock", "cclock"].map(Term::from);
        let expression = self.target.expression(&self.prefix, self.settings.expression.as_ref());
        vec![
            ("since", Term::Text(since.to_vec())),
            ("expression", expression),
            ("fields", Term::List(fields.into())),
            // A loss is reported as such.
            ("empty_on_fresh_instance", Term::Flag(true)),
        ]
    }
}

/// Returns whether a list has a file that was noticed at this moment.
fn is_noticed(list: &Value<'_>, clock: &Clock) -> bool {
    let Some(Value::List(files)) = list.get("files") else { return false };
    let is_of_it = |file: &Value<'_>| {
        file.bytes("oclock").is_some_and(|noticed| Clock::from(noticed) == *clock)
    };
    files.iter().any(is_of_it)
}
//~{% endcapture %}{{ source | remove: "//~" -}}
