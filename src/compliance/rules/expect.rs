//! The vocabulary of expectations: the facts that a case expects to be reported.
//!
//! An expectation is fulfilled by every event that states the fact, in the detail that a platform can give:
//! `created_file("a")` by `create/file`, by `create/any` and by `any`.

use std::path::{Path, PathBuf};

use super::profile::Profile;
use crate::contract::event::{CreateKind, Event, EventKind, ModifyKind, RemoveKind, RenameMode};

/// A fact about a path that is to be reported.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// Relative to the case's tree, or absolute.
    pub(crate) path: PathBuf,
    fact: Fact,
}

#[derive(Clone, Copy, Debug)]
enum Fact {
    Created(CreateKind),
    Written,
    MetadataChanged,
    Modified,
    Removed(RemoveKind),
    MovedFrom,
    MovedTo,
    Appeared,
    Gone,
    Touched,
}

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident => $fact:expr;)*) => {
        $($(#[$doc])* pub(crate) fn $name(path: impl AsRef<Path>) -> Expected {
            Expected { path: path.as_ref().into(), fact: $fact }
        })*
    };
}

facts! {
    /// Expects a creation, of whatever kind.
    created => Fact::Created(CreateKind::Any);
    /// Expects the creation of a file.
    created_file => Fact::Created(CreateKind::File);
    /// Expects the creation of a folder.
    created_folder => Fact::Created(CreateKind::Folder);
    /// Expects a change of the content.
    written => Fact::Written;
    /// Expects a change of the content or of the metadata.
    modified => Fact::Modified;
    /// Expects a change of the metadata.
    metadata_changed => Fact::MetadataChanged;
    /// Expects a removal, of whatever kind.
    removed => Fact::Removed(RemoveKind::Any);
    /// Expects the removal of a file.
    removed_file => Fact::Removed(RemoveKind::File);
    /// Expects the removal of a folder.
    removed_folder => Fact::Removed(RemoveKind::Folder);
    /// Expects the old name of a rename; a removal, if the backend sees no renames.
    moved_from => Fact::MovedFrom;
    /// Expects the new name of a rename; a creation, if the backend sees no renames.
    moved_to => Fact::MovedTo;
    /// Expects that the path is there now, by creation or rename.
    appeared => Fact::Appeared;
    /// Expects that the path is gone, by removal or rename.
    gone => Fact::Gone;
    /// Expects any event except an access.
    touched => Fact::Touched;
}

impl Expected {
    /// Returns the same fact about another path.
    pub(crate) fn with_path(&self, path: PathBuf) -> Self {
        Self { path, fact: self.fact }
    }

    /// Returns whether `event`, at the right path, states the fact.
    pub(crate) fn is_stated_by(&self, event: &Event, profile: &Profile) -> bool {
        match (self.fact, event.kind) {
            (Fact::Touched, EventKind::Access(_) | EventKind::Missed(_)) => false,
            (Fact::Touched, _)
            | (_, EventKind::Any)
            | (Fact::Written, EventKind::Modify(ModifyKind::Any | ModifyKind::Data(_)))
            | (
                Fact::MetadataChanged,
                EventKind::Modify(ModifyKind::Any | ModifyKind::Metadata(_)),
            )
            | (
                Fact::Modified,
                EventKind::Modify(ModifyKind::Any | ModifyKind::Data(_) | ModifyKind::Metadata(_)),
            )
            | (Fact::Appeared, EventKind::Create(_))
            | (Fact::Gone, EventKind::Remove(_)) => true,
            (Fact::Written, EventKind::Modify(ModifyKind::Metadata(_)))
            | (Fact::MetadataChanged, EventKind::Modify(ModifyKind::Data(_))) => {
                !profile.distinguishes_metadata
            }
            (Fact::Created(wanted), EventKind::Create(kind)) => {
                wanted == CreateKind::Any || kind == CreateKind::Any || kind == wanted
            }
            (Fact::Removed(wanted), EventKind::Remove(kind)) => {
                wanted == RemoveKind::Any || kind == RemoveKind::Any || kind == wanted
            }
            (Fact::MovedFrom, EventKind::Remove(_)) | (Fact::MovedTo, EventKind::Create(_)) => {
                !profile.pairs_renames
            }
            (Fact::MovedFrom | Fact::Gone, EventKind::Modify(ModifyKind::Name(mode))) => {
                mode == RenameMode::From || mode == RenameMode::Any
            }
            (Fact::MovedTo | Fact::Appeared, EventKind::Modify(ModifyKind::Name(mode))) => {
                mode == RenameMode::To || mode == RenameMode::Any
            }
            _ => false,
        }
    }

    /// Returns the fact in words, for the path as `shown`.
    pub(crate) fn describe(&self, shown: &str) -> String {
        let fact = match self.fact {
            Fact::Created(CreateKind::File) => "created (create/file or create/any)",
            Fact::Created(CreateKind::Folder) => "created (create/folder or create/any)",
            Fact::Created(_) => "created (create/…)",
            Fact::Written => "written (modify/data/…)",
            Fact::Modified => "changed (modify/data/… or modify/metadata/…)",
            Fact::MetadataChanged => "changed in its metadata (modify/metadata/…)",
            Fact::Removed(RemoveKind::File) => "removed (remove/file or remove/any)",
            Fact::Removed(RemoveKind::Folder) => "removed (remove/folder or remove/any)",
            Fact::Removed(_) => "removed (remove/…)",
            Fact::MovedFrom => "renamed away (modify/name/from)",
            Fact::MovedTo => "renamed to (modify/name/to)",
            Fact::Appeared => "there now (create/… or modify/name/to)",
            Fact::Gone => "gone (remove/… or modify/name/from)",
            Fact::Touched => "touched (any event but access)",
        };
        format!("{shown} is reported as {fact}")
    }
}
