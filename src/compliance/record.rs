//! What happened in a case: what was done and reported, when, and what was measured.

pub(crate) mod history;
pub(crate) mod measurements;
pub(crate) mod mode;
pub(crate) mod timeline;
