//! A model of a file system and of a platform that watches it, in memory and without a clock, to test every
//! order in which things can happen.
//!
//! [`Disk`](disk::Disk) holds folders, files and links, and says what each change means to the kernel's
//! notification layer: [`Note`](disk::Note)s, in the order in which Linux makes them. A model of a platform
//! turns notes into events: [`Inotify`](inotify::Inotify). [`Machine`](machine::Machine) combines the two,
//! and lets a test act between a change and its notes, as another process or the reader can.
//! [`Script`](script::Script)s are programs of changes that can be printed, read back and shortened.
//!
//! `differential.rs` runs random scripts on the model and on the kernel, and compares event for event.
//!
//! The model leaves out open files that no longer have a name (`IN_EXCL_UNLINK`), the instant in which a
//! watch's flags are replaced, several readers of one queue, permissions, and further file systems.

mod differential;
mod disk;
mod explore;
mod inotify;
mod machine;
mod random;
mod script;
mod trial;
mod world;
