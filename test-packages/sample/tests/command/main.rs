//! The sample command as its users see it: what it prints, and how it ends.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod unix;

use std::{num::NonZeroU32, process::Command};

use notify_backend::{
    BackendError, Capabilities, Capability, Event,
    event::{CreateKind, RenameMode, Tracker},
};
use sample_tests::{Ended, Item, Running, Script, Then, VARIABLE, unreadable, unwatched};

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

#[test]
fn path_that_does_not_exist_for_notify() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let ended = start(&waiting([]), ["--notify", "--json", missing.to_str().unwrap()]).end();
    let stderr = vec![format!("error: No path was found. about [{missing:?}]")];
    assert_eq!(ended, Ended { code: Some(1), stdout: vec![], stderr });
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
