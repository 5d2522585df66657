//! Names of every sort (NAME).

use crate::compliance::case::{Case, Group};

pub(super) const GROUP: Group = Group {
    name: "names",
    title: "Names",
    guide: "Paths",
    cases: &[
        #[cfg(unix)]
        NOT_UTF8,
    ],
};

#[cfg(unix)]
const NOT_UTF8: Case = Case {
    id: "NAME01",
    name: "not_utf8",
    needs: &[crate::capability::Capability::WatchFolders],
    environment: &[crate::compliance::environment::Environment::Unix],
    modes: crate::compliance::mode::Mode::ALL,
    checks: "A name that is not UTF-8 is reported byte for byte.",
    why: "notify#790 aborted its application; rust-analyzer#1416, watchdog#811, syncthing#9369.",
    usual_cause: "The name goes through `String`; use `OsStr::from_bytes`.",
    run: |lab| {
        use std::os::unix::ffi::OsStrExt as _;

        use crate::compliance::expect::{created_file, removed_file};

        let names: [&[u8]; 3] = [b"\xff\xfe", b"caf\xe9", b"\xf0\x28\x8c\x28"];
        let names = names.map(std::ffi::OsStr::from_bytes);
        let mut watcher = lab.watch([lab.flat()])?;
        watcher.perform(lab.mode, |tree| names.iter().try_for_each(|name| tree.create(name)))?;
        for name in names {
            watcher.saw(created_file(name))?;
        }
        watcher.next_step();
        watcher.perform(lab.mode, |tree| names.iter().try_for_each(|name| tree.remove(name)))?;
        for name in names {
            watcher.saw(removed_file(name))?;
        }
        watcher.nothing_else()
    },
    ..Case::MUST
};
