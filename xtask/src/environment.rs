//! Changes to the environment without which cargo-generate would fail.

use std::{env, ffi::OsString};

use crate::git;

/// Returns the variables to set, or to remove.
pub(crate) fn changes() -> Vec<(OsString, Option<OsString>)> {
    let author = missing_author().unwrap_or_default();
    let author = author.into_iter().map(|(name, value)| (name.into(), Some(value.into())));
    unreadable().chain(author).collect()
}

/// Returns the variables that are not valid Unicode, each with the closest valid value. cargo-generate reads
/// them all.
fn unreadable() -> impl Iterator<Item = (OsString, Option<OsString>)> {
    let odd =
        env::vars_os().filter(|(name, value)| name.to_str().is_none() || value.to_str().is_none());
    odd.map(|(name, value)| {
        let is_readable = name.to_str().is_some();
        (name, is_readable.then(|| value.to_string_lossy().into_owned().into()))
    })
}

/// Returns the environment variables that cargo-generate needs to find an author; `None` if it finds one
/// without them.
///
/// Built without git support, cargo-generate looks for an author only in the environment, and fails if there
/// is none, as in a bare container. The author is then empty.
fn missing_author() -> Option<Vec<(&'static str, String)>> {
    let is_set = |name: &&str| env::var(name).is_ok();
    if ["CARGO_NAME", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"].iter().any(is_set) {
        return None;
    }
    let user = ["USER", "USERNAME", "NAME"].iter().find_map(|name| env::var(name).ok());
    let name = git::config("user.name").or(user).unwrap_or_default();
    let mut author = vec![("CARGO_NAME", name)];
    if !["CARGO_EMAIL", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"].iter().any(is_set) {
        author.extend(git::config("user.email").map(|email| ("CARGO_EMAIL", email)));
    }
    Some(author)
}
