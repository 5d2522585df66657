//! Random changes, made by [`Random`].

use super::disk::{Change, Disk, Inode, Kind};
use crate::random::Random;

impl Random {
    pub(super) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Returns a change to something below `roots`, where new entries get one of `names`. Most can be made.
    pub(super) fn change(&mut self, disk: &Disk, roots: &[&str], names: &[&str]) -> Change {
        let (mut folders, mut entries) = (Vec::new(), Vec::new());
        for &root in roots {
            let Ok(inode) = disk.find(root, true) else { continue };
            folders.push(root.to_owned());
            collect(disk, inode, root, &mut folders, &mut entries);
        }
        let any = folders.clone();
        let place =
            |random: &mut Self| format!("{}/{}", random.one_of(&any), random.one_of(names)).into();
        let free = place(self);
        if entries.is_empty() {
            return if self.below(2) == 0 { Change::Mkdir(free) } else { Change::Create(free) };
        }
        let entry = self.one_of(&entries).0.as_str().into();
        let of = |random: &mut Self, wanted: fn(&Kind) -> bool| {
            let fitting: Vec<_> =
                entries.iter().filter(|&&(_, inode)| wanted(disk.kind(inode))).collect();
            if fitting.is_empty() {
                "/none".into()
            } else {
                random.one_of(&fitting).0.as_str().into()
            }
        };
        match self.below(20) {
            0..4 => Change::Mkdir(free),
            4..6 => Change::Create(free),
            6 => Change::Write(of(self, |kind| *kind == Kind::File)),
            7..9 => Change::Rmdir(of(self, |kind| matches!(kind, Kind::Folder(_)))),
            9 => Change::Remove(of(self, |kind| !matches!(kind, Kind::Folder(_)))),
            10 => Change::Chmod(entry),
            11 => Change::Symlink(self.one_of(&folders).as_str().into(), free),
            12 => Change::HardLink(of(self, |kind| *kind == Kind::File), free),
            13..15 => {
                let other = of(self, |_| true);
                Change::Exchange(entry, other)
            }
            15..17 => {
                let folder = of(self, |kind| matches!(kind, Kind::Folder(_)));
                let other = of(self, |kind| matches!(kind, Kind::Folder(_)));
                Change::Rename(folder, other)
            }
            _ => Change::Rename(entry, free),
        }
    }
}

fn collect(
    disk: &Disk,
    folder: Inode,
    path: &str,
    folders: &mut Vec<String>,
    entries: &mut Vec<(String, Inode)>,
) {
    for (name, inode) in disk.entries(folder) {
        let path = format!("{path}/{name}");
        if disk.is_folder(inode) {
            folders.push(path.clone());
            collect(disk, inode, &path, folders, entries);
        }
        entries.push((path, inode));
    }
}
