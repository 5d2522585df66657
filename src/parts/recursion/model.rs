//! A model of a file system and of a platform that watches it, in memory and without a clock: for
//! tests of what can come together.
//!
//! [`Disk`](disk::Disk) holds folders, files and links, and says what each change is to the kernel's
//! notification layer: [`Note`](disk::Note)s, in the order in which Linux makes them. A model of a
//! platform turns notes into events: [`Inotify`](inotify::Inotify). [`Machine`](machine::Machine) puts
//! both together, and lets a test come between a change and its notes, as another process or the
//! reader can. [`Script`](script::Script)s are programs of changes that can be printed, read back and
//! shortened.
//!
//! `differential.rs` runs random scripts on the model and on the kernel, and compares event for event.
//!
//! What the model does not have: open files that have no name any more (`IN_EXCL_UNLINK`), the instant
//! in which a watch's flags are replaced, several readers of one queue, permissions, and more than one
//! file system.

mod differential;
mod disk;
mod explore;
mod inotify;
mod machine;
mod random;
mod script;
mod trial;
mod world;
