//! Uses a backend in place of notify's own watchers, and prints the events below a folder:
//!
//! ```sh
//! cargo run --example through_notify -- FOLDER
//! ```

use std::{env, error::Error, path::Path, sync::mpsc, time::Duration};

use notify::{Config, RecursiveMode, Watcher};
use notify_backend::adapter::NotifyWatcher;
use notify_backend_poll::PollBackend;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("say which folder to watch")?;
    let (sender, events) = mpsc::channel();
    let config = Config::default().with_poll_interval(Duration::from_millis(200));
    let mut watcher = NotifyWatcher::<PollBackend>::new(sender, config)?;
    watcher.watch(Path::new(&folder), RecursiveMode::Recursive)?;
    println!("watching {}", folder.display());

    for event in events {
        println!("{:?}", event?);
    }
    Ok(())
}
