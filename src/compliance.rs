//! The compliance suite: checks a backend against the contract and every capability that it declares.
//!
//! A backend's `tests/compliance.rs`, with `harness = false` in its manifest, is one line:
//!
//! ```no_run
//! # mod acme {
//! #     use notify_backend::prelude::*;
//! #     #[derive(Debug)]
//! #     pub struct Acme;
//! #     impl Backend for Acme {
//! #         fn new(_: Vec<Watch>) -> Result<Self, BackendError> { Ok(Self) }
//! #         fn capabilities() -> Capabilities { Capabilities::NONE }
//! #         fn name() -> &'static str { "acme/acme" }
//! #     }
//! #     impl Stream for Acme {
//! #         type Item = StreamItem;
//! #         fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
//! #             Poll::Pending
//! #         }
//! #     }
//! # }
//! notify_backend::test_compliance!(acme::Acme);
//! ```
//!
//! To add a [`Profile`] or known [deviations](Suite::deviation), write the `main` function yourself; see
//! [`Suite`].
//!
//! # What a run does
//!
//! Every case is a test with a stable name and number: `cargo test files::created` and
//! `cargo test FIL01` run the same one. Each runs in its own process with a time limit, so a
//! backend that blocks, aborts or leaks fails only that case. A case that needs an undeclared capability, or
//! something that this machine lacks, is ignored with the reason.
//!
//! No case waits for a fixed time: after its changes, it makes a file of its own and
//! reads events until that file is reported; everything before it must have been reported by
//! then. Every event of every case is checked against the invariants of the contract.
//!
//! # Stability
//!
//! Minor versions of this crate add cases, and make cases stricter: a backend that passed may fail after
//! an update. Numbers and names of cases stay. To choose when the suite changes, commit `Cargo.lock` or pin
//! the version in `[dev-dependencies]`; to go on meanwhile, list a [deviation](Suite::deviation). The guide
//! says how, under [Versions](crate::guide::_7_finishing_up#versions).
//!
//! # The cases
//!
#![doc = include_str!("compliance/catalogue.md")]
#![allow(clippy::doc_markdown, reason = "the list of cases names tests of other projects")]

mod case;
mod cases;
mod record;
mod report;
mod rules;
mod running;
mod scene;

pub use report::{
    catalogue::{CaseInfo, catalogue},
    verdict::Verdict,
};
pub use rules::profile::Profile;
pub use running::suite::Suite;
pub use scene::view::View;

/// Runs the compliance suite for a backend; expands to the `main` function of a test file.
///
/// See [`compliance`](crate::compliance) for an example.
#[macro_export]
macro_rules! test_compliance {
    ($backend:ty) => {
        fn main() -> ::std::process::ExitCode {
            $crate::compliance::Suite::of::<$backend>().main()
        }
    };
}
