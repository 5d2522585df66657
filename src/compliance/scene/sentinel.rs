//! The files by which barriers are made, and where they are: [`Sentinels`].

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::compliance::{
    record::timeline::Timeline,
    rules::failure::{Step, Stop},
};

/// The prefix of their names, by which they differ from the files of a case.
const PREFIX: &str = "suite-sentinel-";

/// Returns whether `path` is that of a sentinel file.
pub(crate) fn is_sentinel(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()))
}

/// The watched places in which barriers can be set up.
#[derive(Debug, Default)]
pub(crate) struct Sentinels(Vec<Place>);

#[derive(Debug)]
enum Place {
    /// A watched folder, in which files are made.
    Folder(PathBuf),
    /// A watched file, to which bytes are added, through the descriptor.
    File(PathBuf, fs::File),
}

impl Sentinels {
    /// Adds a watched path, if it is one for barriers.
    pub(crate) fn add(&mut self, path: &Path) -> Step {
        if path.is_dir() {
            self.0.push(Place::Folder(path.to_owned()));
        } else if is_sentinel(path) {
            let file = fs::OpenOptions::new().append(true).open(path);
            let file = file.map_err(|error| Stop::Broken(format!("sentinel file: {error}")))?;
            self.0.push(Place::File(path.to_owned(), file));
        }
        Ok(())
    }

    /// Removes a path that is not watched any longer.
    pub(crate) fn remove(&mut self, path: &Path) {
        self.0.retain(|place| match place {
            Place::Folder(place) | Place::File(place, _) => place.as_os_str() != path.as_os_str(),
        });
    }

    /// Makes a file in each watched folder and in `folder`, and writes to each watched sentinel file.
    /// Returns their paths.
    pub(crate) fn touch(
        &mut self,
        timeline: &Timeline,
        folder: Option<&Path>,
    ) -> Step<Vec<PathBuf>> {
        // Never the same twice in a process: backends of one case may share a folder.
        static BARRIERS: AtomicUsize = AtomicUsize::new(0);
        let number = BARRIERS.fetch_add(1, Ordering::Relaxed);
        let made = timeline.while_changing(|| self.try_touch(number, folder));
        made.map_err(|error| Stop::Broken(format!("could not set up a barrier: {error}")))
    }

    fn try_touch(&mut self, number: usize, folder: Option<&Path>) -> io::Result<Vec<PathBuf>> {
        let mut touched = Vec::new();
        let folders = self.0.iter().filter_map(|place| match place {
            Place::Folder(folder) => folder.is_dir().then_some(folder.as_path()),
            Place::File(..) => None,
        });
        for folder in folder.into_iter().chain(folders) {
            let path = folder.join(format!("{PREFIX}{number}"));
            if !touched.contains(&path) {
                fs::File::create_new(&path)?;
                touched.push(path);
            }
        }
        for place in &mut self.0 {
            if let Place::File(path, file) = place {
                // One write to an open file is one event, also with access events.
                file.write_all(b".")?;
                touched.push(path.clone());
            }
        }
        Ok(touched)
    }
}
