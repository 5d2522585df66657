//! The interface that file-system notification backends implement.
//!
//! A **backend** is a crate that talks to one platform facility (inotify, kqueue, a daemon, a
//! remote service, …) and reports what happens to the watched paths as a stream of [`Event`]s.
//! A type that implements [`Backend`] can be read as a plain [`Stream`], tried by hand with the
//! sample command, used by programs that are written for the `notify` crate, and tested by the
//! compliance suite, without further code.
//!
//! ```text
//! use notify_backend::prelude::*;                      // (1)
//! pub struct YourBackend { /* ... */ }                 // (2)
//! impl Backend for YourBackend { /* ... */ }           // (3)
//! impl Stream for YourBackend { /* ... */ }            // (4)
//! ```
//!
//! The guide [Writing a Backend](guide) leads through writing one.
//!
//! # Features
//!
//! Each feature adds something and changes nothing else. None is on by default.
//!
//! - `compliance`: the compliance suite that a backend's tests run.
//! - `descriptor`: reading from a file descriptor on Tokio (Unix).
//! - `listing`: finding out what has changed by listing folders (Unix, Windows).
//! - `notify`: any backend as a watcher of the `notify` crate.
//! - `recursion`: recursive watching on platforms that watch folder by folder (Unix).
//! - `sample`: the command that shows what a backend reports.
//! - `serde`: `Serialize` and `Deserialize` for events, kinds, capabilities and cursors.
//! - `worker`: a thread with a Tokio runtime of its own, for clients that are async throughout.
//!
//! [`Stream`]: futures_core::Stream
#![cfg_attr(not(windows), forbid(unsafe_code))]
// There, the suite counts handles and threads.
#![cfg_attr(windows, deny(unsafe_code))]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "compliance")]
pub mod compliance;
mod consumers;
mod contract;
#[cfg(doc)]
pub mod guide;
mod parts;
// The suite and the tests of `recursion` make random changes.
#[cfg(any(feature = "compliance", all(test, target_os = "linux", feature = "recursion")))]
mod random;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "notify")]
pub use consumers::adapter;
#[cfg(feature = "sample")]
pub use consumers::sample;
pub use contract::{
    backend::{
        About, Backend, StreamItem, Watch, check_local, check_paths, check_watches, is_networked,
    },
    capability::{Capabilities, Capability, CapabilityIter},
    cursor::Cursor,
    error::{BackendError, Limit, StreamError},
    event::{self, kind::EventKind, one::Event},
    settings,
};
#[cfg(all(unix, feature = "descriptor"))]
pub use parts::descriptor;
#[cfg(all(any(unix, windows), feature = "listing"))]
pub use parts::listing;
#[cfg(all(unix, feature = "recursion"))]
pub use parts::recursion;
#[cfg(feature = "worker")]
pub use parts::worker;
pub use parts::{buffer::Buffer, channel, fallback, prelude};

// The compiler shows these lines to code that names a private module, so they say where its items are.
#[allow(unused_imports, reason = "for code outside, which cannot use them")]
use contract::{
    backend, // its items are at the root, where `check_watches` does what `require_runtime` did
    capability, // its items are at the root, as `notify_backend::Capability`
    error,   // its items are at the root, as `notify_backend::BackendError`
};
#[allow(unused_imports, reason = "for code outside, which cannot use it")]
use parts::buffer; // its items are at the root, as `notify_backend::Buffer`
