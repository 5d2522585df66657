//! What a backend promises: [`Capability`], and sets of them.

#[cfg(feature = "serde")]
mod serde;

use std::fmt;

/// One promise that a backend can make.
///
/// The compliance suite holds a backend to every capability that it declares, and checks that what
/// it does not declare does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[non_exhaustive]
#[repr(u16)]
pub enum Capability {
    /// Reports that files are opened, read and closed, as
    /// [`EventKind::Access`](crate::EventKind::Access). Without it no access event is emitted.
    EmitOnAccess,
    /// Follows symbolic links: a watched link reports what happens to its target, under the link's
    /// path. Without it the link itself is watched.
    FollowSymlinks,
    /// Gives the two halves of a rename the same [tracker](crate::event::Attrs::tracker).
    TrackRelated,
    /// Watches a whole file system at no cost per folder. Implies
    /// [`WatchNewFolders`](Self::WatchNewFolders).
    WatchEntireFilesystem,
    /// Accepts files as watched paths.
    WatchFiles,
    /// Accepts folders as watched paths.
    WatchFolders,
    /// Watches folders that appear in a recursively watched one, with all that is made in them from
    /// the first moment on. Implies [`WatchRecursively`](Self::WatchRecursively).
    WatchNewFolders,
    /// Watches folders below a watched folder. Implies [`WatchFolders`](Self::WatchFolders).
    WatchRecursively,
    /// Sees changes that other machines make on a networked file system.
    WatchNetworkedFilesystem,
    /// Adds and removes watches while it runs, through
    /// [`Backend::watch`](crate::Backend::watch) and [`Backend::unwatch`](crate::Backend::unwatch).
    ChangeWatches,
}

impl Capability {
    /// Every capability, in the order of declaration.
    pub const ALL: [Self; 10] = [
        Self::EmitOnAccess,
        Self::FollowSymlinks,
        Self::TrackRelated,
        Self::WatchEntireFilesystem,
        Self::WatchFiles,
        Self::WatchFolders,
        Self::WatchNewFolders,
        Self::WatchRecursively,
        Self::WatchNetworkedFilesystem,
        Self::ChangeWatches,
    ];

    /// The capability that this one cannot be had without, if there is one.
    #[must_use]
    pub const fn implies(self) -> Option<Self> {
        match self {
            Self::WatchEntireFilesystem => Some(Self::WatchNewFolders),
            Self::WatchNewFolders => Some(Self::WatchRecursively),
            Self::WatchRecursively => Some(Self::WatchFolders),
            _ => None,
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A set of [`Capability`] values.
///
/// ```
/// use notify_backend::{Capabilities, Capability};
///
/// const PROMISED: Capabilities =
///     Capabilities::declare(&[Capability::WatchFolders, Capability::WatchRecursively]);
/// assert!(PROMISED.contains(Capability::WatchFolders));
/// assert_eq!(PROMISED.to_string(), "WatchFolders, WatchRecursively");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u16);

impl Capabilities {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set that a backend promises.
    ///
    /// # Panics
    ///
    /// If a capability is named without the one that it [implies](Capability::implies). Call it in
    /// a `const`, and the mistake is a compile error:
    ///
    /// ```compile_fail
    /// # use notify_backend::{Capabilities, Capability};
    /// const WRONG: Capabilities = Capabilities::declare(&[Capability::WatchRecursively]);
    /// # let _ = WRONG;
    /// ```
    #[must_use]
    pub const fn declare(capabilities: &[Capability]) -> Self {
        let mut set = Self::NONE;
        let mut i = 0;
        while i < capabilities.len() {
            set = set.with(capabilities[i]);
            i += 1;
        }
        assert!(
            set.missing().is_empty(),
            "a declared capability implies one that is not declared: \
             WatchEntireFilesystem needs WatchNewFolders, WatchNewFolders needs WatchRecursively, \
             WatchRecursively needs WatchFolders"
        );
        set
    }

    /// This set and `capability`.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | capability.bit())
    }

    /// This set without `capability`.
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !capability.bit())
    }

    /// Whether `capability` is in the set.
    #[must_use]
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The capabilities that those in the set imply and that are not in it.
    #[must_use]
    pub const fn missing(self) -> Self {
        let mut missing = Self::NONE;
        let mut i = 0;
        while i < Capability::ALL.len() {
            if self.contains(Capability::ALL[i])
                && let Some(implied) = Capability::ALL[i].implies()
                && !self.contains(implied)
            {
                missing = missing.with(implied);
            }
            i += 1;
        }
        missing
    }

    /// The members, in the order of [`Capability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |&capability| self.contains(capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, capability) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{capability}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
