//! Programs of changes, as text: [`Script`].

use std::fmt;

use super::disk::Change;

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// A change, and all its notes.
    Make(Change),
    /// A change, without its notes.
    Begin(Change),
    /// The next note of the change that has been under way for longest.
    Notify,
    /// A step that is taken after the reader has made this number of calls to the system or the platform,
    /// which includes reading an event.
    After(usize, Box<Self>),
    /// All events are read.
    Read,
    /// A folder is watched, and if the flag is set, also for accesses.
    Watch(String, bool),
    Unwatch(String),
    /// A folder is opened, and stays open until the next `Close`, which closes the one that was opened
    /// first.
    Open(String),
    Close,
    /// A folder is opened, read and closed.
    List(String),
    /// A fence: something is watched for an instant.
    Fence,
}

/// A program with one step per line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Script(pub(super) Vec<Step>);

impl Script {
    /// Parses the output of [`Display`](fmt::Display). Skips empty lines and those that begin with `#`.
    #[track_caller]
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(
            lines
                .map(|line| Step::parse(line).unwrap_or_else(|| panic!("step {line:?}")))
                .collect(),
        )
    }

    /// Returns the shortest part that still `fails`, as far as leaving out steps can find it.
    pub(super) fn shrink(&self, fails: impl Fn(&Self) -> bool) -> Self {
        let mut shortest = self.clone();
        let mut part = shortest.0.len().div_ceil(2);
        while part > 0 {
            let mut start = 0;
            let mut has_shrunk = false;
            while start < shortest.0.len() {
                let mut shorter = shortest.clone();
                shorter.0.drain(start..(start + part).min(shortest.0.len()));
                if fails(&shorter) {
                    shortest = shorter;
                    has_shrunk = true;
                } else {
                    start += part;
                }
            }
            if !has_shrunk || part > 1 {
                part /= 2;
            }
        }
        shortest
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl Step {
    fn parse(line: &str) -> Option<Self> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        Some(match verb {
            "begin" => Self::Begin(Change::parse(rest)?),
            "notify" => Self::Notify,
            "after" => {
                let (calls, step) = rest.split_once(' ')?;
                Self::After(calls.parse().ok()?, Box::new(Self::parse(step)?))
            }
            "read" => Self::Read,
            "watch" => Self::Watch(rest.into(), false),
            "watch-accesses" => Self::Watch(rest.into(), true),
            "unwatch" => Self::Unwatch(rest.into()),
            "open" => Self::Open(rest.into()),
            "close" => Self::Close,
            "list" => Self::List(rest.into()),
            "fence" => Self::Fence,
            _ => Self::Make(Change::parse(line)?),
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Make(change) => write!(f, "{change}"),
            Self::Begin(change) => write!(f, "begin {change}"),
            Self::Notify => f.write_str("notify"),
            Self::After(calls, step) => write!(f, "after {calls} {step}"),
            Self::Read => f.write_str("read"),
            Self::Watch(path, false) => write!(f, "watch {path}"),
            Self::Watch(path, true) => write!(f, "watch-accesses {path}"),
            Self::Unwatch(path) => write!(f, "unwatch {path}"),
            Self::Open(path) => write!(f, "open {path}"),
            Self::Close => f.write_str("close"),
            Self::List(path) => write!(f, "list {path}"),
            Self::Fence => f.write_str("fence"),
        }
    }
}

impl Change {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (verb, path) = (words.next()?, words.next()?.into());
        let mut other = || words.next().map(Into::into);
        Some(match verb {
            "mkdir" => Self::Mkdir(path),
            "rmdir" => Self::Rmdir(path),
            "create" => Self::Create(path),
            "write" => Self::Write(path),
            "remove" => Self::Remove(path),
            "chmod" => Self::Chmod(path),
            "symlink" => Self::Symlink(path, other()?),
            "link" => Self::HardLink(path, other()?),
            "rename" => Self::Rename(path, other()?),
            "exchange" => Self::Exchange(path, other()?),
            _ => return None,
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mkdir(path) => write!(f, "mkdir {path}"),
            Self::Rmdir(path) => write!(f, "rmdir {path}"),
            Self::Create(path) => write!(f, "create {path}"),
            Self::Write(path) => write!(f, "write {path}"),
            Self::Remove(path) => write!(f, "remove {path}"),
            Self::Chmod(path) => write!(f, "chmod {path}"),
            Self::Symlink(target, path) => write!(f, "symlink {target} {path}"),
            Self::HardLink(from, to) => write!(f, "link {from} {to}"),
            Self::Rename(from, to) => write!(f, "rename {from} {to}"),
            Self::Exchange(one, other) => write!(f, "exchange {one} {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_reads_what_it_prints() {
        let text = "mkdir /r/a\nbegin rename /r/a /s/b\nnotify\nafter 3 symlink /r /r/a\nread\nwatch /r\n\
                    watch-accesses /s\nunwatch /r\nopen /r\nclose\nlist /r\nfence\nlink /r/a /r/b\n\
                    exchange /r/a /r/b\nrmdir /r/a\ncreate /r/a\nwrite /r/a\nremove /r/a\nchmod /r\n";
        assert_eq!(Script::parse(text).to_string(), text);
    }

    #[test]
    fn a_script_is_shortened_to_the_steps_that_fail() {
        let script = Script::parse("mkdir /a\nmkdir /b\nread\nmkdir /c\nnotify\nread");
        let fails = |part: &Script| {
            part.to_string().contains("mkdir /b") && part.to_string().contains("notify")
        };
        assert_eq!(script.shrink(fails), Script::parse("mkdir /b\nnotify"));
    }
}
