//! Checks the backend against the contract and the capabilities that it declares: on kqueue, and where there is none,
//! on a model of it. {%- capture source %}

#[cfg(target_os = "linux")]
pub(crate) mod model;

use std::process::ExitCode;

use notify_backend::compliance::{Profile, Suite};

#[cfg(target_os = "linux")]
use notify_backend_kqueue as backend;
#[cfg(not(target_os = "linux"))]
use notify_backend_kqueue::KqueueBackend as Tested;

#[cfg(target_os = "linux")]
type Tested = backend::VnodeBackend<model::Model>;

fn main() -> ExitCode {
    run()
}

/// Runs the suite.
pub(crate) fn run() -> ExitCode {
    let mut suite = Suite::of::<Tested>().profile(Profile::default().coalesced());
    if !cfg!(target_vendor = "apple") {
        let busy = "an open file keeps its file system from being unmounted";
        suite = suite.deviation("ROOT07", busy).deviation("REC22", busy);
    }
    if cfg!(target_os = "linux") {
        let counted =
            "the model takes a watch of inotify for each file, also for those that the suite makes";
        suite = suite.deviation("RES03", counted).deviation("RES04", counted);
        suite = suite.deviation("CHG14", counted);
    }
    #[cfg(target_os = "linux")]
    if model::System::of_environment() == model::System::OpenBsd {
        let late = "if an entry is looked at after the note about the folder that it leaves and before it leaves, \
                    nothing says that it has gone";
        suite = suite.leave_out("REN13", late);
    }
    suite.main()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_kqueue", crate_name | replace: "KqueueBackend", type_name -}}
