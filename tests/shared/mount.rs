//! A folder that sshfs mounts in another place: [`Mount`].

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Where distributions keep the server of sshfs.
const SERVERS: &[&str] = &[
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/usr/lib/ssh/sftp-server",
];

/// A folder and its mount. There is no network in between, but a backend cannot tell.
#[derive(Debug)]
pub(crate) struct Mount {
    folder: TempDir,
    behind: PathBuf,
    server: &'static str,
}

impl Mount {
    /// Mounts an empty folder, or returns why that is not possible on this machine.
    pub(crate) fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let behind = folder.path().join("behind");
        fs::create_dir(&behind).expect("a folder can be made");
        Self::at(folder, behind)
    }

    /// Mounts an existing folder.
    pub(crate) fn of(behind: &Path) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        Self::at(folder, behind.into())
    }

    fn at(folder: TempDir, behind: PathBuf) -> Result<Self, String> {
        let server = SERVERS.iter().find(|server| Path::new(server).exists());
        let server = server.ok_or("sftp-server is not installed")?;
        if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
            return Err(format!("/dev/fuse cannot be opened: {error}"));
        }
        for name in ["elsewhere", "mount"] {
            fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let mount = Self { folder, behind, server };
        mount.mount()?;
        Ok(mount)
    }

    /// Mounts it again after [`unmount`](Self::unmount).
    pub(crate) fn mount(&self) -> Result<(), String> {
        // sshfs runs this script as ssh. `exec` keeps the process id, so the file has that of the server.
        let command = self.folder.path().join("ssh");
        let script =
            format!("#!/bin/sh\necho $$ > {}\nexec {}\n", quoted(&self.pid_file()), self.server);
        fs::write(&command, script).expect("a file can be written");
        fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).expect("it is ours");
        // Without the caches of sshfs and the kernel, which would delay changes.
        let options = "dir_cache=no,entry_timeout=0,attr_timeout=0";
        let options = format!("{options},ssh_command={}", command.display());
        let mounted = Command::new("timeout")
            .args(["20", "sshfs", "-o", &options])
            .arg(format!(":{}", self.behind.display()))
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

    /// Kills sshfs, so that it cannot clean up: the mount stays, and every call to it fails.
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

    /// Halts the server: calls to the mount no longer return.
    pub(crate) fn halt_server(&self) {
        self.signal_server("STOP");
    }

    /// Unmounts, even if the server does not respond; returns whether there was a mount.
    pub(crate) fn unmount(&self) -> bool {
        let unmounted = Command::new("fusermount3").arg("-uqz").arg(self.path("")).status();
        // Unmounting ends sshfs, but not a halted server.
        self.signal_server("KILL");
        unmounted.is_ok_and(|status| status.success())
    }

    /// Returns a path in the mount.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let mount = self.folder.path().join("mount");
        if name.is_empty() { mount } else { mount.join(name) }
    }

    /// Returns the same path behind the mount.
    pub(crate) fn behind(&self, name: &str) -> PathBuf {
        self.behind.join(name)
    }

    /// Returns a path behind the mount, but outside of it, from which a file can be moved in atomically.
    pub(crate) fn elsewhere(&self, name: &str) -> PathBuf {
        self.folder.path().join("elsewhere").join(name)
    }

    /// Returns a path relative to the mount.
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

/// Sends a signal to a process, which may have ended already.
fn kill(signal: &str, pid: &str) {
    drop(Command::new("kill").arg(format!("-{signal}")).arg(pid).output());
}

/// Returns the path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
