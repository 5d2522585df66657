//! The model compared with the kernel: both run the same scripts, and every event must be the same.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{PermissionsExt as _, symlink},
    },
    path::PathBuf,
};

use rustix::fs::{
    CWD, MemfdFlags, Mode, OFlags, RenameFlags,
    inotify::{self, CreateFlags, Reader, WatchFlags},
    memfd_create, openat, renameat_with,
};

use super::{
    disk::{Change, Inode},
    inotify::{Event, Inotify, Wd, flag},
    machine::Machine,
    script::{Script, Step},
};
use crate::random::Random;

/// An event. In place of its cookie it has the number of the rename, in the order of the events.
type Reported = (Wd, u32, usize, String);

/// Cookies by the order in which they appear.
#[derive(Default)]
struct Cookies(HashMap<u32, usize>);

impl Cookies {
    fn number(&mut self, cookie: u32) -> usize {
        let next = self.0.len() + 1;
        if cookie == 0 { 0 } else { *self.0.entry(cookie).or_insert(next) }
    }
}

/// A folder that the kernel's inotify watches.
struct Kernel {
    top: tempfile::TempDir,
    descriptor: OwnedFd,
    opened: VecDeque<File>,
    wds: HashMap<PathBuf, Wd>,
    instant: OwnedFd,
    cookies: Cookies,
}

impl Kernel {
    fn new() -> io::Result<Self> {
        Ok(Self {
            top: tempfile::tempdir()?,
            descriptor: inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?,
            opened: VecDeque::new(),
            wds: HashMap::new(),
            instant: memfd_create("instant", MemfdFlags::CLOEXEC)?,
            cookies: Cookies::default(),
        })
    }

    fn path(&self, path: &str) -> PathBuf {
        self.top.path().join(path.trim_start_matches('/'))
    }

    /// Takes a step. Returns whether the kernel accepted it.
    fn step(&mut self, step: &Step) -> bool {
        let taken = match step {
            Step::Make(change) => self.make(change),
            Step::Watch(path, accesses) => {
                let accesses = if *accesses { flag::ACCESSES } else { 0 };
                let flags = WatchFlags::from_bits_retain(flag::CHANGES | accesses);
                let flags = flags | WatchFlags::MASK_ADD | WatchFlags::ONLYDIR;
                let path = self.path(path);
                let wd = inotify::add_watch(&self.descriptor, &path, flags);
                wd.map_err(io::Error::from).map(|wd| {
                    self.wds.insert(path, wd);
                })
            }
            Step::Unwatch(path) => self.wds.remove(&self.path(path)).map_or(Ok(()), |wd| {
                // The watch may be gone.
                _ = inotify::remove_watch(&self.descriptor, wd);
                Ok(())
            }),
            Step::Open(path) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let opened = openat(CWD, self.path(path), flags, Mode::empty());
                opened.map(|opened| self.opened.push_back(opened.into())).map_err(io::Error::from)
            }
            Step::Close => {
                drop(self.opened.pop_front());
                Ok(())
            }
            Step::List(path) => fs::read_dir(self.path(path)).map(|entries| _ = entries.count()),
            Step::Fence => {
                let path = format!("/proc/self/fd/{}", self.instant.as_raw_fd());
                inotify::add_watch(&self.descriptor, path, WatchFlags::DELETE_SELF)
                    .and_then(|wd| inotify::remove_watch(&self.descriptor, wd))
                    .map_err(io::Error::from)
            }
            Step::Read => Ok(()),
            Step::Begin(_) | Step::Notify | Step::After(..) => {
                unreachable!("{step} is no step for the kernel")
            }
        };
        taken.is_ok()
    }

    fn make(&self, change: &Change) -> io::Result<()> {
        match change {
            Change::Mkdir(path) => fs::create_dir(self.path(path)),
            Change::Rmdir(path) => fs::remove_dir(self.path(path)),
            Change::Create(path) => File::create_new(self.path(path)).map(drop),
            Change::Write(path) => {
                if fs::symlink_metadata(self.path(path))?.is_symlink() {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                OpenOptions::new().write(true).open(self.path(path))?.write_all(b"content")
            }
            Change::Remove(path) => fs::remove_file(self.path(path)),
            Change::Chmod(path) => {
                let metadata = fs::symlink_metadata(self.path(path))?;
                if metadata.is_symlink() {
                    return Err(io::ErrorKind::InvalidInput.into());
                }
                // The mode that it has already: setting it is an event too.
                let mode = metadata.permissions().mode();
                fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode))
            }
            Change::Symlink(target, path) => symlink(self.path(target), self.path(path)),
            Change::HardLink(from, to) => fs::hard_link(self.path(from), self.path(to)),
            Change::Rename(from, to) => fs::rename(self.path(from), self.path(to)),
            Change::Exchange(one, other) => {
                let (one, other) = (self.path(one), self.path(other));
                Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
            }
        }
    }

    fn read(&mut self) -> Vec<Reported> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.descriptor, &mut buffer);
        let mut events = Vec::new();
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
            let cookie = self.cookies.number(event.cookie());
            events.push((event.wd(), event.events().bits(), cookie, name.unwrap_or_default()));
        }
        events
    }
}

/// The model's counterpart of [`Kernel`].
struct Modelled {
    machine: Machine<Inotify>,
    opened: VecDeque<Inode>,
    wds: HashMap<String, Wd>,
    cookies: Cookies,
}

impl Modelled {
    fn new() -> Self {
        let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        Self {
            machine: Machine::new(Inotify::new(limit.trim().parse().unwrap())),
            opened: VecDeque::new(),
            wds: HashMap::new(),
            cookies: Cookies::default(),
        }
    }

    fn step(&mut self, step: &Step) -> bool {
        let machine = &mut self.machine;
        let folder = |machine: &Machine<Inotify>, path: &str| {
            let found = machine.disk().find(path, true).ok();
            found.filter(|&inode| machine.disk().is_folder(inode))
        };
        match step {
            Step::Make(change) => machine.make(change).is_ok(),
            Step::Watch(path, accesses) => {
                let accesses = if *accesses { flag::ACCESSES } else { 0 };
                folder(machine, path).is_some_and(|inode| {
                    let wd = machine.platform.add(inode, flag::CHANGES | accesses);
                    self.wds.insert(path.clone(), wd);
                    true
                })
            }
            Step::Unwatch(path) => {
                if let Some(wd) = self.wds.remove(path) {
                    machine.platform.remove(wd);
                }
                true
            }
            Step::Open(path) => folder(machine, path).is_some_and(|inode| {
                machine.open(inode);
                self.opened.push_back(inode);
                true
            }),
            Step::Close => {
                if let Some(inode) = self.opened.pop_front() {
                    machine.close(inode);
                }
                true
            }
            Step::List(path) => folder(machine, path).is_some_and(|inode| {
                machine.list(inode);
                true
            }),
            Step::Fence => {
                machine.platform.fence();
                true
            }
            Step::Read => true,
            Step::Begin(_) | Step::Notify | Step::After(..) => {
                unreachable!("{step} is no step for the kernel")
            }
        }
    }

    fn read(&mut self) -> Vec<Reported> {
        let Self { machine, cookies, .. } = self;
        let events = std::iter::from_fn(|| machine.platform.read());
        let events = events.map(|Event { wd, mask, cookie, name }| {
            (wd, mask, cookies.number(cookie), name.to_string())
        });
        events.collect()
    }
}

/// Returns a description of the first difference between the model and the kernel.
fn difference(script: &Script) -> Option<String> {
    let (mut kernel, mut model) = (Kernel::new().unwrap(), Modelled::new());
    for step in script.0.iter().chain([&Step::Read]) {
        let taken = [kernel.step(step), model.step(step)];
        if taken[0] != taken[1] {
            return Some(format!("{step}: done by [the kernel, the model]: {taken:?}"));
        }
        if *step == Step::Read {
            let (kernel, model) = (kernel.read(), model.read());
            if kernel != model {
                let (kernel, model) = (shown(&kernel), shown(&model));
                return Some(format!("the kernel:\n{kernel}the model:\n{model}"));
            }
        }
    }
    None
}

fn shown(events: &[Reported]) -> String {
    let line = |(wd, mask, cookie, name): &Reported| format!("  {wd} {mask:#x} {cookie} {name}\n");
    events.iter().map(line).collect()
}

#[track_caller]
fn agree(script: &Script) {
    if difference(script).is_some() {
        let shortest = script.shrink(|part| difference(part).is_some());
        panic!("{shortest}{}", difference(&shortest).unwrap_or_default());
    }
}

/// Returns a script of changes, watches and open folders, in two trees of three names.
fn random_script(seed: u64, steps: usize) -> Script {
    const ROOTS: [&str; 3] = ["/r", "/s", "/out"];
    let mut random = Random(seed);
    let mut model = Modelled::new();
    let mut script = Script::default();
    let mut take = |step: Step, model: &mut Modelled| {
        model.step(&step);
        script.0.push(step);
    };
    for root in ROOTS {
        take(Step::Make(Change::Mkdir(root.into())), &mut model);
        take(Step::Watch(root.into(), random.below(2) == 0), &mut model);
    }
    for _ in 0..steps {
        let mut folder = || {
            let change = random.change(model.machine.disk(), &ROOTS, &["a", "b", "c"]);
            match change {
                Change::Mkdir(path) | Change::Rmdir(path) | Change::Chmod(path) => path.to_string(),
                _ => ROOTS[random.below(ROOTS.len())].into(),
            }
        };
        let folder = folder();
        let step = match random.below(16) {
            0..4 => Step::Watch(folder, random.below(4) == 0),
            4 => Step::Unwatch(folder),
            5 => Step::Open(folder),
            6 => Step::Close,
            7 if random.below(4) == 0 => Step::Fence,
            8 => Step::List(folder),
            9 => Step::Read,
            _ => Step::Make(random.change(model.machine.disk(), &ROOTS, &["a", "b", "c"])),
        };
        take(step, &mut model);
    }
    script
}

#[test]
fn random_changes_are_reported_as_by_the_kernel() {
    // Closing an inotify instance takes much longer than running a script.
    for seed in 0..15 {
        agree(&random_script(seed, 1000));
    }
}

/// The events of a folder that is removed, in every way in which that can happen.
#[test]
fn the_end_of_a_folder_is_reported_as_by_the_kernel() {
    let ends = [
        "rmdir /r/a",
        "mkdir /r/b\nrename /r/b /r/a",
        "mkdir /b\nrename /b /r/a",
        "open /r/a\nrmdir /r/a\ncreate /r/f\nclose",
        "open /r/a\nmkdir /r/b\nrename /r/b /r/a\nclose",
        "mkdir /r/a/b\nopen /r/a/b\nrmdir /r/a/b\nrmdir /r/a\nclose",
    ];
    for end in ends {
        agree(&Script::parse(&format!("mkdir /r\nwatch /r\nmkdir /r/a\nwatch /r/a\n{end}")));
    }
}

#[test]
fn equal_neighbours_are_merged_as_by_the_kernel() {
    let merged = [
        "create /r/f\nwrite /r/f\nwrite /r/f\nchmod /r/f\nchmod /r/f",
        // Two renames over one name.
        "create /x\ncreate /y\nrename /x /r/a\nrename /y /r/a",
        "fence\nfence",
    ];
    for changes in merged {
        agree(&Script::parse(&format!("mkdir /r\nwatch /r\n{changes}")));
    }
}

#[test]
fn a_full_queue_is_reported_as_by_the_kernel() {
    let limit = Modelled::new().machine.platform.limit();
    if limit > 100_000 {
        eprintln!("fs.inotify.max_queued_events is {limit}, too much for this test");
        return;
    }
    let mut script = Script::parse("mkdir /r\nwatch /r\nmkdir /r/a\nwatch /r/a\ncreate /r/f");
    // Each makes two events, which are not merged.
    let change = Script::parse("chmod /r/a\nchmod /r/f");
    script.0.extend(std::iter::repeat_n(change.0, limit / 2).flatten());
    // The end of a watch is lost as well.
    script.0.extend(Script::parse("rmdir /r/a\nfence").0);
    assert_eq!(difference(&script), None);
}

/// Otherwise the model could be a file system that refuses everything.
#[test]
fn most_random_steps_are_taken() {
    let script = random_script(1, 1000);
    let mut model = Modelled::new();
    let (mut taken, mut reported) = (0, 0);
    for step in &script.0 {
        taken += usize::from(model.step(step));
        reported += model.read().len();
    }
    assert!(taken > 700 && reported > 300, "{taken} taken, {reported} events");
}
