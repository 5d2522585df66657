//! From the daemon's lists of changed files to events: [`Changes`]. {%- capture source %}

use std::{collections::VecDeque, mem};

use notify_backend::prelude::*;

use crate::{
    bser::{Malformed, Value},
    position::{Clock, Key, Part, Position},
    target::{Place, Target},
};

/// Changes that have not been read yet, and where that leaves the watch.
#[derive(Debug)]
pub(crate) struct Changes {
    position: Position,
    batches: VecDeque<Batch>,
}

/// Changes that came together.
#[derive(Debug)]
struct Batch {
    changes: VecDeque<Change>,
    /// The moment after the last of them.
    until: Clock,
}

/// A change that has not been read yet.
#[derive(Debug)]
pub(crate) struct Change {
    key: Key,
    pub(crate) event: Event,
    /// When the daemon has noticed it.
    pub(crate) tick: Option<u64>,
}

impl Batch {
    fn new(mut changes: Vec<Change>, until: Clock) -> Self {
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        Self { changes: changes.into(), until }
    }
}

/// What else a list says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    /// The daemon does not know what has happened since the position.
    pub(crate) is_fresh: bool,
    /// The watched path is gone, or is another one now.
    pub(crate) is_gone: bool,
}

impl Changes {
    /// Begins at a position.
    pub(crate) fn at(position: Position) -> Self {
        Self { position, batches: VecDeque::new() }
    }

    pub(crate) fn position(&self) -> &Position {
        &self.position
    }

    /// Takes in what the daemon says about `target`, whose folder is below the daemon's root by `prefix`. All
    /// that came before has been taken. What has been taken does not come again, although a subscription and a query
    /// each have their own place.
    pub(crate) fn take_in(
        &mut self,
        target: &Target,
        prefix: &[u8],
        list: &Value<'_>,
    ) -> Result<Extra, Malformed> {
        let clock = list.bytes("clock").ok_or(Malformed::new("a list without a clock"))?;
        let mut until = Clock::from(clock);
        let mut extra = Extra { is_fresh: list.is_true("is_fresh_instance"), is_gone: false };
        let files = match list.get("files") {
            Some(Value::List(files)) if !extra.is_fresh => files.as_slice(),
            Some(_) => &[],
            // It says what time it is, and not what has changed until then.
            None => return Ok(Extra::default()),
        };
        // Of what came before a moment, a part was read by an earlier program.
        let read = self.position.part.as_ref().filter(|_| !extra.is_fresh);
        let (mut rest, mut new) = (vec![], vec![]);
        for file in files {
            let name = file.bytes("name").ok_or(Malformed::new("a file without a name"))?;
            let path = match target.place(prefix, name) {
                Place::Forged => return Err(Malformed::new("a name that leads elsewhere")),
                Place::Elsewhere => continue,
                Place::Itself => target.path().to_owned(),
                Place::Below(path) => path,
            };
            let oclock = file.bytes("oclock").map(Clock::from);
            let tick = oclock.as_ref().and_then(Clock::tick);
            // The daemon reads its clock before it makes the list, but each moment is in it as a whole.
            if let Some(clock) = &oclock
                && until.is_by(clock)
            {
                until.clone_from(clock);
            }
            let seen = &self.position.since;
            if oclock.as_ref().is_some_and(|clock| clock.is_by(seen)) {
                continue;
            }
            let created = file.bytes("cclock").map(Clock::from);
            let is_new_since = |moment| created.as_ref().is_some_and(|clock| !clock.is_by(moment));
            let key = Key { is_there: file.is_true("exists"), name: name.to_vec() };
            let is_gone_itself = !key.is_there && path.as_os_str() == target.path().as_os_str();
            if is_gone_itself && target.is_folder() {
                extra.is_gone = true;
                continue;
            }
            let is_new = file.is_true("new") && is_new_since(seen);
            // It came and went, or came back and went. In a folder that is gone, the daemon may have seen it where
            // the folder is now.
            if is_new && !key.is_there && !target.is_parent_there(prefix, name) {
                continue;
            }
            let change =
                |is_new| Change { key: key.clone(), event: event(file, is_new, path), tick };
            let Some(read) = read else {
                new.push(change(is_new));
                continue;
            };
            let was_read = key <= read.last;
            if !oclock.as_ref().is_some_and(|clock| clock.is_by(&read.until)) {
                let is_new = is_new && (!was_read || is_new_since(&read.until));
                new.push(change(is_new));
            } else if !was_read {
                rest.push(change(is_new));
            }
        }
        let rest = read.map(|read| Batch::new(rest, read.until.clone()));
        self.batches = rest.into_iter().chain([Batch::new(new, until)]).collect();
        self.advance();
        Ok(extra)
    }

    /// Goes on to the next changes that are left.
    fn advance(&mut self) {
        while let Some(batch) = self.batches.front()
            && batch.changes.is_empty()
        {
            self.position = Position { since: batch.until.clone(), part: None };
            self.batches.pop_front();
        }
    }

    /// Returns the next change.
    pub(crate) fn next(&mut self) -> Option<Change> {
        let batch = self.batches.front_mut()?;
        let mut change = batch.changes.pop_front()?;
        let last = mem::take(&mut change.key);
        self.position.part = Some(Part { until: batch.until.clone(), last });
        self.advance();
        Some(change)
    }
}

/// Returns the event for a file that has changed.
fn event(file: &Value<'_>, is_new: bool, path: PathBuf) -> Event {
    // A symbolic link, a socket and the like are files to the other facilities as well.
    let is_folder = file.bytes("type").map(|kind| kind == b"d");
    if !file.is_true("exists") {
        let kind = match is_folder {
            Some(true) => RemoveKind::Folder,
            Some(false) => RemoveKind::File,
            None => RemoveKind::Any,
        };
        return Event::remove(kind, path);
    }
    if is_new {
        let kind = match is_folder {
            Some(true) => CreateKind::Folder,
            Some(false) => CreateKind::File,
            None => CreateKind::Any,
        };
        return Event::create(kind, path);
    }
    // The daemon says that it has changed, and not what of it.
    Event::modify(ModifyKind::Any, path)
}
//~{% endcapture %}{{ source | remove: "//~" -}}
