//! What to do with a crate that was just made, as commands that can be pasted.

use std::{
    borrow::Cow,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Shows what to do next in `project`, which its user calls `folder`.
pub(crate) fn show(project: &Path, folder: PathBuf) {
    println!("Next:");
    if let Some(obstacle) = obstacle(project) {
        println!("    make cargo accept the crate where it is:");
        for line in obstacle.lines() {
            println!("{}", format!("        {line}").trim_end());
        }
    }
    // What begins with a hyphen would be an option.
    let is_option = folder.as_os_str().as_encoded_bytes().starts_with(b"-");
    let folder = if is_option { Path::new(".").join(folder) } else { folder };
    println!("    cd {}", quoted(&folder));
    println!("    cargo test");
    println!("    cargo run --example watch -- .");
}

/// Returns why cargo does not build the crate, as it says itself; above all in a workspace that does not
/// take the crate in.
fn obstacle(project: &Path) -> Option<String> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["locate-project", "--workspace"]).current_dir(project).stdin(Stdio::null());
    // Where there is no cargo, this is not what is missing.
    let output = cargo.output().ok().filter(|output| !output.status.success())?;
    let said = String::from_utf8_lossy(&output.stderr);
    Some(said.trim().trim_start_matches("error: ").into())
}

/// Returns a path as it is typed in a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if cfg!(windows) {
        // No name has a quote in it there.
        let is_plain =
            !text.contains([' ', '&', '(', ')', '^', ';', ',', '=', '%', '!', '\'', '`']);
        return if is_plain { text.into() } else { format!("\"{text}\"") };
    }
    // A path has no zero byte in it, which is all that cannot be quoted.
    shlex::try_quote(&text).map_or(text.clone(), Cow::from).into()
}
