//! Paths as they are spelled. Roots and files are distinguished by the bytes of their paths, whereas `Path`
//! compares components, and takes `a`, `a/` and `a/.` for the same.

use std::{borrow::Cow, ffi::OsStr, iter, os::unix::ffi::OsStrExt, path::Path};

/// Returns the rest of `path` below `root`, empty for `root` itself, or `None` if `path` is not spelled
/// like that. A separator at the end of `root` counts as the one between the two.
pub(super) fn below<'a>(root: &OsStr, path: &'a Path) -> Option<&'a [u8]> {
    let root = root.as_bytes();
    let root = root.strip_suffix(b"/").unwrap_or(root);
    match path.as_os_str().as_bytes().strip_prefix(root)? {
        [] => Some(&[]),
        [b'/', below @ ..] => Some(below),
        _ => None,
    }
}

/// Returns every spelling of a root that `path` can be [below], each with the rest of the path.
pub(super) fn above(path: &Path) -> impl Iterator<Item = (Cow<'_, OsStr>, &[u8])> {
    let bytes = path.as_os_str().as_bytes();
    let separators = (0..bytes.len()).filter(|&at| bytes[at] == b'/');
    let roots = separators.flat_map(|at| [(&bytes[..at], at), (&bytes[..=at], at)]);
    // A separator at the end of a root is the one that follows it.
    let roots = roots.filter(|&(root, at)| root.len() > at || !root.ends_with(b"/"));
    let roots = roots.map(|(root, at)| (Cow::Borrowed(OsStr::from_bytes(root)), &bytes[at + 1..]));
    let itself = iter::once_with(|| (Cow::Borrowed(path.as_os_str()), &[][..]));
    let with_separator = iter::once_with(|| {
        let mut root = path.as_os_str().to_owned();
        root.push("/");
        (Cow::Owned(root), &[][..])
    });
    roots.chain(itself).chain(with_separator)
}

/// Returns the folder and the name of an entry; `None` if the path ends with a separator or has none.
pub(super) fn split(path: &OsStr) -> Option<(&Path, &OsStr)> {
    let bytes = path.as_bytes();
    let at = bytes.iter().rposition(|&byte| byte == b'/')?;
    let (folder, name) = (&bytes[..at], &bytes[at + 1..]);
    (!name.is_empty()).then(|| (OsStr::from_bytes(folder).as_ref(), OsStr::from_bytes(name)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn below_compares_bytes() {
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
    fn above_returns_every_root_that_below_accepts() {
        let roots =
            ["/", "/a", "/a/", "/a//", "/a/b", "/a/b/", "/ab", "a", "a/", "a/.", "a/./", "b"];
        for path in ["/", "/a", "/a/", "/a/b", "/a//b", "/a/b/c", "/ab", "a", "a/./b", "a/b", "b/"]
        {
            let above: HashSet<_> = above(Path::new(path)).collect();
            for root in roots {
                let found = above.iter().filter(|(it, _)| **it == *root).map(|(_, below)| *below);
                let expected = below(root.as_ref(), Path::new(path));
                assert_eq!(found.collect::<Vec<_>>(), Vec::from_iter(expected), "{root} {path}");
            }
        }
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
