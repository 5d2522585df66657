//! The sample command as its users see it: what it prints, and how it ends.

use std::{io, num::NonZeroU32, process::Command};

use notify_backend::{
    BackendError, Capabilities, Capability, Event,
    event::{CreateKind, DataChange, ModifyKind, RenameMode, Tracker},
};
#[cfg(unix)]
use rustix::process::Signal;
use sample_tests::{Ended, Item, Running, STALLS, Script, Then, VARIABLE, unreadable, unwatched};

const RECURSIVE: Capabilities =
    Capabilities::declare(&[Capability::WatchFolders, Capability::WatchRecursively]);
const READY: &str = concat!(
    r#"{"ready":true,"backend":"tests/scripted","#,
    r#""capabilities":["WatchFolders","WatchRecursively"]}"#
);

/// Returns the command with this script.
fn command<'a>(script: &Script, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scripted"));
    let script = serde_json::to_string(script).expect("a script can be written");
    command.env(VARIABLE, script).args(arguments);
    command
}

fn start<'a>(script: &Script, arguments: impl IntoIterator<Item = &'a str>) -> Running {
    Running::start(&mut command(script, arguments))
}

/// Returns a script that yields `items`, and then nothing more.
fn waiting(items: impl IntoIterator<Item = Item>) -> Script {
    Script {
        capabilities: RECURSIVE,
        items: items.into_iter().collect(),
        then: Then::Wait,
        stalls: false,
    }
}

/// Returns a script that yields `items`, and ends.
fn ending(items: impl IntoIterator<Item = Item>) -> Script {
    Script { then: Then::End, ..waiting(items) }
}

/// Returns a script that yields the same event again and again.
fn without_pause() -> Script {
    let event = Event::create(CreateKind::File, "/abs/new");
    Script { then: Then::Repeat, ..waiting([Item::Event(event)]) }
}

/// In milliseconds; longer than the time between two related events on the busiest machine.
const QUIET: &str = "1000";

fn success() -> Ended {
    Ended { code: Some(0), stdout: vec![], stderr: vec![] }
}

#[test]
fn ready_line_comes_first() {
    let mut command = start(&waiting([]), ["--json", "."]);
    assert_eq!(command.line(), READY);
}

#[test]
fn events_as_objects() {
    let tracker = Tracker::new(7);
    let script = ending([
        Item::Event(Event::rename(RenameMode::From, "/abs/old").with_tracker(tracker)),
        Item::Event(Event::rename(RenameMode::To, "/abs/new").with_tracker(tracker)),
        Item::Event(Event::other("quota", "/abs").with_source("disk 2")),
        Item::Event(Event::missed(None)),
        Item::Event(Event::missed(NonZeroU32::new(3))),
        Item::Event(Event::missed_below("/abs", NonZeroU32::new(3))),
    ]);
    let ended = start(&script, ["--json", "."]).end();
    assert_eq!(
        ended.stdout,
        [
            READY,
            r#"{"kind":"modify/name/from","path":"/abs/old","tracker":7}"#,
            r#"{"kind":"modify/name/to","path":"/abs/new","tracker":7}"#,
            r#"{"kind":"other","path":"/abs","info":"quota","source":"disk 2"}"#,
            r#"{"kind":"missed"}"#,
            r#"{"kind":"missed","count":3}"#,
            r#"{"kind":"missed","path":"/abs","count":3}"#,
        ]
    );
}

#[test]
fn events_for_a_person() {
    let script = ending([
        Item::Event(Event::create(CreateKind::File, "/abs/new\nline")),
        Item::Unwatched("/abs/locked".into()),
        Item::Event(Event::missed(NonZeroU32::new(3))),
        Item::Event(Event::missed_below("/abs", NonZeroU32::new(3))),
    ]);
    let ended = start(&script, ["."]).end();
    let said = [r#"create/file "/abs/new\nline""#, "missed count=3", "missed /abs count=3"];
    assert_eq!(ended.stdout, said);
    assert_eq!(
        ended.stderr,
        [
            "tests/scripted watches . and all below; Ctrl-C ends it",
            &format!("error: {}", unwatched("/abs/locked")),
            "nothing is left to watch",
        ]
    );
}

#[test]
fn each_line_arrives_while_the_command_waits() {
    let script = waiting([Item::Event(Event::create(CreateKind::File, "/abs/new"))]);
    let mut command = start(&script, ["."]);
    assert_eq!(command.note(), "tests/scripted watches . and all below; Ctrl-C ends it");
    assert_eq!(command.line(), "create/file /abs/new");
}

#[test]
fn errors_as_objects() {
    let script = ending([Item::Unwatched("/abs/locked".into()), Item::Unreadable]);
    let ended = start(&script, ["--json", "."]).end();
    assert_eq!(
        ended.stdout[1..],
        [
            format!(r#"{{"error":"{}","path":"/abs/locked"}}"#, unwatched("/abs/locked")),
            format!(r#"{{"error":"{}"}}"#, unreadable()),
        ]
    );
}

#[cfg(unix)]
#[test]
fn names_that_are_not_unicode() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

    let path = Path::new(OsStr::from_bytes(b"/caf\xe9"));
    let script =
        ending([Item::Event(Event::create(CreateKind::File, path)), Item::Unwatched(path.into())]);
    let ended = start(&script, ["--json", "."]).end();
    let bytes = r#""path":"/caf�","path_bytes":[47,99,97,102,233]}"#;
    assert_eq!(ended.stdout[1], format!(r#"{{"kind":"create/file",{bytes}"#));
    assert!(ended.stdout[2].ends_with(bytes), "{}", ended.stdout[2]);
}

#[test]
fn paths_are_watched_as_they_are_spelled() {
    let folder = tempfile::tempdir().unwrap();
    let absolute = folder.path().to_str().unwrap();
    let ended = start(&ending([Item::Watch(0), Item::Watch(1)]), ["./.", absolute]).end();
    assert_eq!(
        ended.stdout,
        [r#"other ./. info="recursive""#, &format!(r#"other {absolute} info="recursive""#)]
    );
}

#[test]
fn folder_alone() {
    let ended = start(&ending([Item::Watch(0)]), ["--no-recursive", "."]).end();
    assert_eq!(ended.stdout, [r#"other . info="not recursive""#]);
    assert_eq!(ended.stderr[0], "tests/scripted watches . and nothing below; Ctrl-C ends it");
}

#[test]
fn backend_without_recursion() {
    let capabilities = Capabilities::declare(&[Capability::WatchFolders]);
    let script = Script { capabilities, ..ending([Item::Watch(0)]) };
    let ended = start(&script, ["."]).end();
    assert_eq!(ended.stdout, [r#"other . info="not recursive""#]);
    assert_eq!(ended.stderr[0], "tests/scripted watches . and nothing below; Ctrl-C ends it");
}

#[test]
fn end_of_the_stream() {
    let ended = start(&ending([]), ["--json", "."]).end();
    let stderr = vec!["nothing is left to watch".into()];
    assert_eq!(ended, Ended { code: Some(0), stdout: vec![READY.into()], stderr });
}

/// Returns a rename from `/abs/old` to `/abs/new`.
fn rename() -> [Item; 2] {
    [(RenameMode::From, "/abs/old"), (RenameMode::To, "/abs/new")]
        .map(|(mode, path)| Item::Event(Event::rename(mode, path).with_tracker(Tracker::new(7))))
}

/// Checks that the command prints these lines, and ends it.
#[cfg(unix)]
#[track_caller]
fn expect_and_interrupt(mut command: Running, lines: &[&str]) {
    for line in lines {
        assert_eq!(command.line(), *line);
    }
    command.interrupt();
    assert_eq!(command.end().stdout, [""; 0]);
}

#[cfg(unix)]
#[test]
fn through_notify_as_objects() {
    let rest = [
        Item::Event(Event::other("quota", "/abs").with_source("disk 2")),
        Item::Event(Event::missed(NonZeroU32::new(3))),
        Item::Event(Event::missed_below("/abs", NonZeroU32::new(3))),
        Item::Unwatched("/abs/locked".into()),
    ];
    let script = waiting(rename().into_iter().chain(rest));
    let error = BackendError::from_io("/abs/locked", io::ErrorKind::PermissionDenied.into());
    let error = format!(r#"{error} about [\"/abs/locked\"]"#);
    let error = format!(r#"{{"error":"{error}","path":"/abs/locked"}}"#);
    expect_and_interrupt(
        start(&script, ["--notify", "--json", "."]),
        &[
            READY,
            r#"{"kind":"modify/name/from","path":"/abs/old","tracker":7}"#,
            r#"{"kind":"modify/name/to","path":"/abs/new","tracker":7}"#,
            r#"{"kind":"modify/name/both","path":"/abs/old","tracker":7,"to":"/abs/new"}"#,
            r#"{"kind":"other","path":"/abs","info":"quota (source: disk 2)"}"#,
            r#"{"kind":"missed"}"#,
            r#"{"kind":"missed","path":"/abs"}"#,
            &error,
        ],
    );
}

#[cfg(unix)]
#[test]
fn through_notify_for_a_person() {
    let mut command = start(&waiting(rename()), ["--notify", "."]);
    let greeting = "tests/scripted watches . and all below, through notify; Ctrl-C ends it";
    assert_eq!(command.note(), greeting);
    expect_and_interrupt(
        command,
        &[
            "modify/name/from /abs/old tracker=7",
            "modify/name/to /abs/new tracker=7",
            "modify/name/both /abs/old -> /abs/new tracker=7",
        ],
    );
}

/// The debouncer recognises that both events concern the same path.
#[cfg(unix)]
#[test]
fn debounced() {
    let written = Event::modify(ModifyKind::Data(DataChange::Any), "/abs/written");
    let script = waiting([rename().to_vec(), vec![Item::Event(written); 9]].concat());
    expect_and_interrupt(
        start(&script, ["--debounce", QUIET, "--json", "."]),
        &[
            READY,
            r#"{"kind":"modify/name/both","path":"/abs/old","tracker":7,"to":"/abs/new"}"#,
            r#"{"kind":"modify/data/any","path":"/abs/written"}"#,
        ],
    );
}

#[cfg(unix)]
#[test]
fn rename_to_a_name_that_is_not_unicode() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

    let new = Path::new(OsStr::from_bytes(b"/caf\xe9"));
    let [from, _] = rename();
    let to = Item::Event(Event::rename(RenameMode::To, new).with_tracker(Tracker::new(7)));
    let mut command = start(&waiting([from, to]), ["--notify", "--json", "."]);
    let [_, _, _, both] = [(); 4].map(|()| command.line());
    assert!(both.ends_with(r#""to":"/caf�","to_bytes":[47,99,97,102,233]}"#), "{both}");
}

/// Notify does not report the end, so the command goes on waiting.
#[cfg(unix)]
#[test]
fn end_of_the_stream_through_notify() {
    expect_and_interrupt(start(&ending([]), ["--notify", "--json", "."]), &[READY]);
}

#[test]
fn path_that_does_not_exist_for_notify() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let ended = start(&waiting([]), ["--notify", "--json", missing.to_str().unwrap()]).end();
    let stderr = vec![format!("error: No path was found. about [{missing:?}]")];
    assert_eq!(ended, Ended { code: Some(1), stdout: vec![], stderr });
}

#[cfg(unix)]
#[test]
fn reader_goes_away_during_many_events_through_notify() {
    for more in [&["--notify"][..], &["--debounce", "10"]] {
        let arguments = more.iter().copied().chain(["--json", "."]);
        let mut command = start(&without_pause(), arguments);
        assert_eq!(command.line(), READY);
        command.close_stdout();
        assert_eq!(command.end(), success());
    }
}

#[test]
fn path_that_does_not_exist() {
    for form in [&["--json", ".", "no/such"][..], &["no/such"]] {
        let ended = start(&waiting([]), form.iter().copied()).end();
        let refusal = BackendError::not_found(["no/such"]);
        let stderr = vec![format!("error: {refusal}")];
        assert_eq!(ended, Ended { code: Some(1), stdout: vec![], stderr });
    }
}

#[test]
fn refusal_with_closed_output() {
    let mut command = start(&waiting([]), ["no/such"]);
    command.close_stderr();
    assert_eq!(command.end().code, Some(1));
}

#[test]
fn wrong_arguments() {
    let ended = start(&waiting([]), ["--recursive", "."]).end();
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.stdout, [""; 0]);
    assert_eq!(ended.stderr[0], "error: unexpected argument '--recursive' found");

    for arguments in [&["--json"][..], &["--debounce", "0", "."], &["--debounce", "."]] {
        let ended = start(&waiting([]), arguments.iter().copied()).end();
        assert_eq!(ended.code, Some(2));
        assert_eq!(ended.stderr.last().unwrap(), "For more information, try '--help'.");
    }
}

#[test]
fn help() {
    let ended = start(&waiting([]), ["--help"]).end();
    assert_eq!(ended.code, Some(0));
    let text = ended.stdout.join("\n").replace(std::env::consts::EXE_SUFFIX, "");
    insta::assert_snapshot!(text, @r"
    Prints what tests/scripted reports about files and folders, until Ctrl-C

    Usage: scripted [OPTIONS] <PATH>...

    Arguments:
      <PATH>...  What to watch; events spell it as it is given here

    Options:
          --json           Print one JSON object per line, the first when all is watched
          --no-recursive   Watch a folder and its entries, and nothing below them
          --follow-links   Follow symbolic links, those given as PATH included
          --access         Print also that files are opened, read and closed
          --notify         Print the events that programs get through the notify crate
          --debounce <MS>  Print what notify's debouncer reports after this many milliseconds
      -h, --help           Print help
    ");
}

#[test]
fn reader_goes_away_while_nothing_happens() {
    let mut command = start(&waiting([]), ["--json", "."]);
    assert_eq!(command.line(), READY);
    command.close_stdout();
    // On Windows, only a write notices it.
    #[cfg(unix)]
    assert_eq!(command.end(), success());
}

#[test]
fn reader_goes_away_during_many_events() {
    let mut command = start(&without_pause(), ["--json", "."]);
    assert_eq!(command.line(), READY);
    command.close_stdout();
    assert_eq!(command.end(), success());
}

#[cfg(unix)]
#[test]
fn interrupt_while_nothing_happens() {
    let mut command = start(&waiting([]), ["--json", "."]);
    assert_eq!(command.line(), READY);
    command.interrupt();
    assert_eq!(command.end(), success());
}

#[cfg(unix)]
#[test]
fn interrupt_during_many_events() {
    let mut command = start(&without_pause(), ["--json", "."]);
    assert_eq!(command.line(), READY);
    command.interrupt();
    let ended = command.end();
    assert_eq!((ended.code, ended.stderr), (Some(0), vec![]));
}

#[cfg(unix)]
#[test]
fn interrupt_as_soon_as_it_is_announced() {
    let mut command = start(&waiting([]), ["."]);
    assert_eq!(command.note(), "tests/scripted watches . and all below; Ctrl-C ends it");
    command.interrupt();
    assert_eq!(command.end(), success());
}

#[cfg(unix)]
#[test]
fn request_to_terminate() {
    for more in [&["."][..], &["--notify", "."]] {
        let arguments = more.iter().copied().chain(["--json"]);
        let mut command = start(&waiting([]), arguments);
        assert_eq!(command.line(), READY);
        command.signal(Signal::TERM);
        assert_eq!(command.end(), success());
    }
}

#[cfg(unix)]
#[test]
fn interrupt_while_a_large_tree_is_walked() {
    for more in [&["."][..], &["--notify", "."]] {
        let script = Script { stalls: true, ..waiting([]) };
        let mut command = start(&script, more.iter().copied());
        assert_eq!(command.note(), STALLS);
        command.interrupt();
        assert_eq!(command.end(), success());
    }
}

/// The kernel delivers only handled signals to process 1 of a container.
#[cfg(target_os = "linux")]
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
#[cfg(target_os = "linux")]
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
fn output_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    let mut command = command(&ending([]), ["--json", "."]);
    command.stdout(std::fs::File::create(&file).unwrap());
    command.stderr(std::process::Stdio::null());
    assert!(command.status().unwrap().success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{READY}\n"));
}

#[cfg(target_os = "linux")]
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
