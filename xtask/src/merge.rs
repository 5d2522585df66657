//! What a newer template changed, applied to a crate that its author has changed too.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use walkdir::WalkDir;

/// A crate as three folders have it.
pub(crate) struct Merge<'a> {
    /// As its template made it, of this version.
    pub(crate) old: (&'a Path, &'a str),
    /// As the newer template makes it, of this version.
    pub(crate) new: (&'a Path, &'a str),
    /// As its author has it; this is what changes.
    pub(crate) project: &'a Path,
}

/// What became of a file that the template has changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Added,
    Updated,
    Removed,
    /// Changed by both sides, in different places.
    Merged,
    /// Changed by both sides in the same places, which conflict markers show.
    Conflict,
    /// Removed by the author; it stays so.
    LeftOut,
    /// Removed by the template, but changed by the author; it stays.
    Kept,
}

impl Merge<'_> {
    /// Merges each file that the template has changed; says what became of it.
    pub(crate) fn run(&self) -> Result<Vec<(PathBuf, Outcome)>> {
        let mut paths = files(self.old.0)?;
        paths.append(&mut files(self.new.0)?);
        let mut outcomes = Vec::new();
        for path in paths {
            let outcome =
                self.file(&path).with_context(|| format!("cannot merge {}", path.display()))?;
            outcomes.extend(outcome.map(|outcome| (path, outcome)));
        }
        Ok(outcomes)
    }

    fn file(&self, path: &Path) -> Result<Option<Outcome>> {
        let [old, new] = [self.old.0, self.new.0].map(|folder| folder.join(path));
        let project = self.project.join(path);
        let (before, after, ours) = (read(&old)?, read(&new)?, read(&project)?);
        if before == after || ours == after {
            return Ok(None);
        }
        Ok(Some(match (before, after, ours) {
            (before, Some(text), ours) if before == ours => {
                fs::create_dir_all(project.parent().context("a file without a folder")?)?;
                fs::write(&project, text)?;
                if ours.is_some() { Outcome::Updated } else { Outcome::Added }
            }
            (before, None, ours) if before == ours => {
                fs::remove_file(&project)?;
                self.remove_empty_folders(path)?;
                Outcome::Removed
            }
            (_, None, _) => Outcome::Kept,
            (_, _, None) => Outcome::LeftOut,
            (before, Some(_), Some(_)) => {
                if before.is_none() {
                    fs::create_dir_all(old.parent().context("a file without a folder")?)?;
                    fs::write(&old, "")?;
                }
                self.merge_file(&project, &old, &new)?
            }
        }))
    }

    /// Merges the lines of one file that both sides have changed.
    fn merge_file(&self, project: &Path, old: &Path, new: &Path) -> Result<Outcome> {
        let version = |version: &str| format!("template {version}");
        let mut git = Command::new("git");
        git.args(["merge-file", "-L", "yours", "-L", &version(self.old.1)]);
        git.args(["-L", &version(self.new.1)]).args([project, old, new]);
        let output = git.output().context("cannot run git")?;
        // It answers the number of conflicts, 127 at most.
        match output.status.code() {
            Some(0) => Ok(Outcome::Merged),
            Some(1..=127) => Ok(Outcome::Conflict),
            _ => bail!("git merge-file: {}", String::from_utf8_lossy(&output.stderr).trim()),
        }
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

/// The paths of all files of a generated crate, from its folder.
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

/// The content of a file, if there is one.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
