//! On the same tree, this backend and inotify give their consumers the same picture.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use std::time::Duration;

    use notify_backend::{
        compliance::{Profile, Suite, Verdict},
        prelude::*,
        settings::{Made, Maker},
    };
    use notify_backend_inotify::InotifyBackend;
    use notify_backend_poll::{PollBackend, Settings};

    const INTERVAL: Duration = Duration::from_millis(10);

    struct Fast;
    impl Maker for Fast {
        type Backend = PollBackend;

        fn make(watches: Vec<Watch>) -> Result<PollBackend, BackendError> {
            PollBackend::with_settings(Settings::default().interval(INTERVAL), watches)
        }
    }

    let suite = Suite::of::<Made<Fast>>()
        .profile(Profile::default().sampled(INTERVAL))
        .beside::<InotifyBackend>(Profile::default());
    if suite.answer() {
        return ExitCode::SUCCESS;
    }
    match suite.judge("CONV06") {
        Verdict::Passed => {
            println!("CONV06 passes");
            ExitCode::SUCCESS
        }
        Verdict::Ignored(reason) | Verdict::Failed(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Does nothing: there is no inotify to compare with.
#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    ExitCode::SUCCESS
}
