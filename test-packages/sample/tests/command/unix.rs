//! Names that only Unix has, and what ends by signals: the command watches through notify until then.

use std::{io, num::NonZeroU32};

use notify_backend::{
    BackendError, Event,
    event::{CreateKind, DataChange, ModifyKind, RenameMode, Tracker},
};
use rustix::process::Signal;
use sample_tests::{Item, Running, STALLS, Script};

use super::{READY, ending, start, success, waiting, without_pause};

/// In milliseconds; longer than the time between two related events on the busiest machine.
const QUIET: &str = "1000";

/// Returns a rename from `/abs/old` to `/abs/new`.
fn rename() -> [Item; 2] {
    [(RenameMode::From, "/abs/old"), (RenameMode::To, "/abs/new")]
        .map(|(mode, path)| Item::Event(Event::rename(mode, path).with_tracker(Tracker::new(7))))
}

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

/// Checks that the command prints these lines, and ends it.
#[track_caller]
fn expect_and_interrupt(mut command: Running, lines: &[&str]) {
    for line in lines {
        assert_eq!(command.line(), *line);
    }
    command.interrupt();
    assert_eq!(command.end().stdout, [""; 0]);
}

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
#[test]
fn end_of_the_stream_through_notify() {
    expect_and_interrupt(start(&ending([]), ["--notify", "--json", "."]), &[READY]);
}

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
fn interrupt_while_nothing_happens() {
    let mut command = start(&waiting([]), ["--json", "."]);
    assert_eq!(command.line(), READY);
    command.interrupt();
    assert_eq!(command.end(), success());
}

#[test]
fn interrupt_during_many_events() {
    let mut command = start(&without_pause(), ["--json", "."]);
    assert_eq!(command.line(), READY);
    command.interrupt();
    let ended = command.end();
    assert_eq!((ended.code, ended.stderr), (Some(0), vec![]));
}

#[test]
fn interrupt_as_soon_as_it_is_announced() {
    let mut command = start(&waiting([]), ["."]);
    assert_eq!(command.note(), "tests/scripted watches . and all below; Ctrl-C ends it");
    command.interrupt();
    assert_eq!(command.end(), success());
}

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
