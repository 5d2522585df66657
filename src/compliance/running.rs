//! How cases are run: each in a process of its own, as tests of a test program.

pub(crate) mod first_steps;
pub(crate) mod hearing;
pub(crate) mod panics;
pub(crate) mod process;
pub(crate) mod run;
pub(crate) mod suite;
pub(crate) mod turns;
pub(crate) mod watchdog;
