//! Tests that build generated crates, which takes the longest. Tests run in the order of their names, so
//! these start early, and the many others run whenever a build leaves a processor idle.

#[cfg(target_os = "linux")]
pub(crate) mod inotify;
mod publish;
mod release;
#[cfg(target_os = "linux")]
mod walk_through;
mod working;
