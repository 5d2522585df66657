//! The output of the command.

use std::{
    borrow::Cow,
    fmt,
    io::{self, Write as _},
    path::Path,
};

use serde::Serialize;
use tokio::io::AsyncWriteExt;

use crate::contract::{
    backend::Backend,
    capability::Capabilities,
    display::Quoted,
    event::{Event, format::PathText},
};

/// The form of the output: for people or for programs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Output {
    Person,
    Program,
}

#[derive(Serialize)]
struct Ready {
    #[expect(
        clippy::struct_field_names,
        reason = "the field distinguishes this line from the others"
    )]
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

/// A rename as notify reports it, in one event.
#[derive(Serialize)]
struct Renamed<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_bytes: Option<Cow<'a, [u8]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_wide: Option<Vec<u16>>,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        if json { Self::Program } else { Self::Person }
    }

    /// Prints that `what` is watched from now on.
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

    pub(super) async fn event(self, event: &Event) -> io::Result<()> {
        match self {
            Self::Person => line(event.to_string()).await,
            Self::Program => object(event).await,
        }
    }

    /// Prints a rename: `event` has the old path, and `to` is the new one.
    pub(super) async fn renamed(self, event: &Event, to: &Path) -> io::Result<()> {
        match self {
            Self::Person => {
                let Event { kind, path, attrs } = event;
                line(format!("{kind} {} -> {}{attrs}", Quoted(path), Quoted(to))).await
            }
            Self::Program => {
                let PathText { path: to, path_bytes: to_bytes, path_wide: to_wide } =
                    PathText::of(to);
                object(&Renamed { event, to, to_bytes, to_wide }).await
            }
        }
    }

    /// Prints an error, whose text names the path too.
    pub(super) async fn error(
        self,
        error: impl fmt::Display,
        path: Option<&Path>,
    ) -> io::Result<()> {
        match self {
            Self::Person => {
                note(format_args!("error: {error}"));
                Ok(())
            }
            Self::Program => {
                let path = path.map(PathText::of);
                object(&Error { error: error.to_string(), path }).await
            }
        }
    }
}

async fn object(value: &impl Serialize) -> io::Result<()> {
    line(serde_json::to_string(value)?).await
}

/// Prints a line on the standard output, and waits until it is written: through Tokio, so that the command
/// can end meanwhile.
async fn line(mut text: String) -> io::Result<()> {
    text.push('\n');
    let mut stdout = tokio::io::stdout();
    stdout.write_all(text.as_bytes()).await?;
    stdout.flush().await
}

/// Prints a line on the standard error.
pub(super) fn note(text: fmt::Arguments<'_>) {
    // If it cannot be written, nothing is lost; `eprintln!` would panic.
    let _ = writeln!(io::stderr(), "{text}");
}
