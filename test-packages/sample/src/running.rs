//! A running command whose output is read line by line, with a deadline.

#![allow(clippy::missing_panics_doc, reason = "a test panics where it fails")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

/// Long enough for the busiest machine; only a failing test waits for it.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A running command. Dropping it ends the command.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Option<Lines>,
    stderr: Option<Lines>,
}

/// The exit code of the command, and the rest of its output.
#[derive(Debug, PartialEq)]
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// The rest of its standard output.
    pub stdout: Vec<String>,
    /// The rest of its standard error.
    pub stderr: Vec<String>,
}

impl Running {
    /// Starts `command`.
    pub fn start(command: &mut Command) -> Self {
        let (mut running, stdout) = Self::start_unread(command);
        running.stdout = Some(Lines::of(stdout));
        running
    }

    /// Starts `command` and returns its standard output unread.
    pub fn start_unread(command: &mut Command) -> (Self, ChildStdout) {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().map(Lines::of);
        (Self { child, stdout: None, stderr }, stdout)
    }

    /// Returns the next line of the standard output.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let lines = self.stdout.as_mut().expect("the test still reads");
        lines.next().expect("the command goes on")
    }

    /// Returns the next line of the standard error.
    #[track_caller]
    pub fn note(&mut self) -> String {
        let lines = self.stderr.as_mut().expect("the test still reads");
        lines.next().expect("the command goes on")
    }

    /// Closes the reading end of the standard output.
    pub fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Closes the reading end of the standard error.
    pub fn close_stderr(&mut self) {
        self.stderr = None;
    }

    /// Interrupts the command as Ctrl-C does.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the command runs");
    }

    /// Sends a signal to the only process that the command has started.
    #[cfg(target_os = "linux")]
    pub fn signal_child(&self, signal: Signal) {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let child = children.ok().and_then(|child| Pid::from_raw(child.trim().parse().ok()?));
        kill_process(child.expect("there is one"), signal).expect("it runs");
    }

    /// Waits for the command to end.
    #[track_caller]
    #[must_use]
    pub fn end(mut self) -> Ended {
        let rest = |lines: Option<Lines>| lines.map(Vec::from_iter).unwrap_or_default();
        assert!(
            self.stdout.is_some() || self.stderr.is_some(),
            "only the end of an output shows it in time"
        );
        let (stdout, stderr) = (rest(self.stdout.take()), rest(self.stderr.take()));
        let status = self.child.wait().expect("the command can be waited for");
        Ended { code: status.code(), stdout, stderr }
    }
}

impl Drop for Running {
    /// Ends a command that a failing test has left running.
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines on another thread, and only on request, so that nothing reads the stream once this is dropped.
#[derive(Debug)]
struct Lines {
    ask: Sender<()>,
    answer: Receiver<Option<String>>,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (ask, asked) = channel();
        let (answers, answer) = channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
            for () in asked {
                if answers.send(lines.next()).is_err() {
                    break;
                }
            }
        });
        Self { ask, answer }
    }
}

impl Iterator for Lines {
    type Item = String;

    #[track_caller]
    fn next(&mut self) -> Option<String> {
        self.ask.send(()).expect("the thread runs until this is dropped");
        self.answer.recv_timeout(DEADLINE).expect("the command prints or ends in time")
    }
}
