//! A program that is written for notify, with one line changed: it prints the events below a folder.
//!
//! ```sh
//! cargo run --example recommended --features notify -- FOLDER
//! ```

use std::{env, error::Error, sync::mpsc};

use notify::{RecursiveMode, Watcher};
// Before: `use notify::recommended_watcher;`
use notify_backend_native::recommended_watcher;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("say which folder to watch")?;
    let (sender, events) = mpsc::channel();
    let mut watcher = recommended_watcher(sender)?;
    watcher.watch(folder.as_ref(), RecursiveMode::Recursive)?;
    println!("watching {}", folder.display());
    for event in events {
        println!("{:?}", event?);
    }
    Ok(())
}
