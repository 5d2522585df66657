//! The backends of each platform, the best one first: `Candidates`. A platform with backends of its own has a
//! section here and in `Cargo.toml`; everywhere else, the files are looked at from time to time.

#[cfg(target_os = "linux")]
mod linux;

#[cfg(target_os = "linux")]
pub(crate) use linux::Candidates;
#[cfg(all(target_os = "linux", feature = "notify"))]
pub(crate) use linux::FollowingLinks;

#[cfg(not(target_os = "linux"))]
pub(crate) type Candidates = (notify_backend_poll::PollBackend,);
/// Those that follow links.
#[cfg(all(not(target_os = "linux"), feature = "notify"))]
pub(crate) type FollowingLinks = Candidates;
