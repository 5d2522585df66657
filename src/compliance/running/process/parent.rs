//! One case in a process of its own: starts it, and waits for its answer.
//!
//! A process can be ended when it blocks, its leaks and panics are its own, and it can be another
//! user's or live in other namespaces.

use std::{
    env, fs,
    io::{self, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::protocol::{ANSWER, CAPABILITIES, CASE, DEAF, FOLDER, OWN_FILE_SYSTEM, Outcome, TYPE};
use crate::{
    compliance::{
        case::{Case, Listed},
        report::verdict::Verdict,
        rules::profile::Outlook,
        running::watchdog::LONGEST,
        scene::{
            environment::{self, Environment},
            platform,
            subject::Subject,
        },
    },
    contract::capability::{Capabilities, Capability},
};

/// Runs `listed` in a new process, with the given `outlook`, and kills that process if it takes longer than
/// `limit`.
pub(crate) fn run(listed: Listed, subject: &Subject, outlook: Outlook, limit: Duration) -> Outcome {
    match try_run(listed, subject, outlook, limit) {
        Ok(outcome) => outcome,
        Err(error) => Verdict::Failed(format!("the case could not be started: {error}")).into(),
    }
}

fn try_run(
    listed: Listed,
    subject: &Subject,
    outlook: Outlook,
    limit: Duration,
) -> io::Result<Outcome> {
    let folder = tempfile::Builder::new().prefix("compliance-").tempdir()?;
    let output = folder.path().join("output.txt");
    let stdout = fs::File::create(&output)?;
    let mut command = command(listed.case, subject, folder.path())?;
    command
        .env(CASE, listed.case.id)
        .env(TYPE, (subject.type_name)())
        .env(CAPABILITIES, subject.about().capabilities.to_string())
        .env(FOLDER, folder.path())
        .stderr(stdout.try_clone()?)
        .stdout(stdout);
    if outlook == Outlook::Deaf {
        command.env(DEAF, "");
    }
    // The case itself ends after its limit, as long as it can.
    let status = wait(&mut command, limit * LONGEST)?;
    let printed = fs::read_to_string(&output).unwrap_or_default();
    let printed = match printed.trim_end() {
        "" => String::new(),
        printed => format!("\nprinted by the backend:\n{printed}\n"),
    };
    let answer = fs::read(folder.path().join(ANSWER));
    let answer = answer.and_then(|answer| Ok(serde_json::from_slice::<Outcome>(&answer)?));
    restore_access(folder.path());
    let name = listed.full_name();
    Ok(match (answer, status) {
        (Ok(Outcome { verdict: Verdict::Failed(text), figures, barriers }), _) => {
            Outcome { verdict: Verdict::Failed(text + &printed), figures, barriers }
        }
        (Ok(outcome), _) => outcome,
        (Err(error), Some(status)) if status.success() => {
            // Something in it has ended it, or there was no room for the answer.
            let text = format!(
                "{name}: the process of the case ended before the case did, or its answer is lost: {error}\n{printed}"
            );
            Verdict::Failed(text).into()
        }
        (Err(_), Some(status)) => {
            let text = format!("{name}: the process of the case ended with {status}\n{printed}");
            Verdict::Failed(text).into()
        }
        (Err(_), None) => {
            let limit = limit * LONGEST;
            let text = format!("{name}: the case did not end within {limit:?}\n{printed}");
            Verdict::Failed(text).into()
        }
    })
}

/// Returns the command that starts this program as the case needs it.
fn command(case: &Case, subject: &Subject, folder: &Path) -> io::Result<Command> {
    let program = env::current_exe()?;
    let is_in = |environment| case.environment.contains(&environment);
    let is_apart = is_apart(case, subject.about().capabilities, subject.is_beside_others);
    let namespaces = if is_in(Environment::Namespaces) {
        Some(&environment::UNSHARE[..])
    } else if is_apart || is_in(Environment::Mounts) {
        environment::unshare_mounts()
    } else {
        None
    };
    if let Some(arguments) = namespaces {
        let mut command = Command::new("unshare");
        command.args(arguments).arg(program);
        if is_apart {
            command.env(OWN_FILE_SYSTEM, "");
        }
        return Ok(command);
    }
    let mut command = Command::new(program);
    if is_in(Environment::OrdinaryUser) && environment::is_root() {
        become_ordinary(&mut command, folder)?;
    }
    Ok(command)
}

/// Returns whether a case is to have a file system of its own.
fn is_apart(case: &Case, capabilities: Capabilities, is_beside_others: bool) -> bool {
    // In a new namespace, only what is mounted there can be watched as a whole.
    let is_alone = case.environment.contains(&Environment::Namespaces);
    (case.is_disturbed || is_beside_others || is_alone)
        && !case.environment.contains(&Environment::OrdinaryUser)
        && capabilities.contains(Capability::WatchEntireFilesystem)
}

/// Lets `command` run as a user who may write to `folder` and not much else.
#[cfg(unix)]
fn become_ordinary(command: &mut Command, folder: &Path) -> io::Result<()> {
    use std::os::unix::{fs::chown, process::CommandExt as _};

    use crate::compliance::scene::{environment::UNPRIVILEGED, foreign};

    const FOREIGN_FOLDERS: usize = 4;

    let all = folder.join("foreign");
    fs::create_dir(&all)?;
    for own in [folder, &all] {
        chown(own, Some(UNPRIVILEGED), Some(UNPRIVILEGED))?;
    }
    for i in 0..FOREIGN_FOLDERS {
        let folder = all.join(i.to_string());
        let file = folder.join(foreign::FILE);
        fs::create_dir_all(file.parent().unwrap_or(&folder))?;
        fs::write(&file, "content")?;
        for own in [&folder, &file] {
            chown(own, Some(UNPRIVILEGED), Some(UNPRIVILEGED))?;
        }
    }
    if cfg!(target_os = "linux") {
        // By this name, also a program in a folder that the user may not enter can be started.
        *command = Command::new("/proc/self/exe");
    }
    command.env(foreign::FOLDERS, all).uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    Ok(())
}

/// There are no such users here, and no case that asks for one is run.
#[cfg(not(unix))]
fn become_ordinary(_: &mut Command, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes folders that a case has locked removable again.
fn restore_access(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            platform::unlock(&entry.path());
            restore_access(&entry.path());
        }
    }
}

/// Starts `command` and waits for its end. Kills it and returns `None` when `limit` is over.
fn wait(command: &mut Command, limit: Duration) -> io::Result<Option<ExitStatus>> {
    // A pipe that is never written to: the child's end is closed when the child ends, however it does.
    let (mut end, held) = io::pipe()?;
    command.stdin(held);
    let mut child = start(command).map_err(|error| {
        let program = command.get_program().display();
        io::Error::new(error.kind(), format!("the system does not run {program}: {error}"))
    })?;
    // The command keeps a copy of what it gives to its child.
    command.stdin(Stdio::null());
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        _ = end.read(&mut [0]);
        // The receiver is gone if time was up.
        _ = sender.send(());
    });
    _ = ended.recv_timeout(limit);
    // Asked in any case: a process that the backend left behind may hold the pipe.
    let status = child.try_wait()?;
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    Ok(status)
}

/// Starts `command`; tries again for a while if the system cannot start a process just now, since nothing of
/// the case has run then.
fn start(command: &mut Command) -> io::Result<Child> {
    let start = Instant::now();
    loop {
        let started = command.spawn();
        let is_busy = |error: &io::Error| {
            // `EAGAIN` of fork(2); and ERROR_INTERNAL_ERROR, which Wine returns when a new process ends
            // before it has reported to Wine's server.
            error.kind() == io::ErrorKind::WouldBlock
                || cfg!(windows) && error.raw_os_error() == Some(1359)
        };
        if !started.as_ref().is_err_and(is_busy) || start.elapsed() > Duration::from_secs(2) {
            return started;
        }
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_that_others_could_disturb_are_apart() {
        let disturbed = Case { is_disturbed: true, ..Case::MUST };
        let ordinary = Case { environment: &[Environment::OrdinaryUser], ..Case::MUST };
        let all = Capabilities::ALL;
        let none = all.without(Capability::WatchEntireFilesystem);
        let alone = Case { environment: &[Environment::Namespaces], ..Case::MUST };
        for (case, capabilities, is_beside_others, expected) in [
            (&Case::MUST, all, true, true),
            (&Case::MUST, all, false, false),
            (&Case::MUST, none, true, false),
            (&disturbed, all, false, true),
            (&disturbed, none, true, false),
            (&ordinary, all, true, false),
            (&alone, all, false, true),
            (&alone, none, false, false),
        ] {
            let found = is_apart(case, capabilities, is_beside_others);
            assert_eq!(found, expected, "{capabilities} {is_beside_others}");
        }
    }
}
