//! From the daemon's lists to events: each change once, whichever list it is in, and wherever the program stops.

use std::collections::{BTreeMap, BTreeSet};

use notify_backend::prelude::*;
use proptest::{collection::vec, prelude::*};
use tempfile::TempDir;

use crate::{
    bser::{Malformed, Term, decode, encode},
    changes::{Change, Changes, Extra},
    position::{Clock, Position},
    target::Target,
};

/// What the daemon knows about a file.
#[derive(Clone, Copy, Debug)]
struct File {
    is_there: bool,
    created: u64,
    changed: u64,
}

/// A daemon, as far as its lists go.
#[derive(Default)]
struct Daemon {
    tick: u64,
    files: BTreeMap<&'static str, File>,
}

fn clock(tick: u64) -> Vec<u8> {
    format!("c:1:2:3:{tick}").into()
}

fn position(tick: u64) -> Position {
    Position { since: Clock::from(clock(tick).as_slice()), part: None }
}

impl Daemon {
    /// Creates a file, or changes it.
    fn change(&mut self, name: &'static str) {
        self.tick += 1;
        let tick = self.tick;
        let file =
            self.files.entry(name).or_insert(File { is_there: false, created: 0, changed: 0 });
        if !file.is_there {
            file.created = tick;
        }
        (file.is_there, file.changed) = (true, tick);
    }

    fn remove(&mut self, name: &'static str) {
        self.tick += 1;
        if let Some(file) = self.files.get_mut(name).filter(|file| file.is_there) {
            (file.is_there, file.changed) = (false, self.tick);
        }
    }

    /// Returns what has changed since a tick, in a list that says that this is all until `until`.
    fn list(&self, since: u64, until: u64) -> Term {
        let changed = self.files.iter().filter(|(_, file)| file.changed > since);
        let files = changed.map(|(name, file)| {
            Term::Map(vec![
                ("name", Term::from(*name)),
                ("exists", Term::Flag(file.is_there)),
                ("new", Term::Flag(file.created > since)),
                ("type", "f".into()),
                ("oclock", Term::Text(clock(file.changed))),
                ("cclock", Term::Text(clock(file.created))),
            ])
        });
        Term::Map(vec![("clock", Term::Text(clock(until))), ("files", Term::List(files.collect()))])
    }
}

/// A watched folder, and what has been read of it.
struct Reader {
    folder: TempDir,
    target: Target,
    changes: Changes,
    read: Vec<Event>,
}

impl Reader {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::of(Watch::recursive(folder.path())).unwrap();
        Self { folder, target, changes: Changes::at(position(0)), read: vec![] }
    }

    fn take_in(&mut self, list: &Term) -> Result<Extra, Malformed> {
        let message = encode(list);
        // After two bytes of magic and nine of length.
        let list = decode(&message[11..])?;
        self.changes.take_in(&self.target, b"", &list)
    }

    fn read(&mut self) -> Option<Change> {
        let change = self.changes.next()?;
        self.read.push(change.event.clone());
        Some(change)
    }

    /// Takes in a list and reads all of it.
    fn read_all(&mut self, list: &Term) {
        self.take_in(list).unwrap();
        while self.read().is_some() {}
    }

    /// Returns what was read, as kinds and names.
    fn names(&self) -> Vec<(EventKind, &str)> {
        let name = |event: &Event| {
            let start = self.folder.path().as_os_str().len() + 1;
            event.path.to_str().unwrap().split_at(start).1.to_owned()
        };
        self.read.iter().map(|event| (event.kind, &*name(event).leak())).collect()
    }
}

const CREATED: EventKind = EventKind::Create(CreateKind::File);
const MODIFIED: EventKind = EventKind::Modify(ModifyKind::Any);
const REMOVED: EventKind = EventKind::Remove(RemoveKind::File);

#[test]
fn what_a_query_has_found_does_not_come_again() {
    let (mut daemon, mut reader) = (Daemon::default(), Reader::new());
    daemon.change("a");
    reader.read_all(&daemon.list(0, 1));
    // The subscription has not reported anything yet.
    reader.read_all(&daemon.list(0, 1));
    daemon.change("a");
    daemon.change("b");
    reader.read_all(&daemon.list(0, 3));
    assert_eq!(reader.names(), [(CREATED, "a"), (MODIFIED, "a"), (CREATED, "b")]);
}

/// The daemon reads its clock before it makes the list.
#[test]
fn what_is_ahead_of_its_list_does_not_come_again() {
    let (mut daemon, mut reader) = (Daemon::default(), Reader::new());
    daemon.change("a");
    daemon.change("b");
    reader.read_all(&daemon.list(0, 1));
    reader.read_all(&daemon.list(1, 1));
    reader.read_all(&daemon.list(1, 2));
    daemon.change("b");
    reader.read_all(&daemon.list(1, 3));
    assert_eq!(reader.names(), [(CREATED, "a"), (CREATED, "b"), (MODIFIED, "b")]);
}

#[test]
fn what_is_gone_comes_first_and_the_deepest_of_it() {
    let (mut daemon, mut reader) = (Daemon::default(), Reader::new());
    for name in ["a", "a/b", "a/b/c"] {
        daemon.change(name);
    }
    reader.read_all(&daemon.list(0, 3));
    daemon.change("0");
    for name in ["a", "a/b", "a/b/c"] {
        daemon.remove(name);
    }
    reader.read_all(&daemon.list(3, 7));
    let names = reader.names();
    let expected = [(REMOVED, "a/b/c"), (REMOVED, "a/b"), (REMOVED, "a"), (CREATED, "0")];
    assert_eq!(names[3..], expected);
}

/// Such as the news of a state, or of the daemon's clock: what has changed until then is still to come.
#[test]
fn a_clock_without_a_list_skips_nothing() {
    let (mut daemon, mut reader) = (Daemon::default(), Reader::new());
    daemon.change("a");
    reader.take_in(&Term::Map(vec![("clock", Term::Text(clock(1)))])).unwrap();
    assert_eq!(reader.changes.position(), &position(0));
    reader.read_all(&daemon.list(0, 1));
    assert_eq!(reader.names(), [(CREATED, "a")]);
}

#[test]
fn a_fresh_instance_is_a_loss_and_a_new_beginning() {
    let mut reader = Reader::new();
    let fresh = Term::Map(vec![
        ("clock", Term::Text(b"c:1:9:1:5".to_vec())),
        ("is_fresh_instance", Term::Flag(true)),
        ("files", Term::List(vec![])),
    ]);
    assert!(reader.take_in(&fresh).unwrap().is_fresh);
    assert_eq!(reader.changes.position().since.as_bytes(), b"c:1:9:1:5");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Change(&'static str),
    Remove(&'static str),
    /// The subscription reports. It has a place of its own.
    Subscription,
    /// As the subscription, but something happens while it makes its list.
    SubscriptionAhead(&'static str),
    Query,
    QueryAhead(&'static str),
    /// The program stops after it has read so many changes, and resumes.
    Resume(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let name = || prop_oneof![Just("a"), Just("b"), Just("c"), Just("d")];
    let step = prop_oneof![
        4 => name().prop_map(Step::Change),
        2 => name().prop_map(Step::Remove),
        2 => Just(Step::Subscription),
        1 => name().prop_map(Step::SubscriptionAhead),
        2 => Just(Step::Query),
        1 => name().prop_map(Step::QueryAhead),
        1 => (0..4_usize).prop_map(Step::Resume),
    ];
    vec(step, 1..40)
}

proptest! {
    #[test]
    fn each_change_comes_once(steps in steps()) {
        let (mut daemon, mut reader) = (Daemon::default(), Reader::new());
        // Where the subscription is, and the changes that were read.
        let mut place = 0;
        let mut read = BTreeSet::new();
        let take = |reader: &mut Reader, read: &mut BTreeSet<_>, list: &Term, most: usize| {
            reader.take_in(list).unwrap();
            for _ in 0..most {
                let Some(change) = reader.read() else { break };
                let is_new = read.insert((change.event.path.clone(), change.tick));
                assert!(is_new, "{change:?} comes twice");
            }
        };
        for step in steps.into_iter().chain([Step::Query]) {
            let now = daemon.tick;
            match step {
                Step::Change(name) | Step::SubscriptionAhead(name) | Step::QueryAhead(name) => {
                    daemon.change(name);
                }
                Step::Remove(name) => daemon.remove(name),
                Step::Subscription | Step::Query | Step::Resume(_) => {}
            }
            let since = reader.changes.position().since.tick().unwrap();
            match step {
                Step::Change(_) | Step::Remove(_) => {}
                Step::Subscription | Step::SubscriptionAhead(_) => {
                    take(&mut reader, &mut read, &daemon.list(place, now), usize::MAX);
                    place = now;
                }
                Step::Query | Step::QueryAhead(_) => {
                    take(&mut reader, &mut read, &daemon.list(since, now), usize::MAX);
                }
                Step::Resume(most) => {
                    take(&mut reader, &mut read, &daemon.list(since, now), most);
                    let position = reader.changes.position().clone();
                    let since = position.since.tick().unwrap();
                    reader.changes = Changes::at(position);
                    take(&mut reader, &mut read, &daemon.list(since, daemon.tick), usize::MAX);
                    place = daemon.tick;
                }
            }
        }
        for (name, file) in &daemon.files {
            let came_and_went = !file.is_there;
            let path = reader.folder.path().join(name);
            prop_assert!(
                read.contains(&(path, Some(file.changed))) || came_and_went,
                "the last change of {} is missing", name
            );
        }
    }
}
