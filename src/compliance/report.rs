//! The output of a run, for people and for programs: the failures, the score card, the progress, the list of
//! cases.

mod badge;
pub(crate) mod catalogue;
pub(crate) mod checklist;
pub(crate) mod entry;
pub(crate) mod explanation;
pub(crate) mod obstacle;
pub(crate) mod progress;
pub(crate) mod score_card;
pub(crate) mod summary;
pub(crate) mod verdict;
