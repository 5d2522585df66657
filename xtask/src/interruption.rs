//! What ends the command from outside: Ctrl-C, a hang-up and the request to terminate.
//!
//! While something is asked, they end it at once, and the terminal is as before. While something is
//! made, they wait until that is done or undone, so that nothing half-made is left behind.

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

/// What a shell takes for the end by Ctrl-C.
const INTERRUPTED: i32 = 130;

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Held while something is made.
static MAKING: Mutex<()> = Mutex::new(());

/// Ends the command from now on as described above. `is_asked` says whether it uses the terminal.
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

/// Does what must not be interrupted. Where it was to be interrupted meanwhile, `undo` removes what
/// was made, and the command ends.
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
    // What failed to be undone is to be known; otherwise the interruption says enough.
    if let Err(error) = undone {
        eprintln!("error: {error:#}");
    }
    wait()
}

/// Waits for the end that was asked for.
pub(crate) fn wait() -> ! {
    loop {
        thread::park();
    }
}

fn making() -> MutexGuard<'static, ()> {
    MAKING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A terminal on which something is asked, as it was before.
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

    /// Shows the cursor and what is typed. A terminal that has hung up needs neither.
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
