//! The compliance suite, whose changes are made behind a mount.

use std::{io, path::Path, time::Duration};

use notify_backend::{
    compliance::{Profile, Suite, View},
    prelude::*,
    settings::{Made, Maker},
};
use notify_backend_poll::{PollBackend, Settings};

use crate::{mount::Mount, scene::INTERVAL};

/// The cases that are about the mount. What the others check has nothing to do with one.
pub(crate) const CASES: &[&str] = &["NET01", "NET02", "NET03", "FIL01", "DIR01", "REC03"];

/// sshfs has times in seconds, so only contents show a second write within one.
struct ByContents;

impl Maker for ByContents {
    type Backend = PollBackend;

    fn make(watches: Vec<Watch>) -> Result<PollBackend, BackendError> {
        let settings = Settings::default().interval(INTERVAL).compare_contents(true);
        PollBackend::with_settings(settings, watches)
    }
}

/// Returns the suite for a backend that watches a mount of each folder.
pub(crate) fn behind_mounts() -> Suite {
    // sshfs gives a renamed file another number.
    let profile = Profile::default().sampled(INTERVAL).pairs_renames(false);
    Suite::of::<Made<ByContents>>()
        .profile(profile.mtime_granularity(Duration::from_secs(1)))
        .seen_through(mount)
}

fn mount(folder: &Path) -> io::Result<View> {
    let mount = Mount::of(folder).map_err(io::Error::other)?;
    Ok(View::new(mount.path("")).keeping(mount))
}
