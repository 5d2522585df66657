//! Sets of capabilities: [`Capabilities`].

use std::{fmt, iter::FusedIterator};

use super::Capability;

/// A set of [`Capability`] values.
///
/// A backend [declares](Self::declare) its set in a constant. Everything but iteration works in
/// constants.
///
/// ```
/// use notify_backend::{Capabilities, Capability};
///
/// const PROMISED: Capabilities =
///     Capabilities::declare(&[Capability::WatchFolders, Capability::WatchRecursively]);
/// assert!(PROMISED.contains(Capability::WatchFolders));
/// assert_eq!(PROMISED.to_string(), "WatchFolders, WatchRecursively");
///
/// for capability in PROMISED {
///     println!("{capability}");
/// }
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u16);

impl Capabilities {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// The set of all capabilities that this version of the crate knows.
    ///
    /// Use it for comparisons and tests only. A backend that declares it, even [without](Self::without) some,
    /// would promise every capability that a later version adds: [`declare`](Self::declare) the ones that it
    /// has.
    pub const ALL: Self = Self(u16::MAX >> (u16::BITS as usize - Capability::ALL.len()));

    /// Returns the set of the capabilities that a backend promises.
    ///
    /// # Panics
    ///
    /// If a capability is named without the one that it [implies](Capability::implies). In a constant, this
    /// is a compile error that names the missing one:
    ///
    /// ```compile_fail,E0080
    /// use notify_backend::{Capabilities, Capability};
    ///
    /// const PROMISED: Capabilities = Capabilities::declare(&[Capability::WatchRecursively]);
    /// # let _ = PROMISED;
    /// ```
    ///
    /// ```text
    /// error[E0080]: evaluation panicked: WatchRecursively implies WatchFolders; declare that too
    /// ```
    #[must_use]
    #[track_caller]
    pub const fn declare(capabilities: &[Capability]) -> Self {
        let mut set = Self::NONE;
        let mut i = 0;
        while i < capabilities.len() {
            set = set.with(capabilities[i]);
            i += 1;
        }
        // The message of a panic in a constant cannot be composed from names.
        let missing = set.missing();
        assert!(
            !missing.contains(Capability::WatchNewFolders),
            "WatchEntireFilesystem implies WatchNewFolders; declare that too"
        );
        assert!(
            !missing.contains(Capability::WatchRecursively),
            "WatchNewFolders implies WatchRecursively; declare that too"
        );
        assert!(
            !missing.contains(Capability::WatchFolders),
            "WatchRecursively implies WatchFolders; declare that too"
        );
        assert!(missing.is_empty(), "a capability implies one that is not declared");
        set
    }

    /// Returns this set with `capability`.
    ///
    /// ```
    /// use notify_backend::{Capabilities, Capability};
    ///
    /// let set = Capabilities::NONE.with(Capability::WatchFiles);
    /// assert!(set.contains(Capability::WatchFiles));
    /// ```
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | capability.bit())
    }

    /// Returns this set without `capability`.
    ///
    /// ```
    /// use notify_backend::{Capabilities, Capability};
    ///
    /// let set = Capabilities::ALL.without(Capability::WatchFiles);
    /// assert!(!set.contains(Capability::WatchFiles));
    /// ```
    #[must_use]
    pub const fn without(self, capability: Capability) -> Self {
        Self(self.0 & !capability.bit())
    }

    /// Returns the capabilities in this set, in `other`, or in both.
    ///
    /// ```
    /// use notify_backend::{Capabilities, Capability};
    ///
    /// let files = Capabilities::NONE.with(Capability::WatchFiles);
    /// let folders = Capabilities::NONE.with(Capability::WatchFolders);
    /// assert_eq!(files.union(folders).to_string(), "WatchFiles, WatchFolders");
    /// ```
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the capabilities in both this set and `other`.
    ///
    /// ```
    /// use notify_backend::{Capabilities, Capability};
    ///
    /// let files = Capabilities::NONE.with(Capability::WatchFiles);
    /// assert_eq!(files.intersection(Capabilities::ALL), files);
    /// ```
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the capabilities in this set that are not in `other`: none if `other` has them all.
    ///
    /// ```
    /// use notify_backend::{Capabilities, Capability};
    ///
    /// let promised = Capabilities::NONE.with(Capability::WatchFiles);
    /// let needed = promised.with(Capability::ChangeWatches);
    /// assert_eq!(needed.difference(promised).to_string(), "ChangeWatches");
    /// ```
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether `capability` is in the set.
    #[must_use]
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Returns whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the number of capabilities in the set.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Returns the capabilities that those in the set imply and that are not in the set.
    ///
    /// ```
    /// use notify_backend::{Capabilities, Capability};
    ///
    /// let set = Capabilities::NONE.with(Capability::WatchRecursively);
    /// assert_eq!(set.missing().to_string(), "WatchFolders");
    /// ```
    #[must_use]
    pub const fn missing(self) -> Self {
        let mut implied = Self::NONE;
        let mut i = 0;
        while i < Capability::ALL.len() {
            if self.contains(Capability::ALL[i])
                && let Some(capability) = Capability::ALL[i].implies()
            {
                implied = implied.with(capability);
            }
            i += 1;
        }
        implied.difference(self)
    }

    /// Returns an iterator over the members, in the order of [`Capability::ALL`].
    #[must_use]
    pub const fn iter(self) -> CapabilityIter {
        CapabilityIter(self)
    }
}

impl IntoIterator for Capabilities {
    type Item = Capability;
    type IntoIter = CapabilityIter;

    fn into_iter(self) -> CapabilityIter {
        self.iter()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        capabilities.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The members by name, or `none`.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
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

/// Yields the members of a set of capabilities; see [`Capabilities::iter`].
#[derive(Clone, Debug)]
pub struct CapabilityIter(Capabilities);

impl Iterator for CapabilityIter {
    type Item = Capability;

    fn next(&mut self) -> Option<Capability> {
        let next =
            Capability::ALL.iter().copied().find(|&capability| self.0.contains(capability))?;
        self.0 = self.0.without(next);
        Some(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl ExactSizeIterator for CapabilityIter {}

impl FusedIterator for CapabilityIter {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Returns the set of the capabilities whose bits are set.
    fn set_of(bits: u16) -> (Capabilities, BTreeSet<Capability>) {
        let members = Capability::ALL.iter().copied().enumerate();
        let members = members.filter(|(i, _)| bits & (1 << i) != 0).map(|(_, member)| member);
        let members: BTreeSet<_> = members.collect();
        (members.iter().copied().collect(), members)
    }

    const ALL_BITS: u16 = (1 << Capability::ALL.len()) - 1;

    /// The match has no wildcard, so that the compiler sends the author of a new capability here.
    #[test]
    fn the_list_is_complete_and_in_order() {
        let place = |capability| match capability {
            Capability::EmitOnAccess => 0,
            Capability::FollowSymlinks => 1,
            Capability::TrackRelated => 2,
            Capability::WatchEntireFilesystem => 3,
            Capability::WatchFiles => 4,
            Capability::WatchFolders => 5,
            Capability::WatchNewFolders => 6,
            Capability::WatchRecursively => 7,
            Capability::WatchNetworkedFilesystem => 8,
            Capability::ChangeWatches => 9,
            Capability::Resume => 10,
        };
        let places = Capability::ALL.iter().copied().map(place);
        assert!(places.eq(0..Capability::ALL.len()));
        assert_eq!(Capabilities::ALL.iter().collect::<Vec<_>>(), Capability::ALL);
    }

    #[test]
    fn every_set_has_the_members_it_was_made_of() {
        for bits in 0..=ALL_BITS {
            let (set, members) = set_of(bits);
            assert_eq!(set.iter().collect::<BTreeSet<_>>(), members);
            assert_eq!(set.iter().len(), members.len());
            assert_eq!(set.len(), members.len());
            assert_eq!(set.is_empty(), members.is_empty());
            for &capability in Capability::ALL {
                assert_eq!(set.contains(capability), members.contains(&capability));
            }
        }
    }

    #[test]
    fn operations_are_those_of_sets() {
        for a in 0..=ALL_BITS {
            // A sample of other sets, with every bit set in one and clear in another.
            for b in [0, 0b101_0101_0101, 0b010_1010_1010, 0b011_0011_0011, ALL_BITS] {
                let ((a, in_a), (b, in_b)) = (set_of(a), set_of(b));
                assert_eq!(a.union(b), in_a.union(&in_b).copied().collect());
                assert_eq!(a.intersection(b), in_a.intersection(&in_b).copied().collect());
                assert_eq!(a.difference(b), in_a.difference(&in_b).copied().collect());
            }
        }
    }

    #[test]
    fn members_can_be_added_and_removed() {
        let set = Capabilities::NONE.with(Capability::WatchFiles);
        assert_eq!(set.with(Capability::WatchFiles), set);
        assert_eq!(set.without(Capability::WatchFiles), Capabilities::NONE);
        assert_eq!(set.without(Capability::WatchFolders), set);
    }

    #[test]
    fn a_set_reads_as_a_list_of_names() {
        let set = Capabilities::declare(&[Capability::WatchFolders, Capability::EmitOnAccess]);
        assert_eq!(set.to_string(), "EmitOnAccess, WatchFolders");
        assert_eq!(format!("{set:?}"), "{EmitOnAccess, WatchFolders}");
        assert_eq!(Capabilities::NONE.to_string(), "none");
    }

    mod implications {
        use super::*;

        #[test]
        fn a_complete_declaration_is_accepted() {
            const SET: Capabilities = Capabilities::declare(Capability::ALL);
            assert_eq!(SET, Capabilities::ALL);
            assert_eq!(Capabilities::declare(&[]), Capabilities::NONE);
        }

        #[test]
        fn the_missing_capability_is_named_at_every_step() {
            let set = set_of(0).0.with(Capability::WatchEntireFilesystem);
            assert_eq!(set.missing().to_string(), "WatchNewFolders");
            let set = set.with(Capability::WatchNewFolders);
            assert_eq!(set.missing().to_string(), "WatchRecursively");
            let set = set.with(Capability::WatchRecursively);
            assert_eq!(set.missing().to_string(), "WatchFolders");
            let set = set.with(Capability::WatchFolders);
            assert_eq!(set.missing(), Capabilities::NONE);
        }

        /// The message of the compile error. An implication that `declare` does not spell out fails here.
        #[test]
        fn the_missing_capability_is_named_in_the_panic() {
            for &capability in Capability::ALL {
                if let Some(implied) = capability.implies() {
                    let panic = std::panic::catch_unwind(|| Capabilities::declare(&[capability]));
                    let message = panic.unwrap_err().downcast::<&str>().unwrap();
                    let expected = format!("{capability} implies {implied}; declare that too");
                    assert_eq!(*message, expected);
                }
            }
        }
    }
}
