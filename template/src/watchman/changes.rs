//! From the daemon's lists of changed files to events: [`Changes`]. {%- capture source %}

use std::{
    collections::{HashMap, VecDeque},
    mem,
};

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
    /// What the latest list has beyond its own clock, with the tick: the next list has it again.
    ahead: HashMap<Vec<u8>, u64>,
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
        Self { position, batches: VecDeque::new(), ahead: HashMap::new() }
    }

    pub(crate) fn position(&self) -> &Position {
        &self.position
    }

    /// Takes in what the daemon says about `target`, whose folder is below the daemon's root by `prefix`. All
    /// that came before has been taken.
    pub(crate) fn take_in(
        &mut self,
        target: &Target,
        prefix: &[u8],
        list: &Value<'_>,
    ) -> Result<Extra, Malformed> {
        let clock = list.bytes("clock").ok_or(Malformed::new("a list without a clock"))?;
        let until = Clock::from(clock);
        let mut extra = Extra { is_fresh: list.is_true("is_fresh_instance"), is_gone: false };
        let files = match list.get("files") {
            Some(Value::List(files)) if !extra.is_fresh => files.as_slice(),
            _ => &[],
        };
        // Of what came before a moment, a part was read by an earlier program.
        let read = self.position.part.as_ref().filter(|_| !extra.is_fresh);
        let (mut rest, mut new, mut ahead) = (vec![], vec![], HashMap::new());
        for file in files {
            let name = file.bytes("name").ok_or(Malformed::new("a file without a name"))?;
            let path = match target.place(prefix, name) {
                Place::Forged => return Err(Malformed::new("a name that leads elsewhere")),
                Place::Elsewhere => continue,
                Place::Itself => target.path().to_owned(),
                Place::Below(path) => path,
            };
            let tick = file.bytes("oclock").and_then(|clock| Clock::from(clock).tick());
            if let Some(tick) = tick {
                if until.tick().is_some_and(|until| tick > until) {
                    ahead.insert(name.to_vec(), tick);
                }
                if self.ahead.get(name) == Some(&tick) {
                    continue;
                }
            }
            let key = Key { is_there: file.is_true("exists"), name: name.to_vec() };
            let is_gone_itself = !key.is_there && path.as_os_str() == target.path().as_os_str();
            if is_gone_itself && target.is_folder() {
                extra.is_gone = true;
                continue;
            }
            let is_new = file.is_true("new");
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
            let is_by = |field| {
                file.bytes(field).is_some_and(|clock| Clock::from(clock).is_by(&read.until))
            };
            let was_read = key <= read.last;
            if !is_by("oclock") {
                let is_new = if was_read { !is_by("cclock") } else { is_new };
                new.push(change(is_new));
            } else if !was_read {
                rest.push(change(is_new));
            }
        }
        let rest = read.map(|read| Batch::new(rest, read.until.clone()));
        self.batches = rest.into_iter().chain([Batch::new(new, until)]).collect();
        self.ahead = ahead;
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
