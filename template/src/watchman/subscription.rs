//! One watch, with its connection and what to do when that breaks: [`Subscription`]. {%- capture source %}

use std::{
    collections::VecDeque,
    fmt, io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use notify_backend::prelude::*;
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep},
};

use crate::{
    bser::Malformed,
    changes::{Change, Changes, Extra},
    connection::{Connection, Failure, invalid},
    explain::not_watched,
    handshake::{Opened, beat},
    position::{Clock, Position},
    settings::Settings,
    target::Target,
};

/// Where to connect, and how.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) socket: PathBuf,
    pub(crate) settings: Settings,
}

/// A watch.
#[derive(Debug)]
pub(crate) struct Subscription {
    daemon: Arc<Daemon>,
    target: Target,
    /// What the daemon watches, and where the target's folder is in it.
    root: Vec<u8>,
    prefix: Vec<u8>,
    /// All changes after this moment are reported.
    start: Clock,
    /// The moment in which the watch was made.
    made: Clock,
    changes: Changes,
    /// What to report before the changes.
    first: VecDeque<Event>,
    /// The latest change that was left to an outer watch.
    left: Option<u64>,
    /// Changes below the folder up to this tick are not reported: only the folder itself was watched then.
    old_below: Option<u64>,
    state: State,
    pause: Duration,
    sync: Duration,
}

/// What comes of an attempt to connect.
type Connected = Result<(Connection, Opened), Failure>;

enum State {
    Live(Connection),
    /// Nothing can be reached; the next attempt comes later.
    Waiting(Pin<Box<Sleep>>),
    Connecting(Pin<Box<dyn Future<Output = Connected> + Send>>),
    /// The path is gone.
    Over,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live(_) => "Live",
            Self::Waiting(_) => "Waiting",
            Self::Connecting(_) => "Connecting",
            Self::Over => "Over",
        })
    }
}

/// What a subscription yields.
#[derive(Debug)]
pub(crate) enum Yielded {
    Item(StreamItem),
    Change(Change),
    /// The watched folder is gone.
    Gone(Event),
    /// The connection broke.
    Lost(io::Error),
    /// Nothing will come any more.
    Over,
}

/// The time before the first attempt to connect again; it doubles with each.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long the daemon may take to synchronise, the first time; it doubles with each. It waits in vain for a root that
/// was away for a moment, and which it is just giving up.
const SHORTEST_SYNC: Duration = Duration::from_secs(1);

/// What a message says.
enum Said {
    Changes(Result<Extra, Malformed>),
    /// The daemon does not watch the root any more.
    Canceled,
}

impl Subscription {
    /// Subscribes, from a position or from now on, and waits for that.
    pub(crate) fn open(
        daemon: &Arc<Daemon>,
        watch: Watch,
        from: Option<&Position>,
    ) -> Result<Self, BackendError> {
        let path = watch.path.clone();
        let target = Target::of(watch).map_err(|error| BackendError::from_io(path, error))?;
        let (start, mut sync) = (Instant::now(), SHORTEST_SYNC);
        let opened = loop {
            let opened =
                Connection::open(&daemon.socket, &target, &daemon.settings, sync, from.cloned());
            if !opened.as_ref().is_err_and(is_passing) || start.elapsed() > daemon.settings.patience
            {
                break opened;
            }
            sync *= 2;
        };
        let (connection, opened) =
            opened.map_err(|failure| not_watched(&target, &daemon.socket, failure))?;
        let mut subscription = Self {
            daemon: daemon.clone(),
            target,
            root: opened.root,
            prefix: opened.prefix,
            start: opened.changes.position().since.clone(),
            made: opened.now,
            changes: opened.changes,
            first: VecDeque::new(),
            left: None,
            old_below: None,
            state: State::Live(connection),
            pause: SHORTEST_PAUSE,
            sync: SHORTEST_SYNC,
        };
        subscription.note(opened.extra);
        Ok(subscription)
    }

    pub(crate) fn path(&self) -> &Path {
        self.target.path()
    }

    /// Returns whether this watch reports a change of `path` as well, which `other` has noticed at this tick. If it is
    /// not known when, it was the last.
    pub(crate) fn also_reports(&self, other: &Self, path: &Path, tick: Option<u64>) -> bool {
        let is_above = self.path().as_os_str().len() < other.path().as_os_str().len();
        let is_after =
            || tick.is_none_or(|tick| self.start.tick().is_some_and(|start| tick > start));
        is_above
            && self.is_live()
            && self.target.covers(path)
            && self.start.is_of_root_of(&other.start)
            && is_after()
    }

    /// Notes that a change of this tick is left to an outer watch.
    pub(crate) fn leave(&mut self, tick: Option<u64>) {
        self.left = self.left.max(tick);
    }

    /// Returns whether `inner` has left a change to this watch that it has not reported yet.
    pub(crate) fn owes(&self, inner: &Self) -> bool {
        let Position { since, part } = self.position();
        self.start.is_of_root_of(&inner.start)
            && inner
                .left
                .is_some_and(|left| part.is_some() || since.tick().is_none_or(|tick| tick < left))
    }

    pub(crate) fn position(&self) -> &Position {
        self.changes.position()
    }

    /// Returns from where a new watch of the same path goes on, if this one may still have something to report.
    pub(crate) fn unread(&self) -> Option<&Position> {
        (!matches!(self.state, State::Over)).then(|| self.position())
    }

    /// Takes the place of a watch of the same path, from where that stands. Leaves out changes below the folder that were
    /// made when only the folder itself was watched.
    pub(crate) fn replace(&mut self, earlier: &Self) {
        let is_wider = self.target.is_recursive() && !earlier.target.is_recursive();
        self.old_below = if is_wider { self.made.tick() } else { earlier.old_below };
    }

    /// Returns whether a change happened below before that was watched.
    pub(crate) fn is_left_out(&self, path: &Path, tick: Option<u64>) -> bool {
        let is_direct = path == self.path() || path.parent() == Some(self.path());
        !is_direct && tick.zip(self.old_below).is_some_and(|(tick, old)| tick <= old)
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    /// Reports that something was lost at the path or below.
    pub(crate) fn lose(&mut self) {
        self.first.push_back(Event::missed_below(self.target.path(), None));
    }

    fn note(&mut self, extra: Extra) {
        if extra.is_fresh {
            self.lose();
        }
        if extra.is_gone {
            self.end();
        }
    }

    /// Ends the watch, with the report that the path is gone.
    fn end(&mut self) {
        self.first.push_back(self.target.gone());
        self.state = State::Over;
    }

    /// Returns what comes next.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Yielded> {
        loop {
            // What is gone goes last.
            if !matches!(self.state, State::Over)
                && let Some(event) = self.first.pop_front()
            {
                return Poll::Ready(Yielded::Item(Ok(event)));
            }
            if let Some(change) = self.changes.next() {
                return Poll::Ready(Yielded::Change(change));
            }
            match &mut self.state {
                State::Live(connection) => {
                    let (changes, target, prefix) = (&mut self.changes, &self.target, &self.prefix);
                    let since = changes.position().since.clone();
                    let beat = || beat(target, &self.daemon.settings, &self.root, prefix, &since);
                    let changes = std::cell::RefCell::new(changes);
                    let said = ready!(connection.poll_message(cx, beat, |message| {
                        // An answer that is an error: there is no such root.
                        if message.is_true("canceled") || message.get("error").is_some() {
                            return Said::Canceled;
                        }
                        let taken = changes.borrow_mut().take_in(target, prefix, message);
                        Said::Changes(taken)
                    }));
                    match said {
                        Ok(Said::Canceled) => self.canceled(),
                        Ok(Said::Changes(Ok(extra))) => self.note(extra),
                        Ok(Said::Changes(Err(malformed))) => {
                            return Poll::Ready(self.distrust(invalid(malformed)));
                        }
                        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                            return Poll::Ready(self.distrust(error));
                        }
                        Err(error) => return Poll::Ready(self.lost(error)),
                    }
                }
                State::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    self.connect();
                }
                State::Connecting(connecting) => {
                    let connected = ready!(connecting.as_mut().poll(cx));
                    if let Some(item) = self.connected(connected) {
                        return Poll::Ready(Yielded::Item(item));
                    }
                }
                State::Over => {
                    let last = self.first.pop_front().map(Yielded::Gone);
                    return Poll::Ready(last.unwrap_or(Yielded::Over));
                }
            }
        }
    }

    /// Goes on after the daemon has given up the root: the folder is gone, or another client has had it deleted.
    fn canceled(&mut self) {
        if self.target.is_there() {
            self.connect();
        } else {
            self.end();
        }
    }

    fn connect(&mut self) {
        let (daemon, target) = (self.daemon.clone(), self.target.clone());
        let from = self.position().clone();
        let sync = self.sync;
        self.state = State::Connecting(Box::pin(async move {
            Connection::open_later(&daemon.socket, &target, &daemon.settings, sync, from).await
        }));
    }

    /// Takes what came of an attempt to connect.
    fn connected(&mut self, connected: Connected) -> Option<StreamItem> {
        match connected {
            Ok((connection, opened)) => {
                self.state = State::Live(connection);
                self.pause = SHORTEST_PAUSE;
                self.sync = SHORTEST_SYNC;
                (self.root, self.prefix) = (opened.root, opened.prefix);
                self.start.clone_from(&opened.changes.position().since);
                self.changes = opened.changes;
                self.note(opened.extra);
                if !self.target.is_there() && !matches!(self.state, State::Over) {
                    self.end();
                }
                None
            }
            Err(_) if !self.target.is_there() => {
                self.end();
                None
            }
            Err(failure) if matches!(failure, Failure::Io(_)) || is_passing(&failure) => {
                self.sync = (self.sync * 2).min(self.daemon.settings.patience);
                self.pause();
                None
            }
            Err(failure) => {
                self.state = State::Over;
                let cause = not_watched(&self.target, &self.daemon.socket, failure);
                Some(Err(StreamError::unwatched(self.target.path(), cause)))
            }
        }
    }

    fn pause(&mut self) {
        self.state = State::Waiting(Box::pin(sleep(self.pause)));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Begins anew after what cannot be understood: it would come again.
    fn distrust(&mut self, error: io::Error) -> Yielded {
        self.changes = Changes::at(Position::unknown());
        self.lost(error)
    }

    fn lost(&mut self, error: io::Error) -> Yielded {
        if Handle::try_current().is_ok() {
            self.pause();
        } else {
            // There is no runtime to connect in.
            self.state = State::Over;
        }
        Yielded::Lost(error)
    }
}

/// Returns whether another attempt may succeed: the daemon is giving up a root that was away for a moment, or has not read
/// all of it yet.
fn is_passing(failure: &Failure) -> bool {
    let says = |words| matches!(failure, Failure::Refused(reason) if reason.contains(words));
    let passing =
        ["is not watched", "was cancelled", "synchronization failed", "sync_timeout expired"];
    passing.into_iter().any(says)
}
//~{% endcapture %}{{ source | remove: "//~" -}}
