//! One case in a process of its own: the side that starts it, the side that runs it, and the messages between
//! them.

pub(crate) mod child;
pub(crate) mod parent;
pub(crate) mod protocol;
