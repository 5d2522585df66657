//! The line endings of a crate's files. Git or an editor may have converted them to those of Windows.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnds {
    Unix,
    Windows,
}

impl LineEnds {
    /// Returns the line endings of most lines of a text.
    pub(crate) fn of(text: &[u8]) -> Self {
        let lines = |end: &[u8]| lines(text).filter(|line| line.ends_with(end)).count();
        if 2 * lines(b"\r\n") > lines(b"\n") { Self::Windows } else { Self::Unix }
    }

    /// Converts a text from the line endings of Unix to these.
    pub(crate) fn apply(self, text: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Unix => text,
            Self::Windows => {
                let lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
                lines.join(&b"\r\n"[..])
            }
        }
    }
}

/// Converts a text to the line endings of Unix.
pub(crate) fn to_unix(text: &[u8]) -> Vec<u8> {
    let unix = |line: &[u8]| match line.strip_suffix(b"\r\n") {
        Some(line) => [line, b"\n"].concat(),
        None => line.to_vec(),
    };
    lines(text).flat_map(unix).collect()
}

/// Returns the lines of a text, with their endings.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majority_decides() {
        for (text, line_ends) in [
            ("", LineEnds::Unix),
            ("one line\r", LineEnds::Unix),
            ("a\nb\n", LineEnds::Unix),
            ("a\r\nb\n", LineEnds::Unix),
            ("a\r\nb\r\nc\n", LineEnds::Windows),
        ] {
            assert_eq!(LineEnds::of(text.as_bytes()), line_ends, "{text:?}");
        }
    }

    #[test]
    fn conversion_is_reversible() {
        let unix = b"\na\r\r\nb\n".to_vec();
        let windows = b"\r\na\r\r\r\nb\r\n";
        assert_eq!(LineEnds::Windows.apply(to_unix(windows)), windows);
        assert_eq!(to_unix(b"\r\na\rb\r\n\r"), b"\na\rb\n\r");
        assert_eq!(LineEnds::Unix.apply(unix.clone()), unix);
    }
}
