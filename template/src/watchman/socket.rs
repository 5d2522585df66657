//! Where the daemon's socket is: [`find`]. {%- capture source %}

use std::{
    env, io,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use notify_backend::prelude::*;

use crate::{bser, settings::Settings};

/// Returns the socket of the settings, of the environment, or that which the command names.
pub(crate) fn find(settings: &Settings) -> Result<PathBuf, BackendError> {
    if let Some(socket) = &settings.socket {
        return Ok(socket.clone());
    }
    if let Some(socket) = env::var_os("WATCHMAN_SOCK") {
        return Ok(socket.into());
    }
    ask().map_err(|error| {
        let reason = format!(
            "`watchman get-sockname` does not name the daemon's socket ({error}); install Watchman, or set \
             WATCHMAN_SOCK"
        );
        BackendError::unavailable(reason)
    })
}

/// Asks the command, which starts the daemon if it does not run.
fn ask() -> io::Result<PathBuf> {
    let output = Command::new("watchman")
        .args(["--output-encoding=bser", "get-sockname"])
        .stdin(Stdio::null())
        .output()?;
    let mut frames = bser::Frames::default();
    frames.push(&output.stdout);
    let name = frames.next(|body| {
        let answer = bser::decode(body)?;
        Ok(answer.bytes("sockname").map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(name))))
    });
    let name =
        name.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    name.flatten()
        .ok_or_else(|| io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
//~{% endcapture %}{{ source | remove: "//~" -}}
