//! Questions on a terminal: the answers are used, and interrupting the command leaves everything as it was.

use std::{
    fs::{self, File},
    process::Command,
};

use rustix::process::Signal;

use crate::{
    support::{STARTS, clone, entries, files, folder, manifest, new, passes, read, xtask_of},
    terminal::Terminal,
    upgrade::{made_in, replace, upgrade},
};

const NAME: &str = "notify-backend-demo";

const QUESTIONS: [&str; 5] = [
    "bare frame of one?",
    "describes the crate",
    "Where will the source live?",
    "Under which licence?",
    "Set up GitHub workflows",
];

const HIDE_CURSOR: &str = "\u{1b}[?25l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

#[test]
fn answers() {
    let parent = folder("asked");
    let mut terminal = Terminal::start(new(NAME, &parent));
    // Down from the default.
    let place = |start| STARTS.iter().position(|name| *name == start).unwrap();
    let skeleton = "\u{1b}[B".repeat(place("skeleton") - place("inotify")) + "\r";
    for (question, keys) in [
        (QUESTIONS[0], skeleton.as_str()),
        (QUESTIONS[1], "Watches Acme\r"),
        (QUESTIONS[2], "a/b\r"),
        // The first answer is not valid.
        ("The answer must match", "ada\r"),
    ] {
        terminal.asks(question);
        terminal.types(keys);
    }
    terminal.asks(QUESTIONS[3]);
    terminal.types("\r");
    terminal.asks(QUESTIONS[4]);
    terminal.types("n");
    let (status, _, text) = terminal.ends();
    assert!(status.success(), "{text}");
    let made = manifest(&parent.join(NAME));
    let made = &made["package"]["metadata"]["notify-backend-template"];
    let expected = "start = 'skeleton'\ndescription = 'Watches Acme'\nrepository = 'ada'\n\
                    license = 'MIT OR Apache-2.0'\nci = false\n";
    let mut made = made.as_table().unwrap().clone();
    made.remove("version");
    assert_eq!(made, toml::from_str(expected).unwrap());
}

/// Only the remaining questions are asked.
#[test]
fn remaining_questions() {
    let parent = folder("asked-rest");
    let mut command = new(NAME, &parent);
    let given = ["start=poll", "repository=", "license=MIT", "ci=true"];
    command.args(given.iter().flat_map(|answer| ["-d", answer]));
    let mut terminal = Terminal::start(command);
    terminal.asks(QUESTIONS[1]);
    terminal.types("\r");
    let (status, _, text) = terminal.ends();
    assert!(status.success(), "{text}");
    let mut others = QUESTIONS.iter().filter(|question| **question != QUESTIONS[1]);
    assert!(others.all(|question| !text.contains(question)), "{text}");
}

/// Ends `command` at each question and in each way, and checks that everything is as it was before.
fn interrupted(command: impl Fn() -> Command, questions: &[&str], check: impl Fn()) {
    for number in 1..=questions.len() {
        for end in [None, Some(Signal::INT), Some(Signal::TERM), Some(Signal::HUP)] {
            let mut terminal = Terminal::start(command());
            let before = terminal.modes();
            for question in &questions[..number - 1] {
                terminal.asks(question);
                terminal.types("\r");
            }
            terminal.asks(questions[number - 1]);
            match end {
                Some(signal) => terminal.signal(signal),
                None => terminal.types("\u{3}"),
            }
            let (status, after, text) = terminal.ends();
            let what = format!("{end:?} at question {number}: {text}");
            assert_eq!(status.code(), Some(130), "{what}");
            assert!(!text.contains("error"), "{what}");
            assert_eq!(after, before, "{what}");
            assert!(text.rfind(SHOW_CURSOR) >= text.rfind(HIDE_CURSOR), "{what}");
            check();
        }
    }
}

#[test]
fn new_crate() {
    let parent = folder("interrupted");
    let temporary = folder("interrupted-temporary");
    let command = || {
        let mut command = new(NAME, &parent);
        command.env("TMPDIR", &temporary);
        command
    };
    interrupted(command, &QUESTIONS, || {
        assert!(entries(&parent).is_empty());
        assert!(entries(&temporary).is_empty());
    });
    passes(&mut command());
}

/// If only git knows the author, the command starts itself again as another process.
#[test]
fn new_crate_of_an_author_that_git_knows() {
    let parent = folder("interrupted-author");
    let command = || {
        let mut command = new(NAME, &parent);
        command.env_remove("CARGO_NAME").env_remove("CARGO_EMAIL");
        for (name, value) in [("COUNT", "1"), ("KEY_0", "user.name"), ("VALUE_0", "Ada")] {
            command.env(format!("GIT_CONFIG_{name}"), value);
        }
        command
    };
    interrupted(command, &QUESTIONS[..1], || assert!(entries(&parent).is_empty()));
}

#[test]
fn upgraded_crate() {
    let clone = clone("interrupted-clone");
    let project = made_in(&clone, &folder("interrupted-upgrade"));
    let configuration = clone.join("cargo-generate.toml");
    let question =
        "\n[placeholders.motto]\ntype = \"string\"\nprompt = \"Motto?\"\ndefault = \"Soon\"\n";
    fs::write(&configuration, read(&configuration) + question).unwrap();
    replace(&clone.join("template/README.md"), "## Try it", "{{ motto }}\n\n## Try it");
    let temporary = folder("interrupted-upgrade-temporary");
    let readme = read(&project.join("README.md"));
    let command = || {
        let mut command = upgrade(&clone, &project);
        command.args(["--from", "HEAD"]).env("TMPDIR", &temporary);
        command
    };
    interrupted(command, &["Motto?"], || {
        assert_eq!(read(&project.join("README.md")), readme);
        assert!(entries(&temporary).is_empty());
    });
}

/// A signal while the crate is written leaves either the whole crate or nothing.
#[test]
fn while_the_crate_is_made() {
    let clone = clone("interrupted-making-clone");
    let whole = folder("interrupted-making-whole");
    made_in(&clone, &whole);
    // Reading the pipe blocks until the test writes to it.
    let pipe = clone.join("template/pipe");
    passes(Command::new("mkfifo").arg(&pipe));
    let parent = folder("interrupted-making");
    let mut command = xtask_of(&clone, ["new", NAME, "--destination", parent.to_str().unwrap()]);
    command.args(["-d", "start=skeleton", "-d", "repository=ada", "-d", "notify_backend_path="]);
    command.arg("--silent");
    let terminal = Terminal::start(command);
    let writer = File::options().write(true).open(&pipe).unwrap();
    terminal.signal(Signal::TERM);
    drop(writer);
    let (status, _, text) = terminal.ends();
    assert_eq!(status.code(), Some(130), "{text}");
    // The signal may have come too late, when the crate was complete.
    let mut left = files(&parent);
    left.retain(|(path, _)| path != "notify-backend-demo/pipe");
    assert!(left.is_empty() || left == files(&whole), "{left:?}");
}
