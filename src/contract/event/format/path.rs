//! A path as text, and in a lossless form if text cannot represent it.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

/// The three fields for a path; an empty path has none of them.
#[derive(serde::Serialize)]
pub(crate) struct PathText<'a> {
    /// The path, lossy if necessary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<Cow<'a, str>>,
    /// The bytes of a path that is not UTF-8, on Unix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<Cow<'a, [u8]>>,
    /// The units of a path that is not UTF-16, on Windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_wide: Option<Vec<u16>>,
}

impl<'a> PathText<'a> {
    pub(crate) fn of(path: &'a Path) -> Self {
        let text = path.to_string_lossy();
        Self {
            path: (!text.is_empty()).then_some(text),
            path_bytes: bytes(path),
            path_wide: wide(path),
        }
    }

    /// Returns the path that was given to `of`, if both machines represent paths in the same way.
    pub(crate) fn into_path(self) -> PathBuf {
        #[cfg(unix)]
        if let Some(bytes) = self.path_bytes {
            use std::{ffi::OsString, os::unix::ffi::OsStringExt};
            return OsString::from_vec(bytes.into_owned()).into();
        }
        #[cfg(windows)]
        if let Some(wide) = self.path_wide {
            use std::{ffi::OsString, os::windows::ffi::OsStringExt};
            return OsString::from_wide(&wide).into();
        }
        self.path.unwrap_or_default().into_owned().into()
    }
}

#[cfg(unix)]
fn bytes(path: &Path) -> Option<Cow<'_, [u8]>> {
    use std::os::unix::ffi::OsStrExt;
    path.to_str().is_none().then(|| path.as_os_str().as_bytes().into())
}

#[cfg(not(unix))]
fn bytes(_: &Path) -> Option<Cow<'_, [u8]>> {
    None
}

#[cfg(windows)]
fn wide(path: &Path) -> Option<Vec<u16>> {
    use std::os::windows::ffi::OsStrExt;
    path.to_str().is_none().then(|| path.as_os_str().encode_wide().collect())
}

#[cfg(not(windows))]
fn wide(_: &Path) -> Option<Vec<u16>> {
    None
}
