//! A Watchman of one test's own: [`Daemon`].

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// Returns whether there is a Watchman to be tested with.
pub(crate) fn is_installed() -> bool {
    static PROBED: OnceLock<bool> = OnceLock::new();
    *PROBED.get_or_init(|| Command::new("watchman").arg("--version").output().is_ok())
}

/// A daemon on a socket in a folder. It ends with this value.
pub(crate) struct Daemon {
    folder: PathBuf,
    process: Child,
}

impl Daemon {
    pub(crate) fn start(folder: &Path) -> Self {
        let folder = folder.to_owned();
        fs::write(folder.join("config.json"), "{}").unwrap();
        let process = spawn(&folder);
        Self { folder, process }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("sock")
    }

    /// Ends it, as a crash does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn start_again(&mut self) {
        self.process = spawn(&self.folder);
    }

    /// Runs a command of Watchman's.
    pub(crate) fn command(&self, arguments: &[&str]) {
        let socket = format!("--sockname={}", self.socket().display());
        let mut command = Command::new("watchman");
        let output = command.args([&socket, "--no-spawn"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may be dead already.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn spawn(folder: &Path) -> Child {
    let option = |name: &str, file: &str| format!("--{name}={}", folder.join(file).display());
    // A socket that is left from before refuses connections until there is another one.
    _ = fs::remove_file(folder.join("sock"));
    let process = Command::new("watchman")
        .env("WATCHMAN_CONFIG_FILE", folder.join("config.json"))
        .args(["--foreground", "--no-save-state"])
        .args([option("sockname", "sock"), option("statefile", "state")])
        .args([option("logfile", "log"), option("pidfile", "pid")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while UnixStream::connect(folder.join("sock")).is_err() {
        assert!(start.elapsed() < Duration::from_secs(30), "the daemon does not start");
        thread::yield_now();
    }
    process
}
