//! The backend under test, without its type: the cases are compiled once for all backends.

use std::{fmt, io, path::Path};

use super::view::{Spelling, View, Viewing};
use crate::{
    compliance::rules::profile::Profile,
    contract::{
        backend::{About, Backend, Watch},
        cursor::Cursor,
        error::BackendError,
        settings::Hints,
    },
};

/// What a suite is given to make a source forget or lose something.
pub(crate) type Forget = fn(&Path) -> io::Result<()>;

type New = fn(Vec<Watch>) -> Result<Box<dyn Backend>, BackendError>;
type WithHints = fn(Vec<Watch>, &Hints) -> Result<Box<dyn Backend>, BackendError>;
type Resume = fn(Vec<Watch>, &Cursor) -> Result<Box<dyn Backend>, BackendError>;

/// What the suite needs of a backend's type.
#[derive(Clone)]
pub(crate) struct Subject {
    /// The type's path, which tells backends apart that share a test program.
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) new: New,
    pub(crate) with_hints: WithHints,
    pub(crate) resume: Resume,
    /// Makes the source forget what happened at a path.
    pub(crate) forget: Option<Forget>,
    /// Makes the source lose what happened at a path or below, and say so.
    pub(crate) lose: Option<Forget>,
    /// Makes the view of a folder that the backend is given, instead of the folder itself.
    pub(crate) view: Option<fn(&Path) -> io::Result<View>>,
    /// How paths are spelled in that view, once it was made.
    pub(crate) spelling: Option<Spelling>,
    /// What its type declares.
    pub(crate) declared: fn() -> About,
    /// What a value of it declares, once one was made.
    pub(crate) said: Option<About>,
    /// What it is compared with.
    pub(crate) other: Option<Other>,
    /// Whether other cases make changes at the same time.
    pub(crate) is_beside_others: bool,
}

/// Another backend, which is taken to be right.
#[derive(Clone)]
pub(crate) struct Other {
    pub(crate) new: New,
    pub(crate) declared: fn() -> About,
    pub(crate) profile: Profile,
}

impl Subject {
    pub(crate) const fn of<B: Backend>() -> Self {
        Self {
            type_name: std::any::type_name::<B>,
            new: |watches| Ok(Box::new(B::new(watches)?)),
            with_hints: |watches, hints| Ok(Box::new(B::with_hints(watches, hints)?)),
            resume: |watches, from| Ok(Box::new(B::resume(watches, from)?)),
            forget: None,
            lose: None,
            view: None,
            spelling: None,
            declared: About::of::<B>,
            said: None,
            other: None,
            is_beside_others: true,
        }
    }

    /// Returns the same subject, compared with the backend `B`.
    pub(crate) fn beside<B: Backend>(mut self, profile: Profile) -> Self {
        let Self { new, declared, .. } = Self::of::<B>();
        self.other = Some(Other { new, declared, profile });
        self
    }

    /// Makes the backend. It watches the view, if there is one.
    pub(crate) fn make(&self, watches: Vec<Watch>) -> Result<Box<dyn Backend>, BackendError> {
        self.made(watches, self.new)
    }

    /// Makes the backend, and gives it hints.
    pub(crate) fn make_with_hints(
        &self,
        watches: Vec<Watch>,
        hints: &Hints,
    ) -> Result<Box<dyn Backend>, BackendError> {
        self.made(watches, |watches| (self.with_hints)(watches, hints))
    }

    /// Makes the backend, which goes on from a cursor.
    pub(crate) fn resume(
        &self,
        watches: Vec<Watch>,
        from: &Cursor,
    ) -> Result<Box<dyn Backend>, BackendError> {
        self.made(watches, |watches| (self.resume)(watches, from))
    }

    fn made(
        &self,
        watches: Vec<Watch>,
        new: impl FnOnce(Vec<Watch>) -> Result<Box<dyn Backend>, BackendError>,
    ) -> Result<Box<dyn Backend>, BackendError> {
        match &self.spelling {
            None => new(watches),
            Some(spelling) => Ok(Box::new(Viewing::make(spelling, watches, new)?)),
        }
    }

    /// Returns what it is judged by.
    pub(crate) fn about(&self) -> About {
        self.said.clone().unwrap_or_else(self.declared)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((self.type_name)())
    }
}
