//! Every case, by group.

mod access;
mod calls;
mod changing;
mod construction;
mod convergence;
mod files;
mod folders;
mod hardlinks;
mod metadata;
mod moving;
mod names;
mod networked;
mod ordering;
pub(super) mod overflow;
mod permissions;
mod recursion;
mod renames;
mod resources;
mod resuming;
mod roots;
mod saves;
mod scale;
mod stream;
mod symlinks;

use super::case::{Group, Listed};

/// The groups, in the order of the catalogue. A new group is named here.
pub(super) const GROUPS: &[Group] = &[
    construction::GROUP,
    stream::GROUP,
    files::GROUP,
    folders::GROUP,
    recursion::GROUP,
    renames::GROUP,
    moving::GROUP,
    roots::GROUP,
    saves::GROUP,
    symlinks::GROUP,
    hardlinks::GROUP,
    metadata::GROUP,
    access::GROUP,
    names::GROUP,
    permissions::GROUP,
    networked::GROUP,
    overflow::GROUP,
    ordering::GROUP,
    resources::GROUP,
    scale::GROUP,
    changing::GROUP,
    resuming::GROUP,
    convergence::GROUP,
];

/// Every case, in the order of the groups.
pub(super) fn all() -> impl Iterator<Item = Listed> {
    GROUPS.iter().flat_map(|group| group.cases.iter().map(move |case| Listed { group, case }))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_case_is_described_and_has_its_own_name() {
        let mut names = HashSet::new();
        for listed in all() {
            let case = listed.case;
            assert!(names.insert(listed.full_name()), "{} twice", listed.full_name());
            assert!(names.insert(case.id.into()), "{} twice", case.id);
            assert!(!case.modes.is_empty(), "{} never runs", case.id);
            for text in [case.checks, case.why, case.usual_cause] {
                assert!(text.ends_with('.'), "{}: {text:?} is no sentence", case.id);
            }
        }
    }
}
