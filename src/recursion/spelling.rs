//! Paths as they are spelled. Roots and files are told apart by the letters of their paths: `Path`
//! compares components, and takes `a`, `a/` and `a/.` for the same.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

/// What is spelled below `root`, empty for `root` itself; none if `path` is not spelled so. A separator
/// at the end of `root` is the one between the two.
pub(super) fn below<'a>(root: &OsStr, path: &'a Path) -> Option<&'a [u8]> {
    let root = root.as_bytes();
    let root = root.strip_suffix(b"/").unwrap_or(root);
    match path.as_os_str().as_bytes().strip_prefix(root)? {
        [] => Some(&[]),
        [b'/', below @ ..] => Some(below),
        _ => None,
    }
}

/// The folder that an entry is spelled in, and the entry's name; none for what ends with a separator or
/// has none.
pub(super) fn split(path: &OsStr) -> Option<(&Path, &OsStr)> {
    let bytes = path.as_bytes();
    let at = bytes.iter().rposition(|&byte| byte == b'/')?;
    let (folder, name) = (&bytes[..at], &bytes[at + 1..]);
    (!name.is_empty()).then(|| (OsStr::from_bytes(folder).as_ref(), OsStr::from_bytes(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_goes_by_letters() {
        let below = |root: &str, path: &'static str| below(root.as_ref(), path.as_ref());
        assert_eq!(below("/a", "/a/b/c"), Some(&b"b/c"[..]));
        assert_eq!(below("/a/", "/a/b"), Some(&b"b"[..]));
        assert_eq!(below("/a/.", "/a/./b"), Some(&b"b"[..]));
        assert_eq!(below("/", "/b"), Some(&b"b"[..]));
        assert_eq!(below("/a", "/a"), Some(&b""[..]));
        assert_eq!(below("/a", "/ab"), None);
        assert_eq!(below("/a/.", "/a/b"), None);
    }

    #[test]
    fn an_entry_has_a_folder_and_a_name() {
        let split = |path: &'static str| split(path.as_ref());
        assert_eq!(split("/a/b"), Some((Path::new("/a"), OsStr::new("b"))));
        assert_eq!(split("/b"), Some((Path::new(""), OsStr::new("b"))));
        assert_eq!(split("a"), None);
        assert_eq!(split("/a/"), None);
    }
}
