//! The model: a tree of files, and what the system queues for each folder that is read.

use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    io,
    path::Path,
    rc::Rc,
};

use crate::{
    folder::{Folder, Identity, Reading},
    machine::Change,
    name::Name,
    record::{Format, Record},
};

/// The number of a file.
pub(crate) type Id = u64;

const ADDED: u32 = 1;
const REMOVED: u32 = 2;
const MODIFIED: u32 = 3;
const OLD_NAME: u32 = 4;
const NEW_NAME: u32 = 5;

/// `STATUS_DELETE_PENDING`, as the packet of a pending read has it.
const ACCESS_DENIED: i32 = 5;
/// What a cancelled read ends with.
const ABORTED: i32 = 995;

/// The file system of one volume, with the reads of its folders.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    /// By path, with `\` between names. The top is the empty path.
    files: BTreeMap<String, File>,
    last: Id,
    /// The short forms of names: from the path with one to the long name.
    short: BTreeMap<String, String>,
    handles: BTreeMap<u32, Handle>,
    /// Whether the folders that were opened last get a change first.
    newest_first: bool,
    /// What happens after so many more calls.
    interference: Option<(usize, Change)>,
    has_interfered: bool,
    /// The ends of reads, in the order in which they came: the key of the folder.
    port: VecDeque<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) id: Id,
    pub(crate) is_folder: bool,
    /// How often it was written.
    pub(crate) content: u32,
}

/// What the system keeps for an open folder.
#[derive(Debug)]
struct Handle {
    folder: Id,
    how: How,
    /// Whether there was a read: from then on, changes are collected.
    is_read: bool,
    /// The records that wait for the next read; none if there were more than fit in.
    queued: Option<Vec<Raw>>,
    is_pending: bool,
    /// The result of a read that has ended.
    done: Option<Result<Vec<u8>, i32>>,
}

#[derive(Clone, Debug)]
struct Raw {
    action: u32,
    path: String,
    file: File,
}

/// The model, which the test and the folders share.
#[derive(Clone, Debug, Default)]
pub(crate) struct System(Rc<RefCell<Kernel>>);

/// A folder that is read.
#[derive(Debug)]
pub(crate) struct Opened {
    system: System,
    key: u32,
    place: String,
}

/// What a folder is opened with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How {
    pub(crate) recursive: bool,
    pub(crate) only_folders: bool,
    pub(crate) format: Format,
    /// The number of bytes that fit in.
    pub(crate) room: usize,
}

impl System {
    pub(crate) fn new(newest_first: bool) -> Self {
        let system = Self::default();
        system.0.borrow_mut().newest_first = newest_first;
        system.0.borrow_mut().create("", true);
        system
    }

    pub(crate) fn open(&self, place: &str, how: How, key: u32) -> Opened {
        let mut kernel = self.0.borrow_mut();
        let folder = kernel.files[place].id;
        kernel.handles.insert(
            key,
            Handle {
                folder,
                how,
                is_read: false,
                queued: Some(vec![]),
                is_pending: false,
                done: None,
            },
        );
        Opened { system: self.clone(), key, place: place.into() }
    }

    /// Takes the key of the next packet.
    pub(crate) fn packet(&self) -> Option<u32> {
        self.0.borrow_mut().port.pop_front()
    }

    pub(crate) fn files(&self) -> BTreeMap<String, File> {
        self.0.borrow().files.clone()
    }

    /// Makes a change. Returns whether it had an effect.
    pub(crate) fn change(&self, change: Change) -> bool {
        match change {
            Change::File(path) => self.create(path, false),
            Change::Folder(path) => self.create(path, true),
            Change::Write(path) => self.write(path),
            Change::Remove(path) => self.remove(path),
            Change::Rename(from, to) => self.rename(from, to),
            Change::Watch(..) | Change::WatchAmid(..) | Change::Unwatch(_) => false,
        }
    }

    /// Writes to a file by a path with the short form of its name, which the records have then too.
    pub(crate) fn write_by_short(&self, path: &str, short: &str) {
        let (folder, name) = path.rsplit_once('\\').unwrap_or(("", path));
        let by_short = format!("{folder}\\{short}");
        let mut kernel = self.0.borrow_mut();
        let file = kernel.files[path];
        kernel.short.insert(by_short.clone(), name.into());
        let handles = kernel.handles_around(&by_short);
        kernel.queue_for(&handles, MODIFIED, file);
    }

    /// Makes a change as soon as so many calls have been made for folders.
    pub(crate) fn interfere(&self, calls: usize, change: Change) {
        let mut kernel = self.0.borrow_mut();
        kernel.interference = Some((calls, change));
        kernel.has_interfered = false;
    }

    /// Returns whether the last change of that kind was made, and had an effect.
    pub(crate) fn has_interfered(&self) -> bool {
        let mut kernel = self.0.borrow_mut();
        kernel.interference = None;
        kernel.has_interfered
    }

    /// Is called with each call for a folder, at its end.
    fn called(&self) {
        let due = {
            let mut kernel = self.0.borrow_mut();
            let Some((calls, change)) = kernel.interference else { return };
            kernel.interference = calls.checked_sub(1).map(|calls| (calls, change));
            kernel.interference.is_none().then_some(change)
        };
        if let Some(change) = due {
            let has_interfered = self.change(change);
            self.0.borrow_mut().has_interfered = has_interfered;
        }
    }

    pub(crate) fn create(&self, path: &str, is_folder: bool) -> bool {
        self.0.borrow_mut().create(path, is_folder)
    }

    pub(crate) fn write(&self, path: &str) -> bool {
        let mut kernel = self.0.borrow_mut();
        match kernel.files.get_mut(path) {
            Some(file) if !file.is_folder => file.content += 1,
            _ => return false,
        }
        kernel.queue(MODIFIED, path);
        true
    }

    /// Removes a file or an empty folder.
    pub(crate) fn remove(&self, path: &str) -> bool {
        let mut kernel = self.0.borrow_mut();
        if path.is_empty() || !kernel.files.contains_key(path) || !kernel.is_empty(path) {
            return false;
        }
        let id = kernel.files[path].id;
        // Those that read the folder itself come to know of it first.
        kernel.end_reads_of(id);
        let handles: Vec<_> = kernel.handles_around(path);
        let file = kernel.files.remove(path);
        if let Some(file) = file {
            kernel.queue_for(&handles, REMOVED, file);
        }
        true
    }

    /// Renames or moves, also over another file.
    pub(crate) fn rename(&self, from: &str, to: &str) -> bool {
        let mut kernel = self.0.borrow_mut();
        let Some(&file) = kernel.files.get(from) else { return false };
        let is_within = to.starts_with(&format!("{from}\\"));
        let is_free = kernel.files.get(to).is_none_or(|old| !old.is_folder && !file.is_folder);
        let has_folder = kernel.files.get(parent(to)).is_some_and(|it| it.is_folder);
        // No folder with an open one below can be renamed.
        let is_held = kernel.has_open_below(from);
        if from.is_empty() || from == to || is_within || !is_free || !has_folder || is_held {
            return false;
        }
        if let Some(&displaced) = kernel.files.get(to) {
            let handles = kernel.handles_around(to);
            kernel.queue_for(&handles, REMOVED, displaced);
            kernel.files.remove(to);
        }
        let stays = parent(from) == parent(to);
        let (old, new) = if stays { (OLD_NAME, NEW_NAME) } else { (REMOVED, ADDED) };
        let handles = kernel.handles_around(from);
        let below: Vec<_> =
            kernel.files.range(from.to_owned()..).map(|(path, _)| path.clone()).collect();
        for path in below {
            if let Some(rest) = below_of(from, &path)
                && let Some(moved) = kernel.files.remove(&path)
            {
                kernel.files.insert(format!("{to}{rest}"), moved);
            }
        }
        kernel.queue_for(&handles, old, file);
        kernel.queue(new, to);
        true
    }
}

impl Kernel {
    fn create(&mut self, path: &str, is_folder: bool) -> bool {
        let has_folder =
            path.is_empty() || self.files.get(parent(path)).is_some_and(|it| it.is_folder);
        if self.files.contains_key(path) || !has_folder {
            return false;
        }
        self.last += 1;
        self.files.insert(path.into(), File { id: self.last, is_folder, content: 0 });
        self.queue(ADDED, path);
        true
    }

    fn is_empty(&self, path: &str) -> bool {
        !self.files.keys().any(|other| below_of(path, other).is_some_and(|rest| !rest.is_empty()))
    }

    fn place_of(&self, id: Id) -> Option<&String> {
        self.files.iter().find(|(_, file)| file.id == id).map(|(path, _)| path)
    }

    fn has_open_below(&self, path: &str) -> bool {
        let places = self.handles.values().filter_map(|handle| self.place_of(handle.folder));
        let mut below = places.filter_map(|place| below_of(path, place));
        below.any(|rest| !rest.is_empty())
    }

    /// Returns the handles that are told of an entry, each with its path there.
    fn handles_around(&self, path: &str) -> Vec<(u32, String)> {
        let around = self.handles.iter().filter_map(|(key, handle)| {
            let place = self.place_of(handle.folder)?;
            let rest = below_of(place, path)?;
            let rest = rest.strip_prefix('\\').unwrap_or(rest);
            let is_told = !rest.is_empty() && (handle.how.recursive || !rest.contains('\\'));
            is_told.then(|| (*key, rest.to_owned()))
        });
        let mut around: Vec<_> = around.collect();
        if self.newest_first {
            around.reverse();
        }
        around
    }

    fn queue(&mut self, action: u32, path: &str) {
        let Some(&file) = self.files.get(path) else { return };
        let handles = self.handles_around(path);
        self.queue_for(&handles, action, file);
    }

    fn queue_for(&mut self, handles: &[(u32, String)], action: u32, file: File) {
        for (key, path) in handles {
            let Some(handle) = self.handles.get_mut(key) else { continue };
            let is_unwanted = handle.how.only_folders && (!file.is_folder || action == MODIFIED);
            if is_unwanted || !handle.is_read {
                continue;
            }
            let raw = Raw { action, path: path.clone(), file };
            if let Some(queued) = &mut handle.queued {
                queued.push(raw);
                if bytes(queued, handle.how.format).len() > handle.how.room {
                    // All of them are lost.
                    handle.queued = None;
                }
            }
            self.serve(*key);
        }
    }

    /// Ends a pending read if there is something for it.
    fn serve(&mut self, key: u32) {
        let Some(handle) = self.handles.get_mut(&key) else { return };
        let has_some = handle.queued.as_ref().is_none_or(|queued| !queued.is_empty());
        if handle.is_pending && handle.done.is_none() && has_some {
            let queued = handle.queued.replace(vec![]);
            handle.done =
                Some(Ok(queued.map_or(vec![], |queued| bytes(&queued, handle.how.format))));
            self.port.push_back(key);
        }
    }

    fn end_reads_of(&mut self, id: Id) {
        let of_it = self.handles.iter().filter(|(_, handle)| handle.folder == id);
        let of_it: Vec<_> = of_it.map(|(key, _)| *key).collect();
        for key in of_it {
            self.end_read(key, ACCESS_DENIED);
        }
    }

    fn end_read(&mut self, key: u32, code: i32) {
        if let Some(handle) = self.handles.get_mut(&key)
            && handle.is_pending
            && handle.done.is_none()
        {
            handle.done = Some(Err(code));
            self.port.push_back(key);
        }
    }
}

impl Folder for Opened {
    type Packet = ();

    fn read(&mut self) -> io::Result<()> {
        let mut kernel = self.system.0.borrow_mut();
        let Some(handle) = kernel.handles.get_mut(&self.key) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        (handle.is_read, handle.is_pending) = (true, true);
        let folder = handle.folder;
        kernel.serve(self.key);
        let is_gone = kernel.place_of(folder).is_none();
        if is_gone && kernel.handles[&self.key].done.is_none() {
            kernel.end_read(self.key, ACCESS_DENIED);
        }
        drop(kernel);
        self.system.called();
        Ok(())
    }

    fn cancel(&self) {
        self.system.0.borrow_mut().end_read(self.key, ABORTED);
    }

    fn is_reading(&self) -> bool {
        self.system.0.borrow().handles[&self.key].is_pending
    }

    fn has_read(&self) -> bool {
        let has_read = self.system.0.borrow().handles[&self.key].done.is_some();
        self.system.called();
        has_read
    }

    fn take(&mut self, (): ()) -> Reading {
        let mut kernel = self.system.0.borrow_mut();
        let handle = kernel.handles.get_mut(&self.key).expect("it is open");
        handle.is_pending = false;
        match handle.done.take().expect("there was a packet") {
            Ok(bytes) if bytes.is_empty() => Reading::Lost,
            Ok(bytes) => Reading::Records(
                Record::parse(&bytes, handle.how.format).expect("the bytes are whole"),
            ),
            Err(code) => Reading::of_error(io::Error::from_raw_os_error(code)),
        }
    }

    fn at(&self, below: &Path) -> io::Result<Identity> {
        let below = Name::from(below.as_os_str().to_owned());
        let place = Name(self.place.encode_utf16().collect()).join(&below);
        let files = self.system.files();
        self.system.called();
        let there = files.get(&String::from_utf16_lossy(&place.0));
        there.map(|there| (0, there.id)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn has_file(&self, id: u64) -> bool {
        self.system.0.borrow().place_of(id).is_some()
    }

    fn long_name(&self, below: &Path) -> Option<Name> {
        let below = Name::from(below.as_os_str().to_owned());
        let path = Name(self.place.encode_utf16().collect()).join(&below);
        let kernel = self.system.0.borrow();
        let path = String::from_utf16_lossy(&path.0);
        let long = kernel.short.get(&path)?;
        let is_there = kernel.files.contains_key(&format!("{}\\{long}", parent(&path)));
        is_there.then(|| Name(long.encode_utf16().collect()))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.system.0.borrow_mut().handles.remove(&self.key);
    }
}

/// Writes records as the system does, one after the other.
fn bytes(queued: &[Raw], format: Format) -> Vec<u8> {
    let mut bytes = vec![];
    for (i, Raw { action, path, file }) in queued.iter().enumerate() {
        let name: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut record = vec![0; 12];
        if format == Format::Extended {
            record.resize(84, 0);
            record[56..60].copy_from_slice(&(u32::from(file.is_folder) * 0x10).to_le_bytes());
            record[64..72].copy_from_slice(&file.id.to_le_bytes());
        }
        record[4..8].copy_from_slice(&action.to_le_bytes());
        let at = record.len() - 4;
        record[at..].copy_from_slice(&length(&name).to_le_bytes());
        record.extend(name);
        record.resize(record.len().next_multiple_of(4), 0);
        if i + 1 < queued.len() {
            let next = length(&record);
            record[..4].copy_from_slice(&next.to_le_bytes());
        }
        bytes.extend(record);
    }
    bytes
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("names are short")
}

fn parent(path: &str) -> &str {
    path.rsplit_once('\\').map_or("", |(folder, _)| folder)
}

/// Returns the rest of a path behind that of a folder, or of itself.
fn below_of<'a>(folder: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder)?;
    (folder.is_empty() || rest.is_empty() || rest.starts_with('\\')).then_some(rest)
}
