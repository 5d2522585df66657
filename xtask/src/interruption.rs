//! Signals that end the command: Ctrl-C, a hang-up and the request to terminate.
//!
//! During a question, a signal ends the command at once, and the terminal is restored. While files are
//! written, it takes effect once that is done or undone, so that nothing half-made is left behind.

use std::{
    io::{self, Write},
    process,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};
use dialoguer::console::Term;

/// The exit code by which a shell recognises Ctrl-C.
const INTERRUPTED: i32 = 130;

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Locked while files are written.
static MAKING: Mutex<()> = Mutex::new(());

/// Handles signals from now on as described above. `is_asked` says whether the command asks questions on
/// the terminal.
pub(crate) fn handle(is_asked: bool) -> Result<()> {
    let terminal = is_asked.then(Terminal::of_input);
    let end = move || {
        IS_INTERRUPTED.store(true, Ordering::SeqCst);
        let _made = making();
        if let Some(terminal) = &terminal {
            terminal.restore();
        }
        process::exit(INTERRUPTED)
    };
    ctrlc::set_handler(end).context("cannot handle Ctrl-C")
}

/// Runs `act` without interruption. If a signal arrives meanwhile, calls `undo` with the result and ends the
/// command.
pub(crate) fn uninterrupted<T>(
    act: impl FnOnce() -> Result<T>,
    undo: impl FnOnce(T) -> Result<()>,
) -> Result<T> {
    let undone = {
        let _making = making();
        let done = act();
        if !IS_INTERRUPTED.load(Ordering::SeqCst) {
            return done;
        }
        done.and_then(undo)
    };
    // A failed undo must be reported. Otherwise the user, having interrupted the command, knows enough.
    if let Err(error) = undone {
        eprintln!("error: {error:#}");
    }
    wait()
}

/// Waits for the signal's handler to end the process.
pub(crate) fn wait() -> ! {
    loop {
        thread::park();
    }
}

fn making() -> MutexGuard<'static, ()> {
    MAKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of a terminal before the first question.
struct Terminal {
    #[cfg(unix)]
    modes: Option<rustix::termios::Termios>,
}

impl Terminal {
    fn of_input() -> Self {
        Self {
            #[cfg(unix)]
            modes: rustix::termios::tcgetattr(io::stdin()).ok(),
        }
    }

    /// Shows the cursor and typed characters again. Errors do not matter: the terminal may have hung up.
    fn restore(&self) {
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            use rustix::termios::{OptionalActions, tcsetattr};
            _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
        }
        _ = Term::stderr().show_cursor();
        _ = writeln!(io::stderr());
    }
}
