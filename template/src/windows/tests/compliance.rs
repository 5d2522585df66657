//! Checks the backend against the contract and the capabilities that it declares. {%- capture source %}

use std::{process::ExitCode, time::Duration};

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

/// What Wine 8 does wrong, as a direct trial of `ReadDirectoryChangesW` has shown, and the cases that fail for it.
const WINE: &[(&str, &[&str])] = &[
    (
        "Wine reports nothing from folders that were there before the watch",
        &[
            "CHG06", "CHG13", "CHG22", "CHG23", "CHG24", "CON09", "MOV03", "OVF03", "OVF13",
            "REC01", "REC09", "REC13", "REC14", "REC18", "REC20", "REN02",
        ],
    ),
    (
        "Wine reports nothing from a folder that was moved in",
        &["ACC04", "ACC07", "META03", "META10", "NAME03", "NAME04", "NAME07", "REC05", "REC26"],
    ),
    (
        "Wine reports the old path of entries of a folder that was renamed, even if it was moved out",
        &["CONV01", "CONV02", "CONV04", "OVF15", "REC06", "REC07", "REC08", "REC16"],
    ),
    (
        "Wine keeps a removed folder until its last handle is closed, and does not end the read",
        &["CHG09", "RES05", "ROOT01", "ROOT02", "ROOT04", "ROOT06", "ROOT09", "STR09"],
    ),
];

/// The cases that prove nothing under Wine.
const LEFT_OUT: [(&str, &str); 3] = [
    ("OVF01", "Wine takes minutes for thousands of files"),
    ("OVF11", "Wine takes minutes for thousands of files"),
    ("OVF12", "Wine takes minutes for thousands of files"),
];

/// Returns whether this runs under Wine.
#[cfg(windows)]
fn is_wine() -> bool {
    use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};

    let library: Vec<u16> = "ntdll.dll\0".encode_utf16().collect();
    // SAFETY: both names end with a zero, and the library stays loaded.
    unsafe {
        let library = GetModuleHandleW(library.as_ptr());
        GetProcAddress(library, c"wine_get_version".as_ptr().cast()).is_some()
    }
}

#[cfg(not(windows))]
fn is_wine() -> bool {
    false
}

fn main() -> ExitCode {
    // Under Wine, making a backend may take half a second.
    let patience = Duration::from_secs(if is_wine() { 40 } else { 10 });
    let profile = Profile::default().distinguishes_metadata(false).pairs_renames(tracks());
    let suite = Suite::of::<Tested>().profile(profile.patience(patience));
    let mut suite = suite.runs_on(&["windows"]);
    for (reason, cases) in WINE.iter().filter(|_| is_wine()) {
        for case in *cases {
            suite = suite.deviation(case, reason);
        }
    }
    for (case, reason) in LEFT_OUT.iter().filter(|_| is_wine()) {
        suite = suite.leave_out(case, reason);
    }
    suite.main()
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_windows", crate_name | replace: "WindowsBackend", type_name -}}
