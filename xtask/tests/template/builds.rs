//! Tests that build what they have generated, which takes the longest. Tests run in the order of their
//! names: these begin early, and the many others run while a build leaves a processor to them.

#[cfg(target_os = "linux")]
pub(crate) mod inotify;
mod publish;
#[cfg(target_os = "linux")]
mod walk_through;
mod working;
