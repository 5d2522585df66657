//! What is asked of the daemon for a watch, and how its names become paths: [`Target`]. {%- capture source %}

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

use notify_backend::prelude::*;

use crate::{bser::Term, settings::Expression};

/// A watched path, as the daemon knows it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As the user has spelled it.
    pub(crate) watch: Watch,
    /// The folder that the daemon is asked to watch: the path itself, or that of a file.
    pub(crate) folder: PathBuf,
    /// The name of a file in it; `None` for a folder.
    name: Option<Vec<u8>>,
    identity: Identity,
}

impl Target {
    /// Finds out what is at the path of a watch.
    pub(crate) fn of(watch: Watch) -> io::Result<Self> {
        // A link is an entry of its own.
        let (folder, name) = if fs::symlink_metadata(&watch.path)?.is_dir() {
            (watch.path.canonicalize()?, None)
        } else {
            let name = watch.path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
            let folder = match watch.path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent.canonicalize()?,
                _ => Path::new(".").canonicalize()?,
            };
            (folder, Some(name.as_bytes().to_vec()))
        };
        let identity = Identity::of(&folder)?;
        // The daemon says nothing about a folder that it cannot read.
        fs::read_dir(&folder)?;
        Ok(Self { watch, folder, name, identity })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.watch.path
    }

    /// Returns whether the folder that was there when the watch was made is still there.
    pub(crate) fn is_there(&self) -> bool {
        Identity::of(&self.folder).is_ok_and(|identity| identity == self.identity)
    }

    /// Returns whether there is the folder of the entry with this name of the daemon's.
    pub(crate) fn is_parent_there(&self, prefix: &[u8], name: &[u8]) -> bool {
        let below = name.strip_prefix(prefix).unwrap_or(name);
        let below = below.strip_prefix(b"/").unwrap_or(below);
        let parent = Path::new(OsStr::from_bytes(below)).parent();
        parent.is_some_and(|parent| self.folder.join(parent).is_dir())
    }

    pub(crate) fn is_recursive(&self) -> bool {
        self.watch.recursive
    }

    /// Returns whether the path is that of a folder, and not of a file in one.
    pub(crate) fn is_folder(&self) -> bool {
        self.name.is_none()
    }

    /// Returns whether changes of `path` are reported for this watch, by spelling.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let (own, path) = (self.path().as_os_str().as_bytes(), path.as_os_str().as_bytes());
        if own == path {
            return true;
        }
        let own = own.strip_suffix(b"/").unwrap_or(own);
        let Some(rest) = path.strip_prefix(own).and_then(|rest| rest.strip_prefix(b"/")) else {
            return false;
        };
        let mut parts = rest.split(|&byte| byte == b'/');
        // Another spelling is another watch.
        let is_plain = parts.all(|part| !matches!(part, b"" | b"." | b".."));
        is_plain && self.is_folder() && (self.watch.recursive || !rest.contains(&b'/'))
    }

    /// Returns the event that the path is gone.
    pub(crate) fn gone(&self) -> Event {
        let kind = if self.name.is_some() { RemoveKind::File } else { RemoveKind::Folder };
        Event::remove(kind, &self.watch.path)
    }

    /// Returns the expression for the watch, where the daemon's root is above the folder by `prefix`.
    pub(crate) fn expression(&self, prefix: &[u8], other: Option<&Expression>) -> Term {
        let named = |name: Vec<u8>| {
            Term::List(vec!["name".into(), Term::List(vec![Term::Text(name)]), "wholename".into()])
        };
        let scope = if let Some(name) = &self.name {
            named(join(prefix, name))
        } else {
            let mut below = vec!["dirname".into(), Term::Text(prefix.to_vec())];
            if !self.watch.recursive {
                below.push(Term::List(vec!["depth".into(), "eq".into(), Term::Number(0)]));
            }
            // The folder itself, whose removal shows only in the root above it.
            Term::List(vec!["anyof".into(), Term::List(below), named(prefix.to_vec())])
        };
        match other {
            Some(Expression(other)) => Term::List(vec!["allof".into(), scope, other.clone()]),
            None => scope,
        }
    }

    /// Returns what a name of the daemon's means below the root that is above the folder by `prefix`.
    pub(crate) fn place(&self, prefix: &[u8], name: &[u8]) -> Place {
        let parts = || Path::new(OsStr::from_bytes(name)).components();
        // `Path` drops what is odd within a name, such as `//`, so that is compared too.
        let plain = parts().map(|part| part.as_os_str().as_bytes()).collect::<Vec<_>>().join(&b'/');
        let is_plain = parts().all(|part| matches!(part, Component::Normal(_)))
            && plain == name
            && !name.contains(&0)
            && !name.is_empty();
        if !is_plain {
            return Place::Forged;
        }
        if let Some(own) = &self.name {
            let is_own = join(prefix, own) == name;
            return if is_own { Place::Itself } else { Place::Elsewhere };
        }
        if name == prefix {
            return Place::Itself;
        }
        let rest = if prefix.is_empty() {
            Some(name)
        } else {
            name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(b"/"))
        };
        match rest {
            Some(rest) if self.watch.recursive || !rest.contains(&b'/') => {
                Place::Below(self.watch.path.join(OsStr::from_bytes(rest)))
            }
            _ => Place::Elsewhere,
        }
    }
}

/// Where a name of the daemon's is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The watched path.
    Itself,
    /// Below it, spelled as the user has spelled it.
    Below(PathBuf),
    /// Outside of it.
    Elsewhere,
    /// In no folder: no daemon sends that.
    Forged,
}

fn join(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    if prefix.is_empty() { name.to_vec() } else { [prefix, name].join(&b'/') }
}

/// What a folder is known again by. Its number may be that of another after it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    number: u64,
    born: Option<SystemTime>,
}

impl Identity {
    fn of(folder: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(folder)?;
        if !metadata.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let born = metadata.created().ok();
        Ok(Self { device: metadata.dev(), number: metadata.ino(), born })
    }
}
//~{% endcapture %}{{ source | remove: "//~" -}}
