//! What needs namespaces, a full device, or the size of a pipe.

use std::process::Command;

use notify_backend::{Event, event::CreateKind};
use rustix::process::Signal;
use sample_tests::{Ended, Item, Running, Script};

use super::{command, success, waiting};

/// The kernel delivers only handled signals to process 1 of a container.
#[test]
fn process_1_of_a_container() {
    const CONTAINER: [&str; 5] = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child"];
    let mut probe = Command::new("unshare");
    if !probe.args(CONTAINER).arg("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("not tested: `unshare` gets no namespaces here");
        return;
    }
    for stalls in [false, true] {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
            let inside = command(&Script { stalls, ..waiting([]) }, []);
            let mut container = Command::new("unshare");
            container.args(CONTAINER).arg(inside.get_program()).arg(".");
            container.envs(inside.get_envs().filter_map(|(name, value)| Some((name, value?))));
            let mut running = Running::start(&mut container);
            running.note();
            running.signal_child(signal);
            assert_eq!(running.end(), success(), "{signal:?}, stalls: {stalls}");
        }
    }
}

/// A line that does not fit into a pipe makes the command block in the middle of it.
#[test]
fn interrupt_while_the_reader_is_slow() {
    use std::{thread, time::Instant};

    let path = "x".repeat(80_000);
    let script = waiting([Item::Event(Event::create(CreateKind::File, path))]);
    let (command, stdout) = Running::start_unread(&mut command(&script, ["."]));
    let start = Instant::now();
    while rustix::io::ioctl_fionread(&stdout).unwrap() < 65_536 {
        assert!(start.elapsed() < sample_tests::DEADLINE, "the pipe is never full");
        thread::yield_now();
    }
    command.interrupt();
    let greeting = vec!["tests/scripted watches . and all below; Ctrl-C ends it".into()];
    assert_eq!(command.end(), Ended { stderr: greeting, ..success() });
}

#[test]
fn output_to_a_full_device() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command(&waiting([]), ["--json", "."]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: failed to print: No space left on device (os error 28)\n"
    );
}
