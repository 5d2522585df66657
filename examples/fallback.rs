//! Chooses the first of several backends that can watch a folder on this machine, and prints its name and the
//! events below the folder:
//!
//! ```sh
//! cargo run --example fallback -- FOLDER
//! ```
//!
//! On a network mount, inotify misses the changes by other machines, so it refuses to watch; the folder is then
//! polled.

use std::{env, error::Error};

use futures_util::StreamExt;
use notify_backend::{fallback::FirstOf, prelude::*};
#[cfg(target_os = "linux")]
use notify_backend_inotify::InotifyBackend;
use notify_backend_poll::PollBackend;

#[cfg(target_os = "linux")]
type Best = FirstOf<(InotifyBackend, PollBackend)>;
#[cfg(not(target_os = "linux"))]
type Best = FirstOf<(PollBackend,)>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("say which folder to watch")?;
    let mut changes = Best::new(vec![Watch::recursive(&folder)])?;
    println!("watching {} by {}", folder.display(), changes.about().name);

    while let Some(change) = changes.next().await {
        println!("{}", change?);
    }
    Ok(())
}
