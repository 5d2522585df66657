//! Parts that many backends want, so that each need not write them anew.

pub(crate) mod buffer;
pub mod channel;
#[cfg(all(unix, feature = "descriptor"))]
pub mod descriptor;
pub mod fallback;
#[cfg(all(any(unix, windows), feature = "listing"))]
pub mod listing;
pub mod prelude;
#[cfg(all(unix, feature = "recursion"))]
pub mod recursion;
#[cfg(any(all(any(unix, windows), feature = "listing"), feature = "worker"))]
mod thread;
#[cfg(feature = "worker")]
pub mod worker;
