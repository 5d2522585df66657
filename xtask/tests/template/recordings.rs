//! The recordings in `docs/recordings` are transcripts of a terminal. Their commands are run here, and have to print
//! what is recorded. With `UPDATE_GUIDE`, the lines that they print are recorded anew.

use std::{
    env, fs,
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::Receiver,
};

use rustix::process::{Pid, Signal, getuid, kill_process_group};

use crate::{
    builds::inotify::{DEADLINE, lines_of},
    generated::NAME,
    support::{cargo, folder, generate, in_project, passes, read, repository},
};

/// A placeholder for any lines, or for any end of a line.
const ANYTHING: &str = "…";

/// Plays the first steps in a new project, except `cargo test`: `tested` is its output, if it was run.
pub(crate) fn first_steps(project: &Path, tested: Option<&str>) {
    play("first-steps", in_project("bash", project), tested);
}

/// The recording of the starting point `fanotify`.
#[test]
#[ignore = "takes long, as a crate is built for it"]
fn fanotify() {
    starting_point("fanotify");
}

/// The recording of the starting point `remote`.
#[test]
#[ignore = "takes long, as a crate is built for it"]
fn remote() {
    starting_point("remote");
}

/// Plays the recording of a starting point in a crate made from it. It has an empty file system in `/srv`, and a
/// network of its own.
fn starting_point(start: &str) {
    let missing = ["unshare", "ip", "nats-server"].into_iter().find(|program| {
        let is_used = *program != "nats-server" || start == "remote";
        is_used && Command::new(program).arg("--version").output().is_err()
    });
    if let Some(missing) = missing.or((!getuid().is_root()).then_some("the user root")) {
        println!("not played: it needs {missing}");
        return;
    }
    let project =
        generate(NAME, &folder(&format!("recording-{start}")), &[&format!("start={start}")]);
    // The network is not there later. Examples are built with more features than programs.
    passes(&mut cargo(&project, &["build"]));
    passes(&mut cargo(&project, &["build", "--examples"]));
    let mut shell = in_project("unshare", &project);
    let scene = "mount -t tmpfs none /srv && ip link set lo up && exec bash";
    shell.args(["--mount", "--net", "sh", "-c", scene]).env("CARGO_NET_OFFLINE", "true");
    play(start, shell, None);
}

/// Gives the commands of a recording to a shell, each when the lines of those before it are there.
fn play(name: &str, shell: Command, tested: Option<&str>) {
    let path = repository().join("docs/recordings").join(format!("{name}.txt"));
    let transcript = read(&path);
    let (title, steps) = transcript.split_once('\n').unwrap();
    let mut recorded = format!("{title}\n");
    let mut shell = Shell::start(shell);
    for step in steps.split("$ ").skip(1) {
        let (command, shown) = step.split_once('\n').unwrap();
        recorded += &["$ ", command, "\n"].concat();
        // The caller has done these.
        if command.starts_with("cargo xtask") || command.starts_with("cd ") {
            recorded += shown;
            continue;
        }
        if command == "cargo test" {
            let mut printed = tested.unwrap_or(shown).lines();
            for line in shown.lines().filter(|line| *line != ANYTHING) {
                assert!(printed.any(|printed| is_shown(printed, line)), "{line}:\n{tested:?}");
            }
            recorded += shown;
            continue;
        }
        shell.types(command);
        for line in shown.lines() {
            let printed = shell.next(line);
            recorded += if is_shown(&printed, line) { line } else { &printed };
            recorded += "\n";
        }
    }
    let more = shell.ends();
    assert!(more.is_empty(), "{name} prints more: {more:?}");
    if env::var_os("UPDATE_GUIDE").is_some() {
        fs::write(&path, &recorded).unwrap();
    }
    assert!(
        recorded == read(&path),
        "docs/recordings/{name}.txt has other lines than these:\n{recorded}\nTo record it again: \
         .ci/update --workspace --test template -- --include-ignored recordings inotify::inotify"
    );
}

/// Returns whether a line of the transcript stands for the printed one. The numbers of trackers differ.
fn is_shown(printed: &str, line: &str) -> bool {
    let without_tracker = |text: &str| text.split("tracker=").next().unwrap().len();
    match line.strip_suffix(ANYTHING) {
        Some(start) => printed.starts_with(start),
        None => printed[..without_tracker(printed)] == line[..without_tracker(line)],
    }
}

/// A shell, whose processes all end with it.
struct Shell {
    process: Child,
    lines: Receiver<String>,
}

impl Shell {
    fn start(mut command: Command) -> Self {
        // One pipe for both outputs, as on a terminal.
        let (reader, writer) = std::io::pipe().unwrap();
        command.stdout(writer.try_clone().unwrap()).stderr(writer).stdin(Stdio::piped());
        let process = command.process_group(0).spawn().unwrap();
        Self { process, lines: lines_of(reader) }
    }

    fn types(&mut self, command: &str) {
        writeln!(self.process.stdin.as_ref().unwrap(), "{command}").unwrap();
    }

    /// Returns the next line that is printed; `wanted` is the recorded one.
    fn next(&self, wanted: &str) -> String {
        let printed = self.lines.recv_timeout(DEADLINE);
        printed.unwrap_or_else(|error| panic!("{error} for {wanted}"))
    }

    /// Ends it; returns the lines that were not expected.
    fn ends(mut self) -> Vec<String> {
        self.kill();
        self.lines.iter().collect()
    }

    fn kill(&mut self) {
        // Its processes may have ended.
        _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        _ = self.process.wait();
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.kill();
    }
}
