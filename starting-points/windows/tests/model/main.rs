//! The translation of records into reports, on a model of `ReadDirectoryChangesW` and `…ExW`.
//!
//! It checks what Wine does wrong or lacks: the numbers of files, moves between folders, the end of a watched folder,
//! and overflows at every moment. Its expectations are written with the separator of Unix.
#![cfg(unix)]

#[path = "../../../../template/src/windows/adding.rs"]
mod adding;
#[path = "../../../../template/src/windows/begin.rs"]
mod begin;
#[path = "../../../../template/src/windows/cover.rs"]
mod cover;
mod explore;
#[path = "../../../../template/src/windows/folder.rs"]
mod folder;
mod kernel;
mod machine;
mod mirror;
#[path = "../../../../template/src/windows/moves.rs"]
mod moves;
#[path = "../../../../template/src/windows/name.rs"]
mod name;
mod names;
mod random;
#[path = "../../../../src/random.rs"]
mod random_numbers;
#[path = "../../../../template/src/windows/record.rs"]
mod record;
mod records;
mod reports;
#[path = "../../../../template/src/windows/root.rs"]
mod root;
#[path = "../../../../template/src/windows/source.rs"]
mod source;
#[path = "../../../../template/src/windows/watches.rs"]
mod watches;
