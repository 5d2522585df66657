//! The daemon: publishes what happens in the given folders; see `--help`. {%- capture source %}

use std::{env, ffi::OsString, path::PathBuf, pin::Pin, process::ExitCode, time::Duration};

use notify_backend::BackendError;
use notify_backend_remote as remote;

/// How often the backend `looking` looks at the files.
const INTERVAL: Duration = Duration::from_secs(1);

/// The backends to choose from, by name; the first is the default. For one of another crate, add that crate to
/// `Cargo.toml` and a line here, with [`remote::publish`] and its type:
/// `("acme", |settings, folders| Box::pin(remote::publish::<AcmeBackend>(settings, folders, ready)))`.
const BACKENDS: &[(&str, Publish)] = &[("looking", |settings, folders| {
    Box::pin(remote::publish_by_looking(settings, INTERVAL, folders, ready))
})];

/// Publishes what a backend reports about the folders.
type Publish = fn(remote::Publishing, Vec<PathBuf>) -> Published;
type Published = Pin<Box<dyn Future<Output = Result<(), BackendError>>>>;

const HELP: &str = "\
Publishes what happens in the given folders, for clients on other machines.

Usage: [OPTIONS] FOLDER...

  --backend NAME     what watches the folders; see below (default: the first of them)
  --server ADDRESS   the NATS server (default: nats://127.0.0.1:4222)
  --subject SUBJECT  the subject, such as files.HOST.ROOT (default: files)
  --help             prints this

Backends:";

fn help() -> String {
    BACKENDS.iter().fold(HELP.to_owned(), |help, (name, _)| help + " " + name) + "\n"
}

/// Says that clients can come.
fn ready() {
    println!("ready");
}

/// Reads the arguments: what publishes, its settings and the folders; or nothing if help is wanted.
fn arguments(
    mut given: impl Iterator<Item = OsString>,
) -> Result<Option<(Publish, remote::Publishing, Vec<PathBuf>)>, String> {
    let (mut address, mut folders) = (remote::Address::default(), vec![]);
    let (_, mut publish) = BACKENDS[0];
    while let Some(argument) = given.next() {
        let option = argument.to_str().unwrap_or_default().to_owned();
        let mut value = || {
            let value = given.next().and_then(|value| value.into_string().ok());
            value.ok_or(format!("{option} needs a value"))
        };
        match option.as_str() {
            "--help" => return Ok(None),
            "--backend" => {
                let wanted = value()?;
                let found = BACKENDS.iter().find(|(name, _)| *name == wanted);
                (_, publish) = *found.ok_or(format!("{wanted} is no backend of this program"))?;
            }
            "--server" => address = address.server(value()?),
            "--subject" => address = address.subject(value()?),
            _ if option.starts_with("--") => return Err(format!("{option} is not known")),
            _ => folders.push(argument.into()),
        }
    }
    if folders.is_empty() {
        return Err("no folder is given".into());
    }
    Ok(Some((publish, remote::Publishing::at(address), folders)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (publish, settings, folders) = match arguments(env::args_os().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("{error}\n\n{}", help());
            return ExitCode::FAILURE;
        }
    };
    tokio::select! {
        ended = publish(settings, folders) => match ended {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ = tokio::signal::ctrl_c() => ExitCode::SUCCESS,
    }
}
//~{% endcapture %}{{ source | remove: "//~" | replace: "notify_backend_remote", crate_name -}}
