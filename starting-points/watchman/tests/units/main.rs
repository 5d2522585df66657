//! The parts that read what arrives, without a daemon: the format, and the lists of changed files.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a scene that cannot be set has to fail")]
#![allow(dead_code, unreachable_pub, reason = "the backend uses the rest, and its users")]

// The backend's own modules, which are not public.
#[path = "../../../../template/src/watchman/bser.rs"]
mod bser;
#[path = "../../../../template/src/watchman/changes.rs"]
mod changes;
mod format;
mod lists;
#[path = "../../../../template/src/watchman/position.rs"]
mod position;
#[path = "../../../../template/src/watchman/settings.rs"]
mod settings;
#[path = "../../../../template/src/watchman/target.rs"]
mod target;
