//! Paths and texts in messages and logs: always on one line, and never ambiguous.

use std::{
    fmt::{self, Write as _},
    path::{Path, PathBuf},
};

/// Shows a path as it is if that is safe, and otherwise quoted with escapes: a name may hold line breaks,
/// terminal controls or bytes that are not UTF-8, and begin or end with a space.
pub(crate) struct Quoted<'a>(pub(crate) &'a Path);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_str() {
            Some(text) if is_plain(text) => f.write_str(text),
            _ => fmt::Debug::fmt(self.0, f),
        }
    }
}

fn is_plain(text: &str) -> bool {
    // Quotes and backslashes are ordinary in a path. All other characters that `escape_debug` changes must
    // not reach a log unescaped.
    let ordinary = |c: &char| !matches!(c, '"' | '\'' | '\\');
    !text.is_empty()
        && !text.starts_with('"')
        && text.trim() == text
        && text.escape_debug().filter(ordinary).eq(text.chars().filter(ordinary))
}

/// Paths in a message, separated by commas; if there are many, only the first ones.
pub(crate) struct PathList<'a>(pub(crate) &'a [PathBuf]);

impl PathList<'_> {
    const SHOWN: usize = 10;
}

impl fmt::Display for PathList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("a path that is not named");
        }
        for (i, path) in self.0.iter().take(Self::SHOWN).enumerate() {
            let separator = if i == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Quoted(path))?;
        }
        match self.0.len().saturating_sub(Self::SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Text from elsewhere, such as the operating system: Windows has messages of several lines.
pub(crate) struct Flattened<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Flattened<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Joined { out: f, gap: false }, "{}", self.0)
    }
}

/// Writes a space in place of each run of control characters, line breaks among them.
struct Joined<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    gap: bool,
}

impl fmt::Write for Joined<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, part) in text.split(char::is_control).enumerate() {
            self.gap |= i > 0;
            if !part.is_empty() {
                if std::mem::take(&mut self.gap) {
                    self.out.write_char(' ')?;
                }
                self.out.write_str(part)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> String {
        Quoted(Path::new(path)).to_string()
    }

    #[test]
    fn ordinary_names_are_shown_as_they_are() {
        for path in ["/srv/a b", r"C:\new\table", "/it's \"so\"", "/ü/日本/e\u{301}", "src/lib.rs"]
        {
            assert_eq!(shown(path), path);
        }
    }

    #[test]
    fn names_that_would_mislead_are_quoted() {
        assert_eq!(shown(""), r#""""#);
        assert_eq!(shown("/a\nb"), r#""/a\nb""#);
        assert_eq!(shown("/a\u{2028}b"), r#""/a\u{2028}b""#);
        assert_eq!(shown("/\u{1b}[2J"), r#""/\u{1b}[2J""#);
        assert_eq!(shown("/\u{202e}gpj.exe"), r#""/\u{202e}gpj.exe""#);
        assert_eq!(shown(" /a"), r#"" /a""#);
        assert_eq!(shown("/a "), r#""/a ""#);
        assert_eq!(shown("\"a\""), r#""\"a\"""#);
    }

    #[test]
    fn lines_are_joined() {
        let joined = |text: &str| Flattened(text).to_string();
        assert_eq!(joined("the wrong disk\r\nis in the drive"), "the wrong disk is in the drive");
        assert_eq!(joined("done\n"), "done");
        assert_eq!(joined("\u{1b}[31mred"), " [31mred");
        assert_eq!(joined("as it is"), "as it is");
        assert_eq!(Flattened(format_args!("one{}{}", "\n", "two")).to_string(), "one two");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_text_stay_visible() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

        let path = Path::new(OsStr::from_bytes(b"/caf\xe9"));
        assert_eq!(Quoted(path).to_string(), r#""/caf\xE9""#);
    }
}
