//! The daemon: publishes what happens in the given folders; see `--help`. {%- capture source %}

use std::{env, ffi::OsString, path::PathBuf, process::ExitCode, time::Duration};

use notify_backend_remote as remote;

/// How often it looks at the files.
const INTERVAL: Duration = Duration::from_secs(1);

const HELP: &str = "\
Publishes what happens in the given folders, for clients on other machines.

Usage: [OPTIONS] FOLDER...

  --server ADDRESS   the NATS server (default: nats://127.0.0.1:4222)
  --subject SUBJECT  the subject, such as files.HOST.ROOT (default: files)
  --help             prints this
";

/// Reads the arguments: the settings and the folders, or nothing if help is wanted.
fn arguments(
    mut given: impl Iterator<Item = OsString>,
) -> Result<Option<(remote::Publishing, Vec<PathBuf>)>, String> {
    let (mut settings, mut folders) = (remote::Publishing::default(), vec![]);
    while let Some(argument) = given.next() {
        let option = argument.to_str().unwrap_or_default().to_owned();
        let mut value = || {
            let value = given.next().and_then(|value| value.into_string().ok());
            value.ok_or(format!("{option} needs a value"))
        };
        match option.as_str() {
            "--help" => return Ok(None),
            "--server" => settings = settings.server(value()?),
            "--subject" => settings = settings.subject(value()?),
            _ if option.starts_with("--") => return Err(format!("{option} is not known")),
            _ => folders.push(argument.into()),
        }
    }
    if folders.is_empty() {
        return Err("no folder is given".into());
    }
    Ok(Some((settings, folders)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (settings, folders) = match arguments(env::args_os().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            return ExitCode::FAILURE;
        }
    };
    // With another backend, this is `publish::<AcmeBackend>`.
    let published = remote::publish_by_looking(settings, INTERVAL, folders, || println!("ready"));
    tokio::select! {
        ended = published => match ended {
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
