//! What the command prints.

use std::{
    fmt,
    io::{self, Write as _},
};

use serde::Serialize;
use tokio::io::AsyncWriteExt;

use crate::{
    backend::{Backend, StreamItem},
    capability::Capabilities,
    event::serde::PathText,
};

/// For whom the command prints.
#[derive(Clone, Copy, Debug)]
pub(super) enum Output {
    Person,
    Program,
}

#[derive(Serialize)]
struct Ready {
    #[expect(clippy::struct_field_names, reason = "the field tells this line from the others")]
    ready: bool,
    backend: &'static str,
    capabilities: Capabilities,
}

#[derive(Serialize)]
struct Error<'a> {
    error: String,
    #[serde(flatten)]
    path: Option<PathText<'a>>,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        if json { Self::Program } else { Self::Person }
    }

    /// Says that `what` is watched from now on.
    pub(super) async fn ready<B: Backend>(self, what: &str) -> io::Result<()> {
        let backend = B::name();
        match self {
            Self::Person => note(format_args!("{backend} watches {what}; Ctrl-C ends it")),
            Self::Program => {
                let capabilities = B::capabilities();
                object(&Ready { ready: true, backend, capabilities }).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn item(self, item: StreamItem) -> io::Result<()> {
        match (self, item) {
            (Self::Person, Ok(event)) => line(event.to_string()).await?,
            (Self::Person, Err(error)) => note(format_args!("error: {error}")),
            (Self::Program, Ok(event)) => object(&event).await?,
            (Self::Program, Err(error)) => {
                let path = error.path().map(PathText::of);
                object(&Error { error: error.to_string(), path }).await?;
            }
        }
        Ok(())
    }
}

async fn object(value: &impl Serialize) -> io::Result<()> {
    line(serde_json::to_string(value)?).await
}

/// Prints a line on the standard output, and waits until it is written. It does so through Tokio,
/// so that the command can end meanwhile.
async fn line(mut text: String) -> io::Result<()> {
    text.push('\n');
    let mut stdout = tokio::io::stdout();
    stdout.write_all(text.as_bytes()).await?;
    stdout.flush().await
}

/// Prints a line on the standard error.
pub(super) fn note(text: fmt::Arguments<'_>) {
    // Where nobody reads it, nobody misses it; `eprintln!` would panic.
    let _ = writeln!(io::stderr(), "{text}");
}
