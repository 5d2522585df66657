//! The settings: [`Settings`]. {%- capture source %}

use notify_backend::{check_local, prelude::*, settings::Hints};

/// What the backend watches and reports beyond the default.
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
    report_closes: bool,
}

impl From<&Hints> for Settings {
    /// Takes the hints of a program that does not know this backend.
    fn from(hints: &Hints) -> Self {
        Self::default().report_closes(hints.report_closes)
    }
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

    /// Sets whether the closing of a file that was open for writing is reported for watches that do not ask for
    /// accesses; by default it is not.
    #[must_use]
    pub fn report_closes(mut self, report: bool) -> Self {
        self.report_closes = report;
        self
    }

    pub(crate) fn reports_closes(self) -> bool {
        self.report_closes
    }

    /// Refuses watches on paths where the kernel does not report changes by other machines.
    pub(crate) fn check(self, watches: &[Watch]) -> Result<(), BackendError> {
        if self.watch_networked {
            return Ok(());
        }
        let reason = "inotify does not report what others change on a network file system; use a \
                      backend that looks at the files, or allow it by Settings::watch_networked";
        check_local(watches, reason)
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_inotify", crate_name | replace: "InotifyBackend", type_name -}}
