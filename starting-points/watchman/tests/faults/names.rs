//! Names, and the expression that is pushed down to the daemon.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use notify_backend::prelude::*;
use notify_backend_watchman::Expression;

use crate::{
    Test,
    scene::{Scene, is_about},
};

pub(crate) const ALL: &[Test] = &[
    ("names::that_are_not_utf8", not_utf8),
    ("names::below_a_project", in_project),
    ("expression::leaves_out", expression),
    ("expression::that_is_none_is_refused", no_expression),
];

fn not_utf8() {
    let scene = Scene::new();
    let mut backend = scene.watch();
    let name = OsStr::from_bytes(b"caf\xe9 \x01\xff\"\\");
    scene.create(name);
    let event = scene.next(&mut backend).unwrap();
    assert_eq!(event.path.as_os_str().as_bytes(), scene.path(name).as_os_str().as_bytes());
}

/// The daemon watches the project, and the names are relative to it. The removal of the watched folder shows.
fn in_project() {
    let scene = Scene::new();
    fs::create_dir_all(scene.path(".git")).unwrap();
    fs::create_dir_all(scene.path("src/deep")).unwrap();
    let settings = scene.settings();
    let watches = vec![Watch::recursive(scene.path("src"))];
    let backend = scene.inside(|| {
        notify_backend_watchman::WatchmanBackend::with_settings(settings, watches).unwrap()
    });
    let mut backend = backend;
    scene.create("beside");
    scene.create("src/deep/file");
    let items = scene.until(&mut backend, is_about(&scene.path("src/deep/file")));
    let is_inside = |event: &Event| event.path.starts_with(scene.path("src"));
    assert!(items.iter().flatten().all(is_inside), "{items:?}");
    fs::rename(scene.path("src"), scene.path("away")).unwrap();
    let gone = scene.until(&mut backend, |item| {
        item.as_ref().is_ok_and(|event| {
            event.path == scene.path("src") && matches!(event.kind, EventKind::Remove(_))
        })
    });
    assert!(
        gone.iter().flatten().all(|event| event.path.starts_with(scene.path("src"))),
        "{gone:?}"
    );
}

fn expression() {
    let scene = Scene::new();
    let objects = Expression::list(["suffix".into(), "o".into()]);
    let settings = scene.settings().expression(Expression::list(["not".into(), objects]));
    let mut backend = scene.try_watch(settings).unwrap();
    for name in ["a.o", "b.c"] {
        scene.create(name);
    }
    let event = scene.next(&mut backend).unwrap();
    assert_eq!(event.path, scene.path("b.c"));
}

fn no_expression() {
    let scene = Scene::new();
    let error = scene.try_watch(scene.settings().expression("nonsense".into())).unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");
}
