//! The settings: [`Settings`]. {%- capture source %}

use notify_backend::{check_local, prelude::*, settings::Hints};

/// Whether the backend watches where it cannot see all changes, and what it says of a change.
///
/// ```no_run
/// use notify_backend::prelude::*;
/// use notify_backend_fanotify::{FanotifyBackend, Settings};
///
/// let settings = Settings::default().report_processes(true);
/// let changes = FanotifyBackend::with_settings(settings, vec![Watch::recursive("/srv")])?;
/// # Ok::<_, BackendError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    watch_networked: bool,
    report_processes: bool,
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

    /// Sets whether events name the [process](notify_backend::event::Attrs::process) that caused them; by
    /// default they do not, since that takes memory for each event.
    ///
    /// Only root of the whole system learns of other processes, and only of those in this program's PID
    /// namespace. For root of a user namespace, only the program's own events name a process. See the manual
    /// page of `fanotify_init`. What a look has found, such as an unmount, names none.
    #[must_use]
    pub fn report_processes(mut self, report: bool) -> Self {
        self.report_processes = report;
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

    pub(crate) fn reports_processes(self) -> bool {
        self.report_processes
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
