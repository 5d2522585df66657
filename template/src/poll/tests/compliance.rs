//! Checks the backend against the contract and the capabilities that it declares. {%- capture source %}

use std::{
    env, fs, io, process,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use notify_backend::{
    compliance::{Profile, Suite},
    prelude::*,
    settings::{Made, Maker},
};
use notify_backend_poll::PollBackend as Tested;
use notify_backend_poll::Settings;

/// Shorter than by default, or the suite would wait for an hour: each change takes some looks. Under Wine, they take
/// longer than that anyway.
const INTERVAL: Duration = Duration::from_millis(if cfg!(windows) { 10 } else { 3 });

/// A look at thousands of files takes seconds under Wine, and the pause after it four times as long.
const PATIENCE: Duration = Duration::from_secs(if cfg!(windows) { 40 } else { 10 });

struct Fast;

impl Maker for Fast {
    type Backend = Tested;

    fn make(watches: Vec<Watch>) -> Result<Tested, BackendError> {
        Tested::with_settings(Settings::default().interval(INTERVAL), watches)
    }
}

/// What the file system tells on which the suite makes its folders.
struct FileSystem {
    /// Within which two changes are at the same time.
    granularity: Duration,
    /// Whether it tells when a file came to be, by which files are known when they are renamed.
    tells_births: bool,
}

impl FileSystem {
    fn probe() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("notify-backend-poll-{}", process::id()));
        fs::write(&path, "")?;
        let probed = fs::metadata(&path).and_then(|metadata| {
            let since = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH);
            let is_whole = since.is_ok_and(|since| since.subsec_nanos() == 0);
            // FAT goes in steps of two seconds, others without parts of one in steps of one.
            let granularity = if is_whole { Duration::from_secs(2) } else { Duration::ZERO };
            Ok(Self { granularity, tells_births: metadata.created().is_ok() })
        });
        fs::remove_file(&path)?;
        probed
    }
}

fn main() -> ExitCode {
    let FileSystem { granularity, tells_births } = match FileSystem::probe() {
        Ok(probed) => probed,
        Err(error) => {
            eprintln!("{} cannot be tested in: {error}", env::temp_dir().display());
            return ExitCode::FAILURE;
        }
    };
    Suite::of::<Made<Fast>>()
        .profile(
            Profile::default()
                .sampled(INTERVAL)
                .pairs_renames(cfg!(unix) && tells_births)
                .mtime_granularity(granularity)
                .patience(PATIENCE),
        )
        .main()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_poll", crate_name | replace: "PollBackend", type_name -}}
