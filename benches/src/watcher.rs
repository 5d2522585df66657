//! A contender in its own process: [`Watcher`], and its [`Assignment`].

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process, set_parent_process_death_signal},
};

use crate::{
    contender::Contender,
    tally::{Mark, Tally},
};

/// The deadline for a mark. Nothing takes nearly as long, so a missing mark means that events were lost.
const DEADLINE: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// The task of a watching process.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Assignment {
    pub(crate) contender: Contender,
    /// The number of events per mark.
    pub(crate) batch: usize,
    /// The folder to watch.
    pub(crate) folder: PathBuf,
    /// Whether to watch everything below it too.
    #[arg(long)]
    pub(crate) recursive: bool,
}

impl Assignment {
    /// Waits for the signal to start, and watches until the process is ended.
    pub(crate) fn carry_out(self) -> Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        std::io::stdin().read_exact(&mut [0])?;
        let tally = Tally::new(self.batch);
        tally.mark();
        self.contender.watch(&self.folder, self.recursive, tally)
    }
}

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) current: u64,
    /// The peak.
    pub(crate) peak: u64,
}

/// A watching process.
#[derive(Debug)]
pub(crate) struct Watcher {
    process: Child,
    output: BufReader<ChildStdout>,
    /// Its state before it began.
    pub(crate) start: Mark,
    /// Its state once everything was watched.
    pub(crate) ready: Mark,
    /// Its memory before it began.
    pub(crate) start_memory: Memory,
}

impl Watcher {
    /// Starts a contender and waits until it watches.
    pub(crate) fn start(assignment: &Assignment) -> Result<Self> {
        let Assignment { contender, batch, folder, recursive } = assignment;
        let name = contender.to_possible_value().context("no contender is left out")?;
        let mut process = Command::new(env::current_exe()?)
            .args(["watch", name.get_name(), &batch.to_string()])
            .arg(folder)
            .args(recursive.then_some("--recursive"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().map(BufReader::new).context("stdout is a pipe")?;
        let mut input = process.stdin.take().context("stdin is a pipe")?;
        let mut watcher = Self {
            process,
            output,
            start: Mark::default(),
            ready: Mark::default(),
            start_memory: Memory::default(),
        };
        watcher.start_memory = watcher.memory()?;
        input.write_all(&[0])?;
        watcher.start = watcher.next_mark()?;
        watcher.ready = watcher.next_mark()?;
        Ok(watcher)
    }

    /// Waits for the next mark.
    pub(crate) fn next_mark(&mut self) -> Result<Mark> {
        if self.output.buffer().is_empty() {
            let events =
                poll(&mut [PollFd::new(self.output.get_ref(), PollFlags::IN)], Some(&DEADLINE))?;
            ensure!(events > 0, "events are missing: nothing has come for {} s", DEADLINE.tv_sec);
        }
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        line.parse()
    }

    /// Waits until the process is idle.
    pub(crate) fn settle(&self) -> Result<()> {
        let mut before = String::new();
        loop {
            let now = self.schedule()?;
            if now == before {
                return Ok(());
            }
            before = now;
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Halts the process, so that events gather in the kernel.
    pub(crate) fn halt(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.process), Signal::STOP)?)
    }

    /// Resumes the process.
    pub(crate) fn resume(&self) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.process), Signal::CONT)?)
    }

    /// Returns how often threads of the process have been scheduled.
    pub(crate) fn wakeups(&self) -> Result<u64> {
        let mut count = 0;
        for thread in self.schedule()?.lines() {
            count += thread.split(' ').nth(2).context("three numbers")?.parse::<u64>()?;
        }
        Ok(count)
    }

    /// Returns a line per thread: the time it ran, the time it waited to run, and how often it ran. See Linux's
    /// `Documentation/scheduler/sched-stats.rst`.
    fn schedule(&self) -> Result<String> {
        let mut lines = String::new();
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            lines += &fs::read_to_string(thread?.path().join("schedstat"))?;
        }
        Ok(lines)
    }

    /// Returns the memory use of the process.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let file = format!("/proc/{}/status", self.process.id());
        let status = fs::read_to_string(&file)?;
        let bytes = |field: &str| {
            let line =
                status.lines().find_map(|line| line.strip_prefix(field)?.strip_suffix(" kB"));
            let kilobytes = line.with_context(|| format!("no {field} in {file}"))?.trim();
            anyhow::Ok(kilobytes.parse::<u64>()? * 1024)
        };
        Ok(Memory { current: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // This fails if the process has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
