//! What comes over the connection is cut off, forged or huge. None of that causes a panic, a wait without end, or a path
//! outside of the watched folder.

use notify_backend::prelude::*;

use crate::{
    Test,
    proxy::Treatment,
    scene::{Scene, is_broken, is_missed},
};

pub(crate) const ALL: &[Test] = &[
    ("forgery::in_pieces", in_pieces),
    ("forgery::cut_off", cut_off),
    ("forgery::of_changes", of_changes),
    ("forgery::of_answers", of_answers),
];

fn in_pieces() {
    let scene = Scene::new();
    scene.proxy.treat(Treatment::Crumble);
    let mut backend = scene.watch();
    for i in 0..5 {
        let items = scene.sees(&mut backend, &format!("file-{i}"));
        assert!(items.iter().all(Result::is_ok), "{items:?}");
    }
}

/// The position is that of before, and the same daemon is there again.
fn cut_off() {
    let scene = Scene::new();
    let mut backend = scene.watch();
    for count in [0, 1, 2, 3, 10, 50, 100] {
        scene.sees(&mut backend, &format!("before-{count}"));
        scene.proxy.treat(Treatment::CutAfter(count));
        scene.create(format!("file-{count}"));
        let error = scene.until(&mut backend, is_broken);
        scene.proxy.treat(Treatment::Forward);
        let items = scene.sees(&mut backend, &format!("z-after-{count}"));
        let is_reported = |items: &[StreamItem]| {
            let path = scene.path(format!("file-{count}"));
            items.iter().flatten().any(|event| event.path == path)
        };
        assert!(is_reported(&error) || is_reported(&items), "{count}: {items:?}");
        assert!(!items.iter().any(is_missed), "{count}: {items:?}");
    }
}

/// A message with this body, whose length is right.
fn message(body: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 1, 0x06];
    message.extend((body.len() as u64).to_ne_bytes());
    message.extend(body);
    message
}

fn text(text: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x02, 0x06];
    bytes.extend((text.len() as u64).to_ne_bytes());
    bytes.extend(text);
    bytes
}

fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0x01, 0x03, u8::try_from(members.len()).unwrap()];
    for (name, value) in members {
        bytes.extend(text(name.as_bytes()));
        bytes.extend(value);
    }
    bytes
}

/// A change of a file with this name, as the daemon reports it.
fn change(name: &[u8]) -> Vec<u8> {
    let file = map(&[("name", text(name)), ("exists", vec![0x08]), ("new", vec![0x08])]);
    let files = [&[0x00, 0x03, 1], file.as_slice()].concat();
    message(&map(&[
        ("unilateral", vec![0x08]),
        ("subscription", text(b"notify-backend")),
        ("clock", text(b"c:1:1:1:1")),
        ("files", files),
    ]))
}

/// Messages that no daemon sends.
fn forgeries() -> Vec<Vec<u8>> {
    let huge = i64::MAX.to_ne_bytes();
    let with = |kind: &[u8], rest: &[u8]| message(&[kind, rest].concat());
    let mut deep = vec![];
    for _ in 0..100_000 {
        deep.extend([0x00, 0x03, 0x01]);
    }
    let mut messages = vec![
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        // Lengths: negative, none, more than there can be.
        vec![0, 1, 0x03, 0xff],
        vec![0, 1, 0x0a, 0],
        [&[0, 1, 0x06], huge.as_slice()].concat(),
        // A text, a list, a map and a table that say they are huge, or of negative length.
        with(&[0x02, 0x06], &huge),
        with(&[0x00, 0x06], &huge),
        with(&[0x01, 0x06], &huge),
        with(&[0x0b, 0x00, 0x03, 0x00, 0x06], &huge),
        with(&[0x0b, 0x00, 0x06], &huge),
        with(&[0x02, 0x03], &[0xff]),
        with(&[0x00, 0x03], &[0xff]),
        // An unknown kind, two values, none, and lists in lists.
        message(&[0x77]),
        message(&[0x0a, 0x0a]),
        message(&[]),
        message(&deep),
    ];
    for name in
        ["..", "../outside", "/etc/passwd", "a/../../outside", ".", "", "a//b", "a/", "a\0b"]
    {
        messages.push(change(name.as_bytes()));
    }
    // Without a clock, and without a name.
    let subscription = || ("subscription", text(b"notify-backend"));
    messages.push(message(&map(&[subscription()])));
    let nameless = [&[0x00, 0x03, 1], map(&[]).as_slice()].concat();
    let clock = || ("clock", text(b"c:1:1:1:1"));
    messages.push(message(&map(&[subscription(), clock(), ("files", nameless)])));
    messages
}

fn of_changes() {
    let scene = Scene::new();
    let mut backend = scene.watch();
    for (i, forged) in forgeries().into_iter().enumerate() {
        scene.sees(&mut backend, &format!("before-{i}"));
        scene.proxy.treat(Treatment::Instead(forged.clone()));
        scene.create(format!("file-{i}"));
        let items = scene.until(&mut backend, is_broken);
        scene.proxy.treat(Treatment::Forward);
        scene.proxy.cut();
        // What it would have been is unknown.
        let rest = scene.until(&mut backend, is_missed);
        for event in items.iter().chain(&rest).flatten() {
            assert!(event.path.starts_with(scene.path("")), "{i}: {event:?}");
            assert!(!event.path.components().any(|part| part == std::path::Component::ParentDir));
        }
        scene.sees(&mut backend, &format!("after-{i}"));
    }
}

fn of_answers() {
    let scene = Scene::new();
    for forged in forgeries() {
        scene.proxy.treat(Treatment::Instead(forged));
        // It may also wait for more.
        let patience = std::time::Duration::from_millis(300);
        let error = scene.try_watch(scene.settings().patience(patience)).unwrap_err();
        assert!(matches!(error, BackendError::Unavailable { .. }), "{error}");
    }
}
