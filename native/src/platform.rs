//! The backends of each platform, the best one first: `Candidates`. A platform with backends of its own has a
//! section here and in `Cargo.toml`; everywhere else, the files are looked at from time to time.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::Candidates;
#[cfg(all(target_os = "linux", feature = "notify"))]
pub(crate) use linux::ForNotify;

#[cfg(windows)]
pub(crate) type Candidates =
    (notify_backend_windows::WindowsBackend, notify_backend_poll::PollBackend);

#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) type Candidates =
    (notify_backend_kqueue::KqueueBackend, notify_backend_poll::PollBackend);

#[cfg(not(any(unix, windows)))]
pub(crate) type Candidates = (notify_backend_poll::PollBackend,);

/// Those for programs that are written for notify.
#[cfg(all(not(target_os = "linux"), feature = "notify"))]
pub(crate) type ForNotify = Candidates;
