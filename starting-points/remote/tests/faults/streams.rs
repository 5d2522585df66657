//! What others do to the stream: it takes no more, or is deleted and made anew.

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use notify_backend::{Backend as _, Watch};
use notify_backend_remote::RemoteBackend;

use crate::scene::{SUBJECT, Scene, is_made, is_missed, is_read_error, made};

/// The name that the daemon gives the stream.
const NAME: &str = "files-host-root";

/// More events than the queue of the daemon's backend holds.
const TOO_MANY: usize = 20_000;

/// A stream that takes no more when it is full, and is not emptied by its readers: clients hear why nothing comes. When
/// there is room again, nothing is missing that the daemon's backend could keep, and the rest is a loss.
pub(crate) fn full(scene: &mut Scene) {
    scene.end_daemon();
    let config = |max_messages| Config {
        name: NAME.into(),
        subjects: vec![format!("{SUBJECT}.events")],
        max_messages,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    scene.with_streams(async |context| {
        context.delete_stream(NAME).await.unwrap();
        context.create_stream(config(10)).await.unwrap();
    });
    scene.start_daemon();
    let mut client = scene.client(scene.settings());
    let mut files = vec![];
    let mut items = vec![];
    while !items.iter().any(is_read_error) {
        files.extend(scene.make(1));
        let file = files.last().unwrap().clone();
        items.extend(scene.until(&mut client, |item| is_read_error(item) || is_made(item, &file)));
    }
    let error = items.last().unwrap().as_ref().unwrap_err().to_string();
    let expected = "the daemon of files.host.root cannot publish: ";
    assert!(error.contains(expected) && error.contains("maximum messages exceeded"), "{error}");

    files.extend(scene.make(300));
    scene.with_streams(async |context| {
        context.get_stream(NAME).await.unwrap().purge().await.unwrap();
    });
    items.extend(scene.until_made(&mut client, files.last().unwrap()));
    assert_eq!(made(&items, &files), files.len());
    assert!(!items.iter().any(is_missed), "a loss");

    let full = scene.with_streams(async |context| {
        let mut stream = context.get_stream(NAME).await.unwrap();
        let messages = stream.info().await.unwrap().state.messages;
        context.update_stream(config(messages.try_into().unwrap())).await
    });
    full.unwrap();
    scene.make(TOO_MANY);
    scene.with_streams(async |context| context.update_stream(config(-1)).await).unwrap();
    scene.until(&mut client, is_missed);
    let file = scene.make(1);
    scene.until_made(&mut client, &file[0]);
}

/// Returns a client that has read all of the stream, and one that has not.
fn quick_and_slow(scene: &mut Scene) -> [RemoteBackend; 2] {
    let mut quick = scene.client(scene.settings());
    let slow = scene.client(scene.settings().capacity(5));
    // Each in a message of its own, of which there are more than wait in the memory of a client.
    for _ in 0..60 {
        let file = scene.make(1);
        scene.until_made(&mut quick, &file[0]);
    }
    [quick, slow]
}

/// A stream that is deleted is made again by the daemon, although nobody asks for it and nothing happens. That is no
/// loss for a client that had read all of it, and one for a client that had not. A new client can come then.
pub(crate) fn deleted(scene: &mut Scene) {
    let [mut quick, mut slow] = quick_and_slow(scene);
    scene.with_streams(async |context| context.delete_stream(NAME).await).unwrap();
    scene.until(&mut slow, is_missed);
    let mut new = scene.client(scene.settings());
    let files = scene.make(3);
    for client in [&mut quick, &mut new, &mut slow] {
        let items = scene.until_made(client, &files[2]);
        assert!(!items.iter().any(is_missed), "{items:?}");
        assert_eq!(made(&items, &files), 3, "{items:?}");
    }
}

/// What is taken out of the stream is a loss at once for a client that had not read it, although nothing more happens.
pub(crate) fn purged(scene: &mut Scene) {
    let [mut quick, mut slow] = quick_and_slow(scene);
    scene.with_streams(async |context| {
        context.get_stream(NAME).await.unwrap().purge().await.unwrap();
    });
    scene.until(&mut slow, is_missed);
    let file = scene.make(1);
    for client in [&mut quick, &mut slow] {
        let items = scene.until_made(client, &file[0]);
        assert!(!items.iter().any(is_missed), "{items:?}");
    }
}

/// As [`deleted`], but another stream takes its place, whose numbers soon are as high as those of the earlier one were.
pub(crate) fn replaced(scene: &mut Scene) {
    let mut client = scene.client(scene.settings());
    let first = scene.make(1);
    scene.until_made(&mut client, &first[0]);
    let cursor = client.cursor().unwrap();
    scene.with_streams(async |context| {
        let mut old = context.get_stream(NAME).await.unwrap();
        let config = old.info().await.unwrap().config.clone();
        context.delete_stream(NAME).await.unwrap();
        context.create_stream(Config { name: "other".into(), ..config }).await.unwrap();
    });
    for _ in 0..20 {
        let file = scene.make(1);
        let items = scene.until_made(&mut client, &file[0]);
        assert!(!items.iter().any(is_missed), "{items:?}");
    }
    // A position in the earlier stream means nothing in this one.
    let watches = vec![Watch::recursive(scene.folder.path())];
    let resumed = RemoteBackend::resume_with_settings(scene.settings(), watches, &cursor);
    scene.until(&mut resumed.unwrap(), is_missed);
}
