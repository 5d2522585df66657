//! Reads a backend as a stream, and prints the events below a folder:
//!
//! ```sh
//! cargo run --example stream -- FOLDER
//! ```

use std::{env, error::Error};

use futures_util::StreamExt;
use notify_backend::prelude::*;
use notify_backend_poll::PollBackend;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("say which folder to watch")?;
    let mut changes = PollBackend::new(vec![Watch::recursive(&folder)])?;
    println!("watching {}", folder.display());

    while let Some(change) = changes.next().await {
        match change {
            Ok(event) => {
                println!("{event}");
                if let EventKind::Missed(_) = event.kind {
                    println!("events were lost: list the folder again");
                }
            }
            // The error concerns a part of the watched paths. The rest is still watched.
            Err(error) => eprintln!("{error}"),
        }
    }
    Ok(())
}
