//! What can be chosen: [`Settings`]. {%- capture source %}

use notify_backend::{is_networked, prelude::*};

/// Where the backend watches although it cannot see all changes.
///
/// ```no_run
/// use notify_backend::prelude::*;
/// use notify_backend_inotify::{InotifyBackend, Settings};
///
/// let settings = Settings::default().watch_networked(true);
/// let changes = InotifyBackend::with_settings(settings, vec![Watch::recursive("/mnt/share")])?;
/// # Ok::<_, BackendError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    watch_networked: bool,
}

impl Settings {
    /// Sets whether paths on network file systems are watched; by default they are refused.
    ///
    /// The kernel reports only the changes that this machine makes there.
    #[must_use]
    pub fn watch_networked(mut self, watch: bool) -> Self {
        self.watch_networked = watch;
        self
    }

    /// Refuses watches on paths where the kernel does not report changes by other machines.
    pub(crate) fn check(self, watches: &[Watch]) -> Result<(), BackendError> {
        if self.watch_networked {
            return Ok(());
        }
        // What cannot be looked at is refused for that reason, when it is watched.
        let is_refused = |watch: &&Watch| is_networked(place(watch)).unwrap_or(false);
        let refused: Vec<_> = watches.iter().filter(is_refused).map(|watch| &watch.path).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let reason = "inotify does not report what others change on a network file system; use a \
                      backend that looks at the files, or allow it by Settings::watch_networked";
        Err(BackendError::unavailable_at(reason, refused))
    }
}

/// What has to be on this machine: the folder that a link is in, if that is not followed.
fn place(watch: &Watch) -> &Path {
    match watch.path.parent() {
        Some(folder) if !watch.follow_links && watch.path.is_symlink() => {
            if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
        }
        _ => &watch.path,
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_inotify", crate_name | replace: "InotifyBackend", type_name -}}
