//! The rules for a backend: the vocabulary of expectations, the rules that hold in every case, and how a case
//! fails.

pub(crate) mod expect;
pub(crate) mod failure;
pub(crate) mod invariants;
pub(crate) mod profile;
pub(crate) mod rule;
pub(crate) mod usage;
