//! What this machine offers: probed once, printed, and given as the reason where a case is ignored.

use std::{fmt, fs, process::Command, sync::OnceLock};

use crate::compliance::rules::usage::ResourceUsage;

/// Something that a case may need and that not every machine offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    /// Linux, for cases that ask its `/proc` or use operations of its own.
    Linux,
    /// A Unix system: links and modes.
    Unix,
    /// A file system that takes names that are not UTF-8. APFS does not.
    NamesOfAnyBytes,
    /// An ordinary user to run the case as, since root may read everything.
    OrdinaryUser,
    /// Root, for changes of ownership.
    Root,
    /// A file system that takes `FILE` and `file` for the same name.
    CaseInsensitive,
    /// User and mount namespaces to run the case in, where limits can be set and file systems be
    /// mounted.
    Namespaces,
    /// A system that counts the descriptors or handles of a process, and its threads.
    Counts,
    /// A system that counts them and says what each descriptor leads to, so that a case can leave its own out.
    NamedDescriptors,
    /// A mount namespace to run the case in. Root stays what it is; anybody else needs
    /// [`Namespaces`](Self::Namespaces).
    Mounts,
}

impl Environment {
    /// Returns the user of the process that is made for this environment, if a backend may be unavailable
    /// to that user although it works for the one that started the suite.
    pub(crate) fn role(self) -> Option<&'static str> {
        match self {
            Self::OrdinaryUser => Some("an ordinary user"),
            Self::Namespaces => Some("root of a user namespace"),
            Self::Mounts if !is_root() => Self::Namespaces.role(),
            Self::Linux
            | Self::Unix
            | Self::NamesOfAnyBytes
            | Self::Root
            | Self::CaseInsensitive
            | Self::Counts
            | Self::NamedDescriptors
            | Self::Mounts => None,
        }
    }

    /// Returns the reason why a case is ignored that needs it, if it is not there.
    pub(crate) fn missing(self) -> Option<String> {
        let there = match self {
            Self::Linux => cfg!(target_os = "linux"),
            Self::Unix => cfg!(unix),
            Self::NamesOfAnyBytes => takes_any_bytes(),
            Self::OrdinaryUser => cfg!(unix) && (!is_root() || becomes_another()),
            Self::Root => is_root() && becomes_another(),
            Self::CaseInsensitive => ignores_case(),
            Self::Counts => ResourceUsage::is_counted(),
            Self::NamedDescriptors => ResourceUsage::IS_NAMED,
            Self::Namespaces => has_namespaces(),
            Self::Mounts => unshare_mounts().is_some(),
        };
        (!there).then(|| format!("needs {self}"))
    }
}

/// What is needed.
impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linux => "Linux",
            Self::Unix => "a Unix system",
            Self::NamesOfAnyBytes => "a file system with names that are not UTF-8",
            Self::OrdinaryUser => "an ordinary user of a Unix system",
            Self::Root => "root, beside other users",
            Self::CaseInsensitive => "a file system that ignores upper and lower case",
            Self::Counts => "a system that counts the descriptors and threads of a process",
            Self::NamedDescriptors => {
                "a system that says what the descriptors of a process lead to"
            }
            Self::Namespaces => "user and mount namespaces by `unshare`",
            Self::Mounts => "a mount namespace by `unshare`",
        })
    }
}

/// The arguments that make `unshare` start a program as root of its own namespaces.
pub(crate) const UNSHARE: [&str; 3] = ["--user", "--map-root-user", "--mount"];

/// Returns the same for a mount namespace alone: root stays what it is.
pub(crate) fn unshare_mounts() -> Option<&'static [&'static str]> {
    static PROBED: OnceLock<bool> = OnceLock::new();
    if is_root() {
        return PROBED.get_or_init(|| works(&["--mount"])).then_some(&["--mount"]);
    }
    has_namespaces().then_some(&UNSHARE)
}

/// Returns whether `unshare` gives a process its own user and mount namespace.
fn has_namespaces() -> bool {
    static PROBED: OnceLock<bool> = OnceLock::new();
    *PROBED.get_or_init(|| works(&UNSHARE))
}

/// Returns whether `unshare` starts a program with these arguments.
fn works(arguments: &[&str]) -> bool {
    let probe = Command::new("unshare").args(arguments).arg("true").output();
    cfg!(target_os = "linux") && probe.is_ok_and(|output| output.status.success())
}

/// Returns whether the file system that the cases' folders are on takes `FILE` and `file` for the same
/// name.
fn ignores_case() -> bool {
    static PROBED: OnceLock<bool> = OnceLock::new();
    *PROBED.get_or_init(|| {
        let probe = tempfile::Builder::new().prefix("compliance-").tempdir();
        probe.is_ok_and(|folder| {
            fs::create_dir(folder.path().join("name")).is_ok()
                && folder.path().join("NAME").exists()
        })
    })
}

/// Returns whether the file system that the cases' folders are on takes names that are not UTF-8, for a file and for a
/// folder. APFS returns `EILSEQ`, and ZFS an error if its property `utf8only` is set.
#[cfg(unix)]
fn takes_any_bytes() -> bool {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    static PROBED: OnceLock<bool> = OnceLock::new();
    *PROBED.get_or_init(|| {
        let probe = tempfile::Builder::new().prefix("compliance-").tempdir();
        probe.is_ok_and(|folder| {
            let path = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
            fs::write(path(b"caf\xe9"), "").is_ok() && fs::create_dir(path(b"\xff\xfe")).is_ok()
        })
    })
}

/// Returns whether names may be of any bytes; they are not here.
#[cfg(not(unix))]
fn takes_any_bytes() -> bool {
    false
}

/// The user and group that traditionally own nothing.
#[cfg(unix)]
pub(crate) const UNPRIVILEGED: u32 = 65534;

/// Returns whether root can become an ordinary user: not in a user namespace that has no other users.
#[cfg(unix)]
fn becomes_another() -> bool {
    use std::os::unix::process::CommandExt as _;

    static PROBED: OnceLock<bool> = OnceLock::new();
    *PROBED.get_or_init(|| {
        let probe = Command::new("true").uid(UNPRIVILEGED).gid(UNPRIVILEGED).status();
        probe.is_ok_and(|status| status.success())
    })
}

/// Returns whether root can become an ordinary user; there are none here.
#[cfg(not(unix))]
fn becomes_another() -> bool {
    false
}

/// Returns whether this process runs as root, so that permissions mean nothing.
#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns whether this process runs as root; there is no such user here.
#[cfg(not(unix))]
pub(crate) fn is_root() -> bool {
    false
}

/// Returns facts about this machine, for the head of a run and the score card: a name and a value each.
pub(crate) fn facts() -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("suite", format!("notify-backend {}", env!("CARGO_PKG_VERSION"))),
        ("platform", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
    ];
    let read = |file: &str| fs::read_to_string(file).ok().map(|text| text.trim().to_owned());
    if let Some(kernel) = read("/proc/sys/kernel/osrelease") {
        facts.push(("kernel", kernel));
    }
    if let Some(name) = file_system() {
        facts.push(("file system", name));
    }
    facts.push(("upper and lower case", if ignores_case() { "alike" } else { "apart" }.into()));
    facts.push(("user", if is_root() { "root" } else { "ordinary" }.into()));
    if cfg!(target_os = "linux") {
        facts.push(("namespaces", if has_namespaces() { "yes" } else { "no" }.into()));
        let limits = ["max_user_instances", "max_user_watches", "max_queued_events"];
        let limits = limits.map(|limit| {
            let value = read(&format!("/proc/sys/fs/inotify/{limit}"));
            format!("{limit} {}", value.as_deref().unwrap_or("unknown"))
        });
        facts.push(("inotify", limits.join(", ")));
    } else if cfg!(unix) {
        let counted = if ResourceUsage::is_counted() { "counted" } else { "not counted" };
        facts.push(("descriptors and threads", counted.into()));
    }
    facts
}

/// Returns the type of the file system that the cases' folders are on: that of the longest mount point
/// above them.
fn file_system() -> Option<String> {
    let folder = std::env::temp_dir().canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(point, _)| folder.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned())
}
