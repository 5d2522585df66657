//! Runs a local registry until it is killed: `registry HOME` makes cargo use it where `HOME` is the variable
//! `CARGO_HOME`. The registry has what is published to it, and what was downloaded to the cargo home in which it runs.

use std::{env, fs, io, path::PathBuf, thread};

use registry::Registry;

fn main() -> io::Result<()> {
    let home = env::args_os().nth(1).map(PathBuf::from);
    let home = home.ok_or_else(|| io::Error::other("say which folder is the cargo home"))?;
    fs::create_dir_all(&home)?;
    // The file exists once the registry answers.
    fs::write(home.join("config.toml"), Registry::start().configuration())?;
    loop {
        thread::park();
    }
}
