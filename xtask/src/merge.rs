//! Applies a newer template's changes to a crate that its author has changed too.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tempfile::tempdir;
use walkdir::WalkDir;

use crate::{
    git,
    line_ends::{LineEnds, to_unix},
};

/// Three versions of a crate, each in its own folder.
pub(crate) struct Merge<'a> {
    /// Generated from the old template; and the template's version.
    pub(crate) old: (&'a Path, &'a str),
    /// Generated from the newer template; and the template's version.
    pub(crate) new: (&'a Path, &'a str),
    /// The author's own, which the merge changes.
    pub(crate) project: &'a Path,
}

/// The result for a file that the template has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Added,
    Updated,
    Removed,
    /// Changed by both sides, in different places.
    Merged,
    /// Changed by both sides in the same places, which conflict markers show.
    Conflict,
    /// Removed by the author; it stays removed.
    LeftOut,
    /// Removed by the template, but changed by the author; it stays.
    Kept,
}

/// A planned change of one file.
struct Change {
    outcome: Outcome,
    /// The new content; `None` if the file is kept or removed.
    text: Option<Vec<u8>>,
}

impl Merge<'_> {
    /// Merges each file that the template has changed, and returns the outcomes. Writes to the crate only
    /// after every merge has succeeded.
    pub(crate) fn run(&self) -> Result<Vec<(PathBuf, Outcome)>> {
        let mut paths = files(self.old.0)?;
        paths.append(&mut files(self.new.0)?);
        let mut changes = Vec::new();
        for path in paths {
            let change =
                self.change(&path).with_context(|| format!("cannot merge {}", path.display()))?;
            changes.extend(change.map(|change| (path, change)));
        }
        for (path, change) in &changes {
            self.apply(path, change)
                .with_context(|| format!("cannot change {}", path.display()))?;
        }
        Ok(changes.into_iter().map(|(path, change)| (path, change.outcome)).collect())
    }

    fn change(&self, path: &Path) -> Result<Option<Change>> {
        let before = read(&self.old.0.join(path))?;
        let after = read(&self.new.0.join(path))?;
        let ours = read(&self.project.join(path))?;
        let line_ends = match &ours {
            Some(ours) => LineEnds::of(ours),
            // A new file gets the line endings of the existing ones.
            None => LineEnds::of(&read(&self.project.join("Cargo.toml"))?.unwrap_or_default()),
        };
        let [before, after, ours] =
            [before, after, ours].map(|text| text.map(|text| to_unix(&text)));
        if before == after || ours == after {
            return Ok(None);
        }
        let (outcome, text) = match (before, after, ours) {
            (before, Some(after), ours) if before == ours => {
                (if ours.is_some() { Outcome::Updated } else { Outcome::Added }, Some(after))
            }
            (before, None, ours) if before == ours => (Outcome::Removed, None),
            (_, None, _) => (Outcome::Kept, None),
            (_, _, None) => (Outcome::LeftOut, None),
            (before, Some(after), Some(ours)) => {
                let (text, is_conflict) = self.lines(&ours, &before.unwrap_or_default(), &after)?;
                (if is_conflict { Outcome::Conflict } else { Outcome::Merged }, Some(text))
            }
        };
        Ok(Some(Change { outcome, text: text.map(|text| line_ends.apply(text)) }))
    }

    /// Merges the lines of one file that both sides have changed.
    fn lines(&self, ours: &[u8], before: &[u8], after: &[u8]) -> Result<(Vec<u8>, bool)> {
        let folder = tempdir()?;
        let file = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, text).map(|()| path)
        };
        let [old, new] = [self.old.1, self.new.1].map(|version| format!("template {version}"));
        git::merge_file(
            (&file("ours", ours)?, "yours"),
            (&file("before", before)?, &old),
            (&file("after", after)?, &new),
        )
    }

    fn apply(&self, path: &Path, change: &Change) -> Result<()> {
        let project = self.project.join(path);
        if let Some(text) = &change.text {
            fs::create_dir_all(project.parent().context("a file without a folder")?)?;
            fs::write(&project, text)?;
        }
        if change.outcome == Outcome::Removed {
            fs::remove_file(&project)?;
            self.remove_empty_folders(path)?;
        }
        Ok(())
    }

    fn remove_empty_folders(&self, path: &Path) -> Result<()> {
        let inside = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        for folder in inside.map(|folder| self.project.join(folder)) {
            if fs::read_dir(&folder)?.next().is_some() {
                break;
            }
            fs::remove_dir(folder)?;
        }
        Ok(())
    }
}

/// Returns the paths of all files of a generated crate, relative to its folder.
fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        if entry.file_type().is_file() {
            files.insert(entry.path().strip_prefix(folder)?.to_owned());
        }
    }
    Ok(files)
}

/// Returns the content of a file, if there is one.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
