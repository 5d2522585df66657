//! Prints the events of the given paths; see `--help`. {%- capture source %}

use std::process::ExitCode;

use notify_backend::sample;
use notify_backend_inotify::InotifyBackend;

fn main() -> ExitCode {
    sample::main::<InotifyBackend>()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_inotify", crate_name | replace: "InotifyBackend", type_name -}}
