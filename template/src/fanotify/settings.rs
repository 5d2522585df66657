//! The settings: [`Settings`]. {%- capture source %}

use notify_backend::{check_local, prelude::*};

/// Whether the backend watches where it cannot see all changes.
///
/// ```no_run
/// use notify_backend::prelude::*;
/// use notify_backend_fanotify::{FanotifyBackend, Settings};
///
/// let settings = Settings::default().watch_networked(true);
/// let changes = FanotifyBackend::with_settings(settings, vec![Watch::recursive("/mnt/share")])?;
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
        let reason = "fanotify does not report what others change on a network file system; use a \
                      backend that looks at the files, or allow it by Settings::watch_networked";
        check_local(watches, reason)
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_fanotify", crate_name | replace: "FanotifyBackend", type_name -}}
