//! Checks the backend against the contract and the capabilities that it declares. {%- capture source %}
//!
//! Only root can make it.

use std::process::ExitCode;

use notify_backend::compliance::Suite;
use notify_backend_fanotify::FanotifyBackend;

fn main() -> ExitCode {
    Suite::of::<FanotifyBackend>().needs_root().main()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_fanotify", crate_name | replace: "FanotifyBackend", type_name -}}
