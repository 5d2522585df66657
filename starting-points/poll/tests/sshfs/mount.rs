//! A folder that is mounted by sshfs somewhere else: [`Mount`].

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Where distributions keep the program that answers sshfs.
const SERVERS: &[&str] = &[
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/ssh/sftp-server",
];

/// A folder and its mount. There is no network in between, but nobody who watches can tell.
#[derive(Debug)]
pub(crate) struct Mount {
    folder: TempDir,
    server: &'static str,
}

impl Mount {
    /// Mounts an empty folder, or tells why that is not possible here.
    pub(crate) fn new() -> Result<Self, String> {
        let server = SERVERS.iter().find(|server| Path::new(server).exists());
        let server = server.ok_or("sftp-server is not installed")?;
        if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
            return Err(format!("/dev/fuse cannot be opened: {error}"));
        }
        let folder = tempfile::tempdir().expect("a folder can be made");
        for name in ["behind", "elsewhere", "mount"] {
            fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let mount = Self { folder, server };
        mount.mount()?;
        Ok(mount)
    }

    /// Mounts it again after [`unmount`](Self::unmount).
    pub(crate) fn mount(&self) -> Result<(), String> {
        // sshfs takes it for ssh; what it replaces itself by keeps its number.
        let command = self.folder.path().join("ssh");
        let script =
            format!("#!/bin/sh\necho $$ > {}\nexec {}\n", quoted(&self.pid_file()), self.server);
        fs::write(&command, script).expect("a file can be written");
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("it is ours");
        // Without the caches, of sshfs and of the kernel: what they hold back is another matter.
        let options = "dir_cache=no,entry_timeout=0,attr_timeout=0";
        let options = format!("{options},ssh_command={}", command.display());
        let mounted = Command::new("timeout")
            .args(["20", "sshfs", "-o", &options])
            .arg(format!(":{}", self.folder.path().join("behind").display()))
            .arg(self.folder.path().join("mount"))
            .output();
        match mounted {
            Err(error) => Err(format!("timeout cannot be run: {error}")),
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) if output.status.code() == Some(127) => Err("sshfs is not installed".into()),
            Ok(output) => Err(format!(
                "sshfs does not mount here: {}",
                String::from_utf8_lossy(&output.stderr).trim(),
            )),
        }
    }

    /// Ends sshfs without a chance to clean up: the mount stays, and every call to it fails.
    pub(crate) fn abandon(&self) {
        let mount = self.path("").into_os_string().into_encoded_bytes();
        let processes = fs::read_dir("/proc").expect("processes are listed").flatten();
        let is_sshfs = |process: &PathBuf| {
            let words = fs::read(process.join("cmdline")).unwrap_or_default();
            words.starts_with(b"sshfs\0") && words.windows(mount.len()).any(|part| part == mount)
        };
        let sshfs = processes.map(|process| process.path()).find(is_sshfs).expect("sshfs runs");
        kill("KILL", &sshfs.file_name().unwrap_or_default().to_string_lossy());
    }

    /// Halts the server: no call to the mount is answered any more.
    pub(crate) fn halt_server(&self) {
        self.signal_server("STOP");
    }

    /// Lets go of the mount, whether anyone answers or not; tells whether there was one.
    pub(crate) fn unmount(&self) -> bool {
        let unmounted = Command::new("fusermount3").arg("-uqz").arg(self.path("")).status();
        // sshfs ends with it; a halted one would stay.
        self.signal_server("KILL");
        unmounted.is_ok_and(|status| status.success())
    }

    /// A path in the mount.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let mount = self.folder.path().join("mount");
        if name.is_empty() { mount } else { mount.join(name) }
    }

    /// The same behind it.
    pub(crate) fn behind(&self, name: &str) -> PathBuf {
        self.folder.path().join("behind").join(name)
    }

    /// A folder behind it that is not mounted, from where something can be moved in at a stroke.
    pub(crate) fn elsewhere(&self, name: &str) -> PathBuf {
        self.folder.path().join("elsewhere").join(name)
    }

    /// A path in the mount, from there on.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.path("")).unwrap_or(path).display().to_string()
    }

    fn signal_server(&self, signal: &str) {
        if let Ok(pid) = fs::read_to_string(self.pid_file()) {
            kill(signal, pid.trim());
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.folder.path().join("server.pid")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.unmount();
    }
}

/// Sends a signal to a process, which may have ended.
fn kill(signal: &str, pid: &str) {
    drop(Command::new("kill").arg(format!("-{signal}")).arg(pid).output());
}

/// The path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
