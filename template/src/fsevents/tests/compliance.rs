//! Checks the backend against the contract and the capabilities that it declares: on FSEvents, and on Linux on a
//! model of it. {%- capture source %}

#[cfg(target_os = "linux")]
mod model;

use std::process::ExitCode;
#[cfg(target_os = "linux")]
use std::{io, path::Path};

use notify_backend::compliance::{Profile, Suite};

#[cfg(target_os = "linux")]
use notify_backend_fsevents as backend;
#[cfg(not(target_os = "linux"))]
use notify_backend_fsevents::FsEventsBackend as Tested;

#[cfg(target_os = "linux")]
type Tested = notify_backend::settings::Made<model::Quick>;

/// The model's service is that of the process. It runs before the suite counts threads and descriptors.
#[cfg(target_os = "linux")]
fn on_model(suite: Suite) -> Suite {
    model::start().expect("this system has inotify");
    let counted = "the model takes a watch of inotify for each folder, also for those above and of other cases";
    let refused = "inotify refuses the model, at times, what root's service of macOS may read";
    let suite = suite.deviation("RES04", counted).deviation("CHG14", counted);
    suite.forgetting(model::forget).losing(lose).leave_out("CON25", refused)
}

/// Has the service lose what waits for a folder or below.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "others may fail")]
fn lose(folder: &Path) -> io::Result<()> {
    model::lose(folder, backend::Flags::MUST_SCAN_SUB_DIRS);
    Ok(())
}

fn main() -> ExitCode {
    let at_close = "FSEvents reports a write when the file is closed";
    let suite = Suite::of::<Tested>().profile(Profile::default().coalesced());
    let suite = suite.deviation("FIL05", at_close);
    #[cfg(target_os = "linux")]
    let suite = on_model(suite);
    suite.main()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_fsevents", crate_name | replace: "FsEventsBackend", type_name -}}
