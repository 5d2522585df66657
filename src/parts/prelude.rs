//! Everything that a backend's source file needs, in one import.
//!
//! Each item has its own place elsewhere: in the root of the crate, or in [`event`](crate::event).
//!
//! ```
//! use notify_backend::prelude::*;
//!
//! let event = Event::create(CreateKind::File, "/srv/new.txt");
//! assert_eq!(event.kind, EventKind::Create(CreateKind::File));
//! ```

#[doc(no_inline)]
pub use std::{
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

#[doc(no_inline)]
pub use futures_core::Stream;

#[doc(no_inline)]
pub use crate::{
    Backend, BackendError, Buffer, Capabilities, Capability, Event, EventKind, StreamError,
    StreamItem, Watch, check_watches,
    event::{
        AccessKind, AccessMode, CreateKind, DataChange, MetadataKind, ModifyKind, RemoveKind,
        RenameMode, Tracker,
    },
};
