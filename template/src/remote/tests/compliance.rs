//! Checks the backend against the contract and the capabilities that it declares. {%- capture source %}
//!
//! A NATS server runs for the whole time, and a daemon of its own for each case. Both are processes of their own,
//! so that a case sees only what the client does. The daemons are this program again.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitCode, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use notify_backend::{
    Cursor,
    compliance::{Profile, Suite, View},
    prelude::*,
    settings::{Made, Maker},
};
use notify_backend_remote as remote;
use notify_backend_remote::RemoteBackend as Tested;

/// The address of the server, in the environment of the processes that need it.
const SERVER: &str = "NOTIFY_BACKEND_TEST_SERVER";
/// The subject of a daemon, in its environment.
const SUBJECT: &str = "NOTIFY_BACKEND_TEST_SUBJECT";
/// The folder that it watches.
const FOLDER: &str = "NOTIFY_BACKEND_TEST_FOLDER";

/// Set to run the suite, which takes minutes.
const IS_WANTED: &str = "NOTIFY_BACKEND_TEST_ALL";

/// Where clients see the daemon's files: the paths differ on both sides.
const THERE: &str = "/there";

/// How often the daemons look.
const INTERVAL: Duration = Duration::from_millis(10);

/// Much longer than a server or a daemon takes to start.
const DEADLINE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    // By numbers and births of files, as the file system of the cases has them.
    let births = env::temp_dir().metadata().is_ok_and(|folder| folder.created().is_ok());
    let profile = Profile::default().sampled(INTERVAL).pairs_renames(cfg!(unix) && births);
    let suite =
        |suite: Suite| suite.leave_out("REC28", "the next look may come before the last report");
    run(profile, suite, &[], async |settings, folders| {
        remote::publish_by_looking(settings, INTERVAL, folders, ready).await
    })
}

/// Says that clients can come.
pub(crate) fn ready() {
    println!("ready");
}

/// The case that is not about a client.
const DEVIATION: (&str, &str) =
    ("PERM04", "/etc is outside the folder that the case's daemon watches");

/// Runs the suite, as `adapt` makes it for daemons that `publish`. Without [`IS_WANTED`], runs only the groups `always`.
pub(crate) fn run(
    profile: Profile,
    adapt: impl FnOnce(Suite) -> Suite,
    always: &[&str],
    publish: impl AsyncFnOnce(remote::Publishing, Vec<PathBuf>) -> Result<(), BackendError>,
) -> ExitCode {
    if let (Some(server), Some(subject), Some(folder)) =
        (env::var(SERVER).ok(), env::var(SUBJECT).ok(), env::var_os(FOLDER))
    {
        return serve(server, subject, folder.into(), publish);
    }
    if env::var_os(SERVER).is_some() {
        let suite = Suite::of::<Made<ThisClient>>().profile(profile).seen_through(view);
        let (id, reason) = DEVIATION;
        return adapt(suite.forgetting(forget).deviation(id, reason)).main();
    }
    // What the suite is asked for: what this program is, or each group.
    let mut asked: Vec<Vec<OsString>> = vec![env::args_os().skip(1).collect()];
    if env::var_os(IS_WANTED).is_none() {
        let rest = format!("the whole suite takes minutes, and runs if {IS_WANTED} is set");
        if always.is_empty() {
            println!("nothing is proven: {rest}");
        } else {
            println!("only the groups {always:?} are proven: {rest}");
        }
        asked = always.iter().map(|group| vec![format!("{group}::").into()]).collect();
    }
    let server = match Server::start() {
        Ok(server) => server,
        Err(reason) => {
            println!("nothing is proven, and all tests are ignored: {reason}");
            return ExitCode::SUCCESS;
        }
    };
    for arguments in asked {
        // The same again, with the server's address.
        let again = env::current_exe().and_then(|this| {
            Command::new(this).args(arguments).env(SERVER, &server.address).status()
        });
        match again {
            Ok(status) if status.success() => {}
            Ok(_) => return ExitCode::FAILURE,
            Err(error) => {
                eprintln!("this program cannot be started again: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// A NATS server that keeps its files in a temporary folder.
pub(crate) struct Server {
    pub(crate) address: String,
    port: u16,
    process: Child,
    folder: PathBuf,
}

#[allow(dead_code, reason = "tests of faults also restart it")]
impl Server {
    /// Starts a server, or says why that is not possible.
    pub(crate) fn start() -> Result<Self, String> {
        Self::start_with("")
    }

    /// Starts a server with further settings.
    pub(crate) fn start_with(more: &str) -> Result<Self, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);

        let explain = |error: io::Error| format!("nats-server cannot be started: {error}");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("nats-{}-{count}", process::id()));
        fs::create_dir_all(&folder).map_err(explain)?;
        // The system chooses a port that is free.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = port.map_err(explain)?.port();
        // Doubled braces would be a variable of the template.
        let store = format!("store_dir: {:?}, max_file_store: 1TB", folder.display().to_string());
        let settings = format!("listen: \"127.0.0.1:{port}\"\njetstream ") + "{" + &store + "}\n";
        fs::write(folder.join("settings"), settings + more).map_err(explain)?;
        let process = Self::process(&folder, port)?;
        Ok(Self { address: format!("nats://127.0.0.1:{port}"), port, process, folder })
    }

    /// Starts the process, and waits until it accepts connections.
    fn process(folder: &Path, port: u16) -> Result<Child, String> {
        let mut process = Command::new("nats-server")
            .arg("-c")
            .arg(folder.join("settings"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!("nats-server cannot be run: {error}; install the package nats-server")
            })?;
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if start.elapsed() > DEADLINE {
                _ = process.kill();
                _ = process.wait();
                return Err("nats-server does not accept connections".into());
            }
            thread::yield_now();
        }
        Ok(process)
    }

    /// Returns the number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Kills the server: it cannot save anything.
    pub(crate) fn kill(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }

    /// Starts it again after [`kill`](Self::kill), at the same address and with the same files.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.process = Self::process(&self.folder, self.port)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        _ = fs::remove_dir_all(&self.folder);
    }
}

/// The client of the daemon that was started last.
struct ThisClient;

impl ThisClient {
    fn settings() -> remote::Settings {
        let subject = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let server = env::var(SERVER).unwrap_or_default();
        remote::Settings::at(remote::Address::default().server(server).subject(subject))
            // A busy machine takes long to look at 10 000 folders.
            .patience(DEADLINE * 3)
            .root(THERE, "/")
            // For paths that are not those of the view.
            .root("/", "/")
    }
}

/// The subject of the daemon that was started last.
static CURRENT: Mutex<String> = Mutex::new(String::new());

impl Maker for ThisClient {
    type Backend = Tested;
    const RESUMES: bool = true;

    fn make(watches: Vec<Watch>) -> Result<Tested, BackendError> {
        Tested::with_settings(Self::settings(), watches)
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Tested, BackendError> {
        Tested::resume_with_settings(Self::settings(), watches, from)
    }
}

/// Drops all that the stream has.
fn forget(_: &Path) -> io::Result<()> {
    let purge = async || {
        // Its question lets the daemon publish what has happened.
        drop(Tested::with_settings(ThisClient::settings(), vec![]).map_err(io::Error::other)?);
        let server = env::var(SERVER).unwrap_or_default();
        let client = async_nats::connect(server).await.map_err(io::Error::other)?;
        let name = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).replace('.', "-");
        let stream = async_nats::jetstream::new(client).get_stream(name).await;
        stream.map_err(io::Error::other)?.purge().await.map_err(io::Error::other).map(drop)
    };
    let purged = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(purge())
    });
    purged.join().map_err(|_| io::Error::other("the thread that purges has panicked"))?
}

/// Shows a folder through a daemon.
fn view(folder: &Path) -> io::Result<View> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let subject = format!("test.{}.{count}", process::id());
    let daemon = Daemon::start(&env::var(SERVER).unwrap_or_default(), &subject, folder)?;
    *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = subject;
    let below = folder.strip_prefix("/").map_err(io::Error::other)?;
    Ok(View::new(Path::new(THERE).join(below)).keeping(daemon))
}

/// A daemon, which is ended when it is dropped, or when this process ends in another way.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts this program as a daemon, and waits until clients can come.
    pub(crate) fn start(server: &str, subject: &str, folder: &Path) -> io::Result<Self> {
        // Some cases run as another user, and that one may not enter this program's folder.
        let this = Path::new("/proc/self/exe");
        let this = if cfg!(target_os = "linux") { this.into() } else { env::current_exe()? };
        let mut process = Command::new(this)
            .env(SERVER, server)
            .env(SUBJECT, subject)
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take();
        let daemon = Self(process);
        let mut line = String::new();
        if let Some(output) = output {
            BufReader::new(output).read_line(&mut line)?;
        }
        match line.trim() {
            "ready" => Ok(daemon),
            error => Err(io::Error::other(format!("the daemon says {error:?}"))),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Is a daemon, for as long as its input is open.
fn serve(
    server: String,
    subject: String,
    folder: PathBuf,
    publish: impl AsyncFnOnce(remote::Publishing, Vec<PathBuf>) -> Result<(), BackendError>,
) -> ExitCode {
    thread::spawn(|| {
        _ = io::copy(&mut io::stdin(), &mut io::sink());
        process::exit(0);
    });
    let address = remote::Address::default().server(server).subject(subject);
    let settings =
        remote::Publishing::at(address).keep(64 * 1024 * 1024, Duration::from_secs(3600));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let published = runtime.map(|runtime| runtime.block_on(publish(settings, vec![folder])));
    println!("{published:?}");
    ExitCode::FAILURE
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_remote", crate_name | replace: "RemoteBackend", type_name -}}
