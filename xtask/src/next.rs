//! The next steps with a new crate, as commands to paste into a shell.

use std::{
    borrow::Cow,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Prints the next steps with the crate in `project`. `folder` is the same path as the user gave it.
pub(crate) fn show(project: &Path, folder: PathBuf) {
    println!("Next:");
    if let Some(obstacle) = obstacle(project) {
        println!("    make cargo accept the crate:");
        for line in obstacle.lines() {
            println!("{}", format!("        {line}").trim_end());
        }
    }
    // `cd` would take a leading hyphen for an option.
    let is_option = folder.as_os_str().as_encoded_bytes().starts_with(b"-");
    let folder = if is_option { Path::new(".").join(folder) } else { folder };
    println!("    cd {}", quoted(&folder));
    println!("    cargo test");
    println!("    cargo run --example watch -- .");
}

/// Returns cargo's own message if it refuses to build the crate, usually because a workspace around the
/// crate does not list it as a member.
fn obstacle(project: &Path) -> Option<String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["locate-project", "--workspace"]).current_dir(project).stdin(Stdio::null());
    // Without cargo there is no such obstacle to report.
    let output = cargo.output().ok().filter(|output| !output.status.success())?;
    let said = String::from_utf8_lossy(&output.stderr);
    Some(said.trim().trim_start_matches("error: ").into())
}

/// Returns a path, quoted for the shell where necessary.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) {
        // File names on Windows contain no quotes.
        let is_plain =
            !text.contains([' ', '&', '(', ')', '^', ';', ',', '=', '%', '!', '\'', '`']);
        return if is_plain { text.into() } else { format!("\"{text}\"") };
    }
    // Only a zero byte cannot be quoted, and a path has none.
    shlex::try_quote(&text).map_or(text.clone(), Cow::from).into()
}
