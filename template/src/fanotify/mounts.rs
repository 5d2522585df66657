//! The mounted file systems: [`Mounts`]. fanotify has no events for them.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    task::{Context, Poll},
};

use notify_backend::descriptor::Descriptor;

const TABLE: &str = "/proc/self/mountinfo";

/// The table of mounts, which can be waited for (proc(5)).
#[derive(Debug)]
pub(crate) struct Mounts(Descriptor);

impl Mounts {
    pub(crate) fn new() -> io::Result<Self> {
        Descriptor::urgent(File::open(TABLE)?.into()).map(Self)
    }

    /// Waits until something may have been mounted or unmounted.
    pub(crate) fn poll_change(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_urgent(cx)
    }

    /// Returns the numbers and the places of all mounts.
    pub(crate) fn all() -> io::Result<HashSet<(i32, PathBuf)>> {
        let table = fs::read(TABLE)?;
        let lines = table.split(|&byte| byte == b'\n');
        Ok(lines
            .filter_map(|line| parse(&line.split(|&byte| byte == b' ').collect::<Vec<_>>()))
            .collect())
    }
}

/// Returns the first and the fifth field of a line.
fn parse(fields: &[&[u8]]) -> Option<(i32, PathBuf)> {
    let number = str::from_utf8(fields.first()?).ok()?.parse().ok()?;
    let mut point = vec![];
    let mut rest = fields.get(4)?.iter();
    while let Some(&byte) = rest.next() {
        // Blanks and similar characters are written as three octal digits.
        point.push(if byte == b'\\' {
            let digits = [rest.next()?, rest.next()?, rest.next()?];
            digits.iter().fold(0u8, |value, &&digit| (value << 3) | (digit & 7))
        } else {
            byte
        });
    }
    Some((number, OsString::from_vec(point).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_have_any_bytes() {
        let line = br"36 35 98:0 / /mnt/with\040blank\134\377 rw - ext4 /dev/sda rw";
        let fields: Vec<_> = line.split(|&byte| byte == b' ').collect();
        let point = OsString::from_vec(b"/mnt/with blank\\\xff".to_vec());
        assert_eq!(parse(&fields), Some((36, point.into())));
        assert_eq!(parse(&[b"36"]), None);
        assert!(Mounts::all().unwrap().iter().any(|(_, point)| point == "/"));
    }
}
