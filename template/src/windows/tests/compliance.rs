//! Checks the backend against the contract and the capabilities that it declares. {%- capture source %}

use std::process::ExitCode;

use notify_backend::{
    compliance::{Profile, Suite},
    prelude::*,
};
use notify_backend_windows::WindowsBackend as Tested;

/// Returns whether the system numbers files, which depends on its version.
fn tracks() -> bool {
    let about = Tested::new(vec![]).map(|backend| backend.about());
    about.is_ok_and(|about| about.capabilities.contains(Capability::TrackRelated))
}

fn main() -> ExitCode {
    let profile = Profile::default().distinguishes_metadata(false).pairs_renames(tracks());
    Suite::of::<Tested>().profile(profile).runs_on(&["windows"]).main()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_windows", crate_name | replace: "WindowsBackend", type_name -}}
