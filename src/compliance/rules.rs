//! What a backend is held to: the vocabulary of expectations, the rules that hold in every case, and how one
//! is broken.

pub(crate) mod expect;
pub(crate) mod failure;
pub(crate) mod invariants;
pub(crate) mod profile;
pub(crate) mod rule;
pub(crate) mod usage;
