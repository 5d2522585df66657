//! A pseudo-terminal on which a command asks questions, with simulated typing.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};

/// Long enough for the busiest machine; only a failing test waits for it.
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Terminal {
    /// The side of the user.
    user: File,
    /// The side of the command.
    line: File,
    shown: Receiver<Vec<u8>>,
    child: Child,
    /// The output that no call has waited for yet.
    text: String,
}

impl Terminal {
    /// Starts a command on the terminal.
    pub(crate) fn start(mut command: Command) -> Self {
        let user: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let name = ptsname(&user, vec![]).unwrap();
        let line = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let input = line.try_clone().unwrap();
        let (output, error) = (line.try_clone().unwrap(), line.try_clone().unwrap());
        command.env("TERM", "xterm").stdin(input).stdout(output).stderr(error);
        let child = command.spawn().unwrap();
        drop(command);
        let user = File::from(user);
        let mut reader = user.try_clone().unwrap();
        let (sender, shown) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = reader.read(&mut bytes) {
                if count == 0 || sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { user, line, shown, child, text: String::new() }
    }

    /// Waits until a text is shown, and the command waits for a key.
    #[track_caller]
    pub(crate) fn asks(&mut self, question: &str) {
        while !self.text.contains(question) {
            let more = self.shown.recv_timeout(DEADLINE);
            let more = more.unwrap_or_else(|_| panic!("no {question:?} in: {}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&more));
        }
        let (_, rest) = self.text.split_once(question).unwrap();
        self.text = rest.into();
        let start = Instant::now();
        while self.modes().contains(LocalModes::ICANON) {
            assert!(start.elapsed() < DEADLINE, "no key is asked for");
            thread::yield_now();
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.user.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Returns the terminal's modes for typed characters.
    pub(crate) fn modes(&self) -> LocalModes {
        tcgetattr(&self.line).unwrap().local_modes
    }

    /// Waits for the command to end; also returns the output since the last question.
    pub(crate) fn ends(mut self) -> (ExitStatus, LocalModes, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < DEADLINE, "the command does not end");
            // The command blocks unless its output is read.
            if let Ok(more) = self.shown.recv_timeout(Duration::from_millis(10)) {
                self.text.push_str(&String::from_utf8_lossy(&more));
            }
        };
        let modes = self.modes();
        let Self { line, shown, mut text, .. } = self;
        // Closes the last open handle, so that the reader reaches the end.
        drop(line);
        for more in shown {
            text.push_str(&String::from_utf8_lossy(&more));
        }
        (status, modes, text)
    }
}
