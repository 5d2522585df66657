//! The daemon dies, or the connection breaks or stands still.

use std::time::Duration;

use notify_backend::prelude::*;
use tokio::runtime::Builder;

use crate::{
    Test,
    proxy::Treatment,
    scene::{Scene, is_about, is_broken, is_missed},
};

pub(crate) const ALL: &[Test] = &[
    ("death::is_an_error_then_a_loss", || dies(1)),
    ("death::is_survived_many_times", || dies(50)),
    ("death::while_a_watch_is_added", watch_without_daemon),
    ("connection::that_breaks_loses_nothing", breaks),
    ("connection::of_several_watches_breaks_with_one_error", several),
    ("connection::that_stands_still_does_not_block", stands_still),
    ("connection::that_stands_still_is_an_error", hangs),
    ("connection::that_stands_still_ends_new", new_stands_still),
    ("subscription::that_keeps_back_a_change_is_asked", kept_back),
    ("connection::can_be_dropped_in_any_state", dropped),
    ("root::that_another_client_gives_up_is_taken_again", given_up),
    ("resuming::after_the_daemon_has_died_begins_with_a_loss", resumed_after_death),
];

/// The error comes without a change, and the loss once there is another daemon. From then on, all is reported.
fn dies(times: usize) {
    let mut scene = Scene::new();
    let mut backend = scene.watch();
    for i in 0..times {
        scene.sees(&mut backend, &format!("before-{i}"));
        scene.daemon.kill();
        let error = scene.until(&mut backend, is_broken);
        assert_eq!(error.iter().filter(|item| item.is_err()).count(), 1, "{error:?}");
        scene.create(format!("meanwhile-{i}"));
        scene.daemon.start_again();
        let items = scene.until(&mut backend, is_missed);
        let Some(Ok(missed)) = items.last() else { panic!("{items:?}") };
        assert_eq!(missed.path, scene.path(""));
        assert_eq!(items.len(), 1, "nothing comes before it: {items:?}");
        scene.sees(&mut backend, &format!("after-{i}"));
    }
}

fn watch_without_daemon() {
    let mut scene = Scene::new();
    let mut backend = scene.watch();
    scene.daemon.kill();
    scene.until(&mut backend, is_broken);
    let other = scene.path("other");
    std::fs::create_dir(&other).unwrap();
    let added = scene.inside(|| backend.watch(Watch::recursive(&other)));
    assert!(matches!(added, Err(BackendError::Unavailable { .. })), "{added:?}");
    let error = scene.inside(|| backend.unwatch(&other)).unwrap_err();
    assert!(matches!(error, BackendError::NotWatched { .. }), "{error}");
    assert!(backend.cursor().is_some());
    scene.inside(|| backend.unwatch(&scene.path(""))).unwrap();
}

/// The daemon still knows what has happened.
fn breaks() {
    let scene = Scene::new();
    let mut backend = scene.watch();
    for i in 0..10 {
        scene.sees(&mut backend, &format!("before-{i}"));
        scene.proxy.cut();
        scene.create(format!("meanwhile-{i}"));
        let items = scene.until(&mut backend, is_about(&scene.path(format!("meanwhile-{i}"))));
        assert!(!items.iter().any(is_missed), "{items:?}");
        assert_eq!(items.iter().filter(|item| is_broken(item)).count(), 1, "{items:?}");
    }
}

fn several() {
    let scene = Scene::new();
    let mut backend = scene.watch();
    for folder in ["one", "other", "third"] {
        std::fs::create_dir(scene.path(folder)).unwrap();
        scene.inside(|| backend.watch(Watch::recursive(scene.path(folder)))).unwrap();
    }
    scene.sees(&mut backend, "before");
    scene.proxy.cut();
    let items = scene.sees(&mut backend, "after");
    assert_eq!(items.iter().filter(|item| item.is_err()).count(), 1, "{items:?}");
}

/// Once it moves again, what happened is reported.
fn stands_still() {
    let scene = Scene::new();
    let mut backend = scene.watch();
    scene.sees(&mut backend, "before");
    scene.proxy.treat(Treatment::Hold);
    scene.create("meanwhile");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    // Whatever it does, it returns.
    for _ in 0..100 {
        let polled = runtime
            .block_on(std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut backend).poll_next(cx))));
        assert!(!matches!(polled, Poll::Ready(None)), "{polled:?}");
    }
    // The other side of the proxy notices.
    scene.proxy.treat(Treatment::Forward);
    scene.proxy.cut();
    scene.until(&mut backend, is_about(&scene.path("meanwhile")));
}

/// A daemon that hangs is not a quiet one.
fn hangs() {
    let scene = Scene::new();
    let patience = Duration::from_millis(200);
    let mut backend = scene.try_watch(scene.settings().patience(patience)).unwrap();
    scene.sees(&mut backend, "before");
    scene.proxy.treat(Treatment::Hold);
    let items = scene.until(&mut backend, is_broken);
    assert!(items.last().unwrap().as_ref().unwrap_err().to_string().contains("does not answer"));
    scene.create("meanwhile");
    scene.proxy.treat(Treatment::Forward);
    let items = scene.until(&mut backend, is_about(&scene.path("meanwhile")));
    assert!(!items.iter().any(is_missed), "{items:?}");
}

/// As Watchman 4.9 does now and then.
fn kept_back() {
    let scene = Scene::new();
    let mut backend = scene.watch();
    scene.proxy.treat(Treatment::OnlyAnswers);
    let mut items = scene.sees(&mut backend, "file");
    scene.proxy.treat(Treatment::Forward);
    items.extend(scene.sees(&mut backend, "other"));
    let is_file = |item: &&StreamItem| is_about(&scene.path("file"))(item);
    assert_eq!(items.iter().filter(is_file).count(), 1, "{items:?}");
}

fn new_stands_still() {
    let scene = Scene::new();
    scene.proxy.treat(Treatment::Hold);
    let patience = Duration::from_millis(200);
    let error = scene.try_watch(scene.settings().patience(patience)).unwrap_err();
    assert!(matches!(&error, BackendError::Unavailable { .. }), "{error}");
    assert!(error.may_suit_another());
}

fn dropped() {
    let mut scene = Scene::new();
    // Live, with the connection broken, and while it connects again to something that does not answer.
    drop(scene.watch());
    let mut broken = scene.watch();
    let mut connecting = scene.watch();
    scene.proxy.treat(Treatment::Hold);
    scene.proxy.cut();
    for backend in [&mut broken, &mut connecting] {
        scene.until(backend, is_broken);
    }
    scene.daemon.kill();
    drop(broken);
    drop(scene);
    drop(connecting);
}

/// `watch-del` by another program ends all subscriptions of the root.
fn given_up() {
    let scene = Scene::new();
    let mut backend = scene.watch();
    scene.sees(&mut backend, "before");
    scene.daemon.command(&["watch-del", scene.path("").to_str().unwrap()]);
    let items = scene.until(&mut backend, is_missed);
    assert_eq!(items.len(), 1, "{items:?}");
    scene.sees(&mut backend, "after");
}

fn resumed_after_death() {
    let mut scene = Scene::new();
    let mut backend = scene.watch();
    scene.sees(&mut backend, "before");
    let cursor = backend.cursor().unwrap();
    drop(backend);
    scene.daemon.kill();
    scene.create("meanwhile");
    scene.daemon.start_again();
    let watches = vec![Watch::recursive(scene.path(""))];
    let settings = scene.settings();
    let resumed = scene.inside(|| {
        notify_backend_watchman::WatchmanBackend::resume_with_settings(settings, watches, &cursor)
    });
    let mut backend = resumed.unwrap();
    assert!(is_missed(&scene.next(&mut backend)));
    scene.sees(&mut backend, "after");
}
