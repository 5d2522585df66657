//! Consumers of any backend: programs that are written for notify, and the sample command.

#[cfg(feature = "notify")]
pub mod adapter;
#[cfg(feature = "sample")]
pub mod sample;
