//! Checks the backend against the contract and the capabilities that it declares. {%- capture source %}
//!
//! The daemon is this run's own, in a temporary folder.

use std::{
    env, fs, io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use notify_backend::compliance::{Profile, Suite};
use notify_backend_watchman::WatchmanBackend;

/// The daemon waits for further changes for a shorter time than by default, or the suite would mostly wait for it.
const SETTLE: Duration = Duration::from_millis(4);
const CONFIGURATION: &str = r#"{ "settle": 4 }"#;

/// The cases that an ordinary user's daemon cannot pass.
const DEVIATIONS: [(&str, &str); 4] = [
    ("PERM04", "to watch a folder, Watchman makes a file in it, which it must not in /etc"),
    ("PERM06", UNREADABLE),
    ("PERM07", UNREADABLE),
    ("REC11", UNREADABLE),
];
const UNREADABLE: &str = "Watchman does not say which folders of a tree it cannot read";

/// A daemon that ends with this value.
struct Daemon {
    process: Child,
    folder: PathBuf,
}

impl Daemon {
    fn start() -> io::Result<Self> {
        let folder = env::temp_dir().join(format!("notify-backend-watchman-{}", process::id()));
        fs::create_dir(&folder)?;
        let path = |name: &str| folder.join(name);
        fs::write(path("config.json"), CONFIGURATION)?;
        let process = Command::new("watchman")
            .env("WATCHMAN_CONFIG_FILE", path("config.json"))
            .args(["--foreground", "--no-save-state"])
            .arg(option("sockname", &path("sock")))
            .arg(option("statefile", &path("state")))
            .arg(option("logfile", &path("log")))
            .arg(option("pidfile", &path("pid")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let daemon = Self { process, folder };
        let start = Instant::now();
        while let Err(error) = UnixStream::connect(daemon.socket()) {
            if start.elapsed() > Duration::from_secs(10) {
                return Err(error);
            }
            thread::yield_now();
        }
        Ok(daemon)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("sock")
    }
}

fn option(name: &str, value: &Path) -> String {
    format!("--{name}={}", value.display())
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Nothing can be done about it.
        _ = self.process.kill();
        _ = self.process.wait();
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// Lets the daemon give up a root, with all that it knows about it.
fn forget(folder: &Path) -> io::Result<()> {
    let deleted = Command::new("watchman")
        .arg(option("sockname", Path::new(&env::var_os("WATCHMAN_SOCK").unwrap_or_default())))
        .args(["--no-spawn", "watch-del"])
        .arg(folder)
        .output()?;
    let error = || io::Error::other(String::from_utf8_lossy(&deleted.stderr).into_owned());
    if deleted.status.success() { Ok(()) } else { Err(error()) }
}

/// Lets the daemon give up the roots in a folder, or that folder, while they are watched.
fn lose(folder: &Path) -> io::Result<()> {
    let mut roots = vec![folder.to_owned()];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            roots.push(entry.path());
        }
    }
    let given_up = roots.iter().filter(|root| forget(root).is_ok()).count();
    if given_up > 0 { Ok(()) } else { Err(io::Error::other("no root of the daemon's is there")) }
}

fn main() -> ExitCode {
    // A file is reported by its state: data and metadata look alike, and a rename is a removal and a creation. Each
    // folder takes one of the 128 inotify instances of the daemon's user, which other cases need too.
    let profile = Profile::default()
        .coalesced()
        .in_another_process()
        .most_paths(16)
        .reports_own_metadata(false)
        .latency(SETTLE)
        .distinguishes_metadata(false)
        .pairs_renames(false)
        .leaves_traces(true);
    let suite = Suite::of::<WatchmanBackend>();
    let suite = DEVIATIONS.iter().fold(suite, |suite, (id, reason)| suite.deviation(id, reason));
    let suite = suite.profile(profile).needs_program("watchman").forgetting(forget).losing(lose);
    if suite.answer() {
        return ExitCode::SUCCESS;
    }
    let daemon = Daemon::start();
    let socket = daemon.as_ref().map_or_else(|_| "/no/daemon".into(), Daemon::socket);
    // SAFETY: there is no other thread yet.
    unsafe { env::set_var("WATCHMAN_SOCK", socket) };
    suite.main()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_watchman", crate_name | replace: "WatchmanBackend", type_name -}}
