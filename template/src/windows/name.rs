//! Names and paths as the system writes them: [`Name`], and [`Entry`].

use std::{ffi::OsString, path::PathBuf};

const SEPARATOR: u16 = b'\\' as u16;

/// A name, or a path of names, in the system's 16-bit units. These need not be valid UTF-16.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name(pub(crate) Vec<u16>);

impl Name {
    /// Returns whether it is the name of an entry, and not a path to one in a folder below.
    pub(crate) fn is_direct(&self) -> bool {
        !self.0.contains(&SEPARATOR)
    }

    /// Returns whether the file system takes both for the same name, apart from letters that only NTFS's own
    /// table relates.
    pub(crate) fn is_same_ignoring_case(&self, other: &Self) -> bool {
        let upper = |name: &Self| name.0.iter().copied().map(upper).collect::<Vec<_>>();
        upper(self) == upper(other)
    }

    /// Returns the rest of this path below a folder's: nothing if it is that folder's own.
    pub(crate) fn below(&self, folder: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(folder.0.as_slice())?;
        // The path of a drive, such as `C:\`, ends with a separator.
        let is_whole = rest.is_empty() || folder.0.last().is_none_or(|last| *last == SEPARATOR);
        match rest {
            _ if is_whole => Some(Self(rest.to_vec())),
            [SEPARATOR, rest @ ..] => Some(Self(rest.to_vec())),
            _ => None,
        }
    }

    /// Splits off the first names of a path, if it has more than these.
    pub(crate) fn split_at(&self, count: usize) -> Option<(Self, Self)> {
        let mut separators = self.0.iter().enumerate().filter(|(_, unit)| **unit == SEPARATOR);
        let (at, _) = separators.nth(count.checked_sub(1)?)?;
        Some((Self(self.0[..at].to_vec()), Self(self.0[at + 1..].to_vec())))
    }

    /// Returns the names that it consists of.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Self> {
        self.0.split(|unit| *unit == SEPARATOR).map(|part| Self(part.to_vec()))
    }

    /// Returns whether it may be the short form of a longer name, such as `PROGRA~1`.
    pub(crate) fn may_be_short(&self) -> bool {
        let is_digit = |unit: &u16| (u16::from(b'0')..=u16::from(b'9')).contains(unit);
        let is_mark = |pair: &[u16]| pair[0] == u16::from(b'~') && is_digit(&pair[1]);
        // Eight units, a dot and three more.
        self.0.len() <= 12 && self.0.windows(2).any(is_mark)
    }

    /// Adds a name to the end of a path.
    pub(crate) fn push(&mut self, name: &Self) {
        *self = self.join(name);
    }

    /// Returns this path with another one, below it, at its end. Either may be empty.
    pub(crate) fn join(&self, below: &Self) -> Self {
        let is_whole =
            [self, below].iter().any(|it| it.0.is_empty()) || self.0.ends_with(&[SEPARATOR]);
        let separator = if is_whole { None } else { Some(SEPARATOR) };
        Self(self.0.iter().copied().chain(separator).chain(below.0.iter().copied()).collect())
    }

    pub(crate) fn to_path(&self) -> PathBuf {
        system::text(&self.0).into()
    }
}

impl From<OsString> for Name {
    fn from(text: OsString) -> Self {
        Self(system::units(&text))
    }
}

/// An entry of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: Name,
    /// Whether the folder distinguishes names by case.
    pub(crate) is_case_sensitive: bool,
}

impl Entry {
    /// Returns whether the folder has this entry under a name.
    pub(crate) fn is(&self, name: &Name) -> bool {
        *name == self.name || !self.is_case_sensitive && self.name.is_same_ignoring_case(name)
    }

    /// Returns whether it is the empty path.
    pub(crate) fn is_empty(&self) -> bool {
        self.name.0.is_empty()
    }
}

/// Returns the capital letter of a unit, if that is another single unit.
fn upper(unit: u16) -> u16 {
    let Some(letter) = char::from_u32(unit.into()) else { return unit };
    let mut capital = letter.to_uppercase();
    let is_single = capital.len() == 1;
    let single = capital.next().filter(|_| is_single);
    single.and_then(|capital| u16::try_from(u32::from(capital)).ok()).unwrap_or(unit)
}

#[cfg(windows)]
mod system {
    use std::{
        ffi::{OsStr, OsString},
        os::windows::ffi::{OsStrExt, OsStringExt},
    };

    pub(super) fn text(units: &[u16]) -> OsString {
        OsString::from_wide(units)
    }

    pub(super) fn units(text: &OsStr) -> Vec<u16> {
        text.encode_wide().collect()
    }
}

/// For tests on other systems.
#[cfg(not(windows))]
mod system {
    use std::ffi::{OsStr, OsString};

    pub(super) fn text(units: &[u16]) -> OsString {
        String::from_utf16_lossy(units).replace('\\', "/").into()
    }

    pub(super) fn units(text: &OsStr) -> Vec<u16> {
        text.to_string_lossy().replace('/', "\\").encode_utf16().collect()
    }
}
