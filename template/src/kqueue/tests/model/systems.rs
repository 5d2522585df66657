//! What the kernels do differently: [`System`].
//!
//! | rule | FreeBSD | macOS | NetBSD | OpenBSD |
//! |---|---|---|---|---|
//! | one of several names of a file is removed | `DELETE` | `DELETE`, `LINK` | `LINK` | `DELETE` |
//! | a file becomes shorter | `ATTRIB` | `ATTRIB` | `ATTRIB` | `ATTRIB`, `TRUNCATE` |
//! | two files are exchanged | - | one has `DELETE`, and stays | - | - |
//! | an entry moves to another folder: the folder that it leaves has `WRITE` | after it | after it | after it | before it |
//! | accesses, if they are asked for | `OPEN`, `READ`, `CLOSE`, `CLOSE_WRITE` | - | as FreeBSD | - |
//!
//! The sources:
//!
//! - FreeBSD: `vop_remove_post`, `vop_rename_post`, `vop_setattr_post`, `vop_open_post`, `vop_read_post` and
//!   `vop_close_post` in `sys/kern/vfs_subr.c`; the numbers in `sys/sys/event.h`.
//! - macOS: `VNOP_REMOVE`, `VNOP_LINK` and `post_rename` in xnu's `bsd/vfs/kpi_vfs.c`: `post_rename` says `NOTE_DELETE` of
//!   the second file also to a `renameatx_np` that exchanges the two. In `bsd/sys/event.h`, the numbers that are accesses
//!   elsewhere are `NOTE_NONE` and `NOTE_FUNLOCK`.
//! - NetBSD: kqueue(2) for the list of bits. That it says `NOTE_LINK` of a file that has other names follows from the
//!   field `ctx_vp_new_nlink` of `vop_remove_v3_args`, which exists for that.
//! - OpenBSD: `ufs_rename` in `sys/ufs/ufs/ufs_vnops.c` says `NOTE_WRITE` of the first folder before anything is done ("XXX
//!   right place?"), and `ufs_setattr` there `NOTE_TRUNCATE`. A program that reads this note at once finds
//!   nothing changed, and there is none later. So the model leaves it out.
//!
//! The backend asks for no accesses, so none are sent: see the crate's documentation.

use super::Facts;

/// The environment variable that names the system; FreeBSD if it is not set.
pub(crate) const VARIABLE: &str = "NOTIFY_BACKEND_MODEL_SYSTEM";

/// A system whose kernel is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    FreeBsd,
    MacOs,
    NetBsd,
    OpenBsd,
}

impl System {
    /// Returns the one that the environment names.
    pub(crate) fn of_environment() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("FreeBSD") => Self::FreeBsd,
            Ok("macOS") => Self::MacOs,
            Ok("NetBSD") => Self::NetBsd,
            Ok("OpenBSD") => Self::OpenBsd,
            Ok(other) => panic!("there is no model of {other}"),
        }
    }

    /// Returns what is reported of a file that has lost one of its names.
    pub(super) fn lost_name(self, has_others: bool) -> Facts {
        match self {
            Self::MacOs => Facts::DELETE.and(Facts::LINK),
            Self::NetBsd if has_others => Facts::LINK,
            Self::FreeBsd | Self::NetBsd | Self::OpenBsd => Facts::DELETE,
        }
    }

    /// Returns what is reported of a file that has become shorter.
    pub(super) fn shortened(self) -> Facts {
        match self {
            Self::OpenBsd => Facts::ATTRIB.and(Facts::TRUNCATE),
            Self::FreeBsd | Self::MacOs | Self::NetBsd => Facts::ATTRIB,
        }
    }

    /// Returns what is reported of the folder that an entry was moved from. If the entry stays in it, its arrival is too.
    pub(super) fn moved_from(self) -> Option<Facts> {
        match self {
            Self::OpenBsd => None,
            Self::FreeBsd | Self::MacOs | Self::NetBsd => Some(Facts::WRITE),
        }
    }
}
