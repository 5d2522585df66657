//! Random changes that can be printed, replayed and shortened: [`Workload`].

use std::{fmt, path::PathBuf};

use super::tree::Tree;
use crate::{compliance::rules::failure::Step, random::Random};

/// A change to a tree of few names, so that changes meet each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Write(PathBuf),
    Append(PathBuf),
    Mkdir(PathBuf),
    Remove(PathBuf),
    RemoveAll(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(path) => write!(f, "write {}", path.display()),
            Self::Append(path) => write!(f, "append {}", path.display()),
            Self::Mkdir(path) => write!(f, "mkdir {}", path.display()),
            Self::Remove(path) => write!(f, "remove {}", path.display()),
            Self::RemoveAll(path) => write!(f, "remove-all {}", path.display()),
            Self::Rename(from, to) => write!(f, "rename {} {}", from.display(), to.display()),
        }
    }
}

impl Change {
    /// Returns the change that a line of a log describes.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (verb, path) = (words.next()?, PathBuf::from(words.next()?));
        Some(match verb {
            "write" => Self::Write(path),
            "append" => Self::Append(path),
            "mkdir" => Self::Mkdir(path),
            "remove" => Self::Remove(path),
            "remove-all" => Self::RemoveAll(path),
            "rename" => Self::Rename(path, words.next()?.into()),
            _ => return None,
        })
    }

    /// Makes the change. One that is not possible now, because a folder is missing or something is in the
    /// way, is no change.
    fn make(&self, tree: &Tree) -> Step {
        match self {
            Self::Write(path) => tree.attempt(|tree| tree.write(path, "content")),
            Self::Append(path) => tree.attempt(|tree| tree.append(path, "more")),
            Self::Mkdir(path) => tree.attempt(|tree| tree.mkdir(path)),
            Self::Remove(path) => tree.attempt(|tree| tree.remove(path)),
            Self::RemoveAll(path) => tree.attempt(|tree| tree.remove_all(path)),
            Self::Rename(from, to) => tree.attempt(|tree| tree.rename(from, to)),
        }
    }
}

/// A number of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workload(pub(crate) Vec<Change>);

impl Workload {
    /// Returns `count` changes that follow from `seed` alone; also in folders if `deep`.
    pub(crate) fn random(seed: u64, count: usize, deep: bool) -> Self {
        let mut random = Random(seed);
        Self((0..count).map(|_| random_change(&mut random, deep)).collect())
    }

    /// Returns the changes that a log describes, one per line; other lines are skipped.
    pub(crate) fn parse(log: &str) -> Self {
        Self(log.lines().filter_map(|line| Change::parse(line.trim())).collect())
    }

    /// Makes all changes.
    pub(crate) fn make(&self, tree: &Tree) -> Step {
        self.0.iter().try_for_each(|change| change.make(tree))
    }

    /// Returns the shortest part, as far as leaving out changes gets, that still `fails`; `budget` is how
    /// often it may be tried.
    pub(crate) fn shrink(&self, mut budget: usize, fails: impl Fn(&Self) -> bool) -> Self {
        let mut shortest = self.clone();
        let mut part = shortest.0.len() / 2;
        while part > 0 {
            let mut start = 0;
            while start < shortest.0.len() {
                if budget == 0 {
                    return shortest;
                }
                budget -= 1;
                let mut shorter = shortest.clone();
                shorter.0.drain(start..(start + part).min(shortest.0.len()));
                if fails(&shorter) {
                    shortest = shorter;
                } else {
                    start += part;
                }
            }
            part /= 2;
        }
        shortest
    }
}

/// A log that can be parsed again.
impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|change| writeln!(f, "  {change}"))
    }
}

/// Returns a path of one to three parts out of few names.
fn random_path(random: &mut Random, deep: bool) -> PathBuf {
    let depth = if deep { 1 + random.below(3) } else { 1 };
    (0..depth).map(|_| ["a", "b", "c", "d", "e"][random.below(5)]).collect()
}

fn random_change(random: &mut Random, deep: bool) -> Change {
    let choice = random.below(12);
    let mut path = || random_path(random, deep);
    match choice {
        0..=2 => Change::Write(path()),
        3..=4 => Change::Append(path()),
        5..=6 if deep => Change::Mkdir(path()),
        7 => Change::Remove(path()),
        8 => Change::RemoveAll(path()),
        _ => Change::Rename(path(), path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_can_be_replayed() {
        let workload = Workload::random(42, 100, true);
        assert_eq!(Workload::parse(&workload.to_string()), workload);
        assert_eq!(Workload::random(42, 100, true), workload);
        assert_ne!(Workload::random(43, 100, true), workload);
    }

    #[test]
    fn shrinking_keeps_what_matters() {
        let workload = Workload::random(1, 200, true);
        let (first, last) = (workload.0[20].clone(), workload.0[150].clone());
        let fails = |part: &Workload| part.0.contains(&first) && part.0.contains(&last);
        let shortest = workload.shrink(1000, fails);
        assert!(fails(&shortest) && shortest.0.len() <= 2, "{shortest}");
    }
}
