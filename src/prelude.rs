//! Everything that a backend's source file needs, in one import.
//!
//! ```
//! use notify_backend::prelude::*;
//!
//! let event = Event::create(CreateKind::File, "/srv/new.txt");
//! assert_eq!(event.kind, EventKind::Create(CreateKind::File));
//! ```

pub use std::{
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

pub use futures_core::Stream;

pub use crate::{
    backend::{Backend, StreamItem, Watch, check_watches},
    buffer::Buffer,
    capability::{Capabilities, Capability},
    error::{BackendError, StreamError},
    event::{
        AccessKind, AccessMode, CreateKind, DataChange, Event, EventKind, MetadataKind, ModifyKind,
        RemoveKind, RenameMode, Tracker,
    },
};
