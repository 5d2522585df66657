//! Where a stream stands: [`Cursor`].

#[cfg(test)]
mod tests;

use std::fmt;

use super::error::BackendError;

/// A place in a backend's stream, from which a later program can go on.
///
/// [`Backend::cursor`](crate::Backend::cursor) returns it, and
/// [`Backend::resume`](crate::Backend::resume) goes on from it. To a program it is a row of bytes: store
/// [`as_bytes`](Self::as_bytes) together with what your program made of the events so far, as one step, and
/// read it back with [`from_bytes`](Self::from_bytes). Its length is up to the backend.
///
/// ```
/// # #[cfg(target_os = "linux")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use notify_backend_inotify::InotifyBackend;
/// use notify_backend::{Cursor, prelude::*};
///
/// /// Goes on from where the program stopped, or makes a new backend if it has to rescan anyway.
/// fn open<B: Backend>(stored: Option<Vec<u8>>, watches: Vec<Watch>) -> Result<B, BackendError> {
///     let Some(cursor) = stored.map(Cursor::from_bytes) else { return B::new(watches) };
///     match B::resume(watches.clone(), &cursor) {
///         Err(BackendError::InvalidCursor { .. } | BackendError::NotSupported { .. }) => B::new(watches),
///         resumed => resumed,
///     }
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # let _entered = runtime.enter();
/// # let backend: InotifyBackend = open(Some(b"stored".to_vec()), vec![Watch::recursive("src")])?;
/// # assert_eq!(backend.cursor(), None);
/// # Ok(())
/// # }
/// # #[cfg(not(target_os = "linux"))]
/// # fn main() {}
/// ```
///
/// # For authors
///
/// [`new`](Self::new) adds the backend's name and a checksum to the position, so that
/// [`position`](Self::position) recognises cursors of other backends and damaged ones. What the position
/// is, the backend decides: a clock of Watchman's, a sequence number of a stream, an id of `FSEvents` with
/// that of the volume.
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Cursor(Box<[u8]>);

/// The number of bytes of the checksum.
const CHECK: usize = size_of::<u64>();

impl Cursor {
    /// Creates the cursor of the backend with this [name](crate::Backend::name) at this position.
    ///
    /// ```
    /// use notify_backend::Cursor;
    ///
    /// let cursor = Cursor::new("acme/acme", &42_u64.to_le_bytes());
    /// assert_eq!(cursor.position("acme/acme")?, 42_u64.to_le_bytes());
    /// assert!(cursor.position("acme/other").is_err());
    /// # Ok::<_, notify_backend::BackendError>(())
    /// ```
    #[must_use]
    pub fn new(backend: &str, position: &[u8]) -> Self {
        let mut bytes = [backend.as_bytes(), &[0], position].concat();
        bytes.extend(checksum(&bytes).to_le_bytes());
        Self(bytes.into())
    }

    /// Returns the position in a cursor of the backend with this name.
    ///
    /// # Errors
    ///
    /// [`BackendError::InvalidCursor`] if another backend has made the cursor, or if it is damaged.
    pub fn position(&self, backend: &str) -> Result<&[u8], BackendError> {
        self.checked()
            .and_then(|bytes| bytes.strip_prefix(backend.as_bytes())?.strip_prefix(&[0]))
            .ok_or_else(BackendError::invalid_cursor)
    }

    /// Takes bytes for a cursor, whatever they are: a backend checks them when it is to resume from them.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into())
    }

    /// Returns the bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes before the checksum, if that is right.
    fn checked(&self) -> Option<&[u8]> {
        let (bytes, check) = self.0.split_last_chunk::<CHECK>()?;
        (u64::from_le_bytes(*check) == checksum(bytes)).then_some(bytes)
    }
}

/// The bytes, with those that are not printable escaped.
impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({})", self.0.escape_ascii())
    }
}

/// Returns the 64-bit FNV-1a hash (draft-eastlake-fnv): it finds damage, and no forgery.
fn checksum(bytes: &[u8]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;

    bytes.iter().fold(BASIS, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
