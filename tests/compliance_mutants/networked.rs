//! A backend that claims to see what other machines change, and hears only this kernel.

use std::{fs, io, os::unix, path::Path};

use notify_backend::{
    compliance::{Suite, View},
    prelude::*,
};

use crate::{
    kills::{Entry, entry},
    mutant::{Mutant, Mutation},
};

pub(crate) fn mutants() -> Vec<Entry> {
    let entry = entry::<HearsThisKernel>("hears_this_kernel", &["NET01", "NET02", "NET03"]);
    vec![entry.seen_through(copy)]
}

/// A backend that sees through the view, which must pass.
pub(crate) fn control() -> Suite {
    Suite::of::<Mutant<SeesTheView>>().seen_through(link)
}

/// The cases that it must pass, also those whose paths are spelled in odd ways.
pub(crate) const CONTROL: &[&str] = &[
    "NET01", "NET02", "NET03", "CON05", "FIL01", "NAME01", "REN02", "PERM01", "OVF03", "CHG01",
    "CHG03", "RES01",
];

#[derive(Debug, Default)]
pub(crate) struct SeesTheView;
impl Mutation for SeesTheView {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.with(Capability::WatchNetworkedFilesystem)
    }
}

/// Watches folders in which this kernel reports nothing, as those of a network mount.
#[derive(Debug, Default)]
struct HearsThisKernel;
impl Mutation for HearsThisKernel {
    fn capabilities(right: Capabilities) -> Capabilities {
        right.with(Capability::WatchNetworkedFilesystem)
    }
}

/// Returns a place beside the folder of a case.
fn beside(folder: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("view-").tempdir_in(folder.parent().unwrap_or(folder))
}

/// A link to the folder: kernels see through it.
fn link(folder: &Path) -> io::Result<View> {
    let place = beside(folder)?;
    let link = place.path().join("link");
    unix::fs::symlink(folder, &link)?;
    Ok(View::new(link).keeping(place))
}

/// A copy of the folder, made at the beginning: kernels do not see that the original changes.
fn copy(folder: &Path) -> io::Result<View> {
    let place = beside(folder)?;
    for entry in fs::read_dir(folder)? {
        fs::create_dir(place.path().join(entry?.file_name()))?;
    }
    // What one of the cases watches.
    fs::write(place.path().join("tree/file"), "")?;
    Ok(View::new(place.path()).keeping(place))
}
