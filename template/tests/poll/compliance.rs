//! Holds the backend to the contract and to the capabilities that it declares. {%- capture source %}

use std::{process::ExitCode, time::Duration};

use notify_backend::{
    compliance::{Profile, Suite},
    prelude::*,
    settings::{Made, Maker},
};
use notify_backend_poll::PollBackend as Tested;
use notify_backend_poll::Settings;

/// Shorter than by default, or the suite would wait for an hour.
const INTERVAL: Duration = Duration::from_millis(10);

/// A look at thousands of files takes seconds under Wine, and the pause after it four times as long.
const PATIENCE: Duration = Duration::from_secs(if cfg!(windows) { 40 } else { 10 });

struct Fast;

impl Maker for Fast {
    type Backend = Tested;

    fn make(watches: Vec<Watch>) -> Result<Tested, BackendError> {
        Tested::with_settings(Settings::default().interval(INTERVAL), watches)
    }
}

fn main() -> ExitCode {
    Suite::of::<Made<Fast>>()
        .profile(Profile::default().sampled(INTERVAL).pairs_renames(cfg!(unix)).patience(PATIENCE))
        .main()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_poll", crate_name | replace: "PollBackend", type_name -}}
