//! A file-system notification backend on kqueue, for macOS and the BSDs. {%- capture source %}
//!
//! kqueue reports that an open file or folder was changed, but not what has changed in a folder. So this backend
//! opens every watched file and folder, and keeps a listing of each folder. After a note, it compares:
//! [`listing`](notify_backend::listing) does that.
//!
//! This file is the backend's outside. `vnodes.rs` says what is needed of the kernel, `kqueue.rs` has the system
//! calls, `files.rs` the open files, and `watcher.rs` the thread that waits and looks. On a system without kqueue, the
//! crate compiles, and the backend is [unavailable](BackendError::Unavailable).
//!
//! # How it was tested
//!
//! Neither macOS nor a BSD was at hand. On Linux, everything but `kqueue.rs` runs against a model of kqueue, in
//! `tests/model`: with it, the backend passes the compliance suite. `kqueue.rs` was compiled, linted and linked for
//! FreeBSD and macOS. On those systems, the same tests use kqueue itself.
//!
//! # Limits and details
//!
//! - Each watched file and folder takes a **descriptor**, also the folder above each watched path. If they run out,
//!   adding a watch fails; later, there is one error item per folder in which something is not watched.
//! - The kernel merges what happens to a file until it is read, and does not report what happened in a folder. A change
//!   that is undone before the backend looks is not reported, and the order of changes is lost: see
//!   [`Trees`](notify_backend::listing::Trees).
//! - After a look that took long, the thread rests as long, so that looking takes half a core at most. There are no
//!   looks while the stream is not read.
//! - **Renames** are recognised by device and inode, if the file system knows when a file was created. If a file was
//!   moved out of the watched trees, the look waits for the folder that it was moved to, 20 milliseconds at most.
//! - Links, pipes, sockets and devices are not opened. Changes of their metadata are seen when something else
//!   changes in their folder. A file or folder that may not be read cannot be opened either, and is looked at once per
//!   second.
//! - **OpenBSD** has the note about the folder that an entry leaves for another one before it leaves. If it is a link, pipe
//!   or socket, its removal may be seen only when something else happens in that folder.
//! - A watched path that is gone is watched again when it is back, as long as the folder above it exists.
//! - If a watch asks for links to be followed, links to folders are followed, unless the same tree already
//!   has the folder.
//! - **macOS** can unmount a file system with watched files on it. On the **BSDs**, an open file keeps it busy.
//! - The kernel does not report changes that other machines make on a network file system.
//! - **Accesses** are not reported. FreeBSD and NetBSD have notes for them (`NOTE_OPEN`, `NOTE_READ`, `NOTE_CLOSE`,
//!   `NOTE_CLOSE_WRITE`), which do not say by which program: each look opens and lists what it looks at, and would
//!   be the reason for the next. `NOTE_CLOSE_WRITE` alone would say when a writer is done, but not on macOS and OpenBSD.
//! - The **stream** ends only if the queue cannot be read or the thread has panicked, after an error item.

mod files;
mod kqueue;
mod vnodes;
mod watcher;

use std::io;

use notify_backend::{check_paths, prelude::*};

use crate::watcher::Watcher;
pub use crate::{
    kqueue::Kqueue,
    vnodes::{Note, Vnodes},
};

const CAPABILITIES: Capabilities = Capabilities::declare(&[
    Capability::FollowSymlinks,
    Capability::TrackRelated,
    Capability::WatchFiles,
    Capability::WatchFolders,
    Capability::WatchNewFolders,
    Capability::WatchRecursively,
    Capability::ChangeWatches,
]);

/// Watches paths through the system's kqueue.
pub type KqueueBackend = VnodeBackend<Kqueue>;

/// Watches paths through any queue of notes about open files.
#[derive(Debug)]
pub struct VnodeBackend<V: Vnodes> {
    watcher: Watcher<V>,
}

impl<V: Vnodes> Backend for VnodeBackend<V> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        check_paths(&watches, CAPABILITIES)?;
        let mut backend = Self { watcher: Watcher::new().map_err(explain)? };
        for watch in watches {
            backend.watch(watch)?;
        }
        Ok(backend)
    }

    fn capabilities() -> Capabilities {
        CAPABILITIES
    }

    fn name() -> &'static str {
        "your-namespace/kqueue"
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        watch.check(CAPABILITIES)?;
        self.watcher.watch(watch)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.watcher.unwatch(path)
    }
}

impl<V: Vnodes> Stream for VnodeBackend<V> {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        self.watcher.poll_next(cx)
    }
}

/// Converts the error with which the queue or its thread could not be made.
fn explain(error: io::Error) -> BackendError {
    match BackendError::from_io(PathBuf::new(), error) {
        limit @ BackendError::InstanceLimit { .. } => limit,
        error => BackendError::unavailable(format!("kqueue cannot be used: {error}")),
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "KqueueBackend", type_name | replace: "your-namespace/kqueue", backend_name -}}
