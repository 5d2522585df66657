//! Messages that no daemon has sent, or not like this: damaged, repeated, out of order, forged.

use notify_backend::StreamItem;
use serde_json::{Value, json};

use crate::scene::{SUBJECT, Scene, is_made, is_missed, made};

/// Makes a message of one with the daemon's next number, and of an item that the daemon has not sent.
type Imitate = fn(Value, Value) -> Vec<u8>;

/// What makes no sense, or comes from another run of a daemon, is a loss, and reports nothing.
pub(crate) fn strange(scene: &mut Scene) {
    let outside = r#"{"event":{"kind":"create/file","path":"/etc/passwd"}}"#;
    let batch = |run: u64, number: u64, item: &str| {
        format!(r#"{{"version":1,"run":{run},"number":{number},"items":[{item}]}}"#)
    };
    let forged = [
        String::new(),
        "not JSON".into(),
        batch(1, u64::MAX, outside),
        batch(1, 7, outside),
        batch(1, 4, r#"{"event":{"kind":"create/file","path":"/"}}"#),
        batch(1, 5, r#"{"event":{"kind":"no/kind"}}"#),
        "[".repeat(100_000),
    ];
    let mut client = scene.client(scene.settings());
    for message in forged {
        let shown: String = message.chars().take(80).collect();
        send(scene, message.into_bytes());
        let file = scene.make(1);
        let items = scene.until_made(&mut client, &file[0]);
        assert!(items.iter().any(is_missed), "no loss for {shown}: {items:?}");
        check_inside(scene, &items, &shown);
    }
}

/// The daemon's last message once more: it may not know that the server has it already.
pub(crate) fn twice(scene: &mut Scene) {
    let mut client = scene.client(scene.settings());
    let first = scene.make(1);
    scene.until_made(&mut client, &first[0]);
    send(scene, last(scene));
    let second = scene.make(1);
    let items = scene.until_made(&mut client, &second[0]);
    assert!(!items.iter().any(|item| is_missed(item) || is_made(item, &first[0])), "{items:?}");
}

/// What looks like the daemon's next message is a loss if it is not that, and reports nothing; the daemon's own is
/// not swallowed.
pub(crate) fn imitated(scene: &mut Scene) {
    let mut client = scene.client(scene.settings());
    let forged = scene.folder.path().join("forged");
    let item = json!({ "event": { "kind": "create/file", "path": forged } });
    let imitations: [(&str, Imitate); 7] = [
        ("cut in half", |next, item| {
            let whole = with(next, &[item]).to_string();
            whole[..whole.len() / 2].into()
        }),
        ("of another version", |mut next, item| {
            next["version"] = 2.into();
            with(next, &[item]).to_string().into()
        }),
        ("too long", |next, item| (with(next, &[item]).to_string() + &" ".repeat(600_000)).into()),
        ("of too many parts", |next, item| with(next, &vec![item; 1025]).to_string().into()),
        ("out of order", |next, item| numbered(with(next, &[item]), -2).to_string().into()),
        ("with the number of the last", |next, item| {
            numbered(with(next, &[item]), -1).to_string().into()
        }),
        ("with the next number, so that the daemon's has it too", |next, _| {
            with(next, &[json!({ "event": { "kind": "create/file", "path": "/etc/passwd" } })])
                .to_string()
                .into()
        }),
    ];
    for (name, imitate) in imitations {
        // So that all is well, and there are earlier messages of this run.
        for file in scene.make(2) {
            scene.until_made(&mut client, &file);
        }
        let next = numbered(serde_json::from_slice(&last(scene)).unwrap(), 1);
        send(scene, imitate(next, item.clone()));
        // The daemon's next message, whose number may have been taken.
        scene.make(1);
        let mut items = scene.until(&mut client, is_missed);
        let file = scene.make(1);
        items.extend(scene.until_made(&mut client, &file[0]));
        assert_eq!(made(&items, std::slice::from_ref(&forged)), 0, "{name}: {items:?}");
        check_inside(scene, &items, name);
    }
    for file in scene.make(2) {
        scene.until_made(&mut client, &file);
    }
    // Afterwards, nothing is missing.
    let file = scene.make(1);
    let items = scene.until_made(&mut client, &file[0]);
    assert!(!items.iter().any(is_missed), "{items:?}");
}

fn with(mut message: Value, items: &[Value]) -> Value {
    message["items"] = items.into();
    message
}

fn numbered(mut message: Value, by: i64) -> Value {
    let number = message["number"].as_u64().unwrap();
    message["number"] = number.wrapping_add_signed(by).into();
    message
}

fn check_inside(scene: &Scene, items: &[StreamItem], name: &str) {
    let is_outside = |item: &&StreamItem| {
        !is_missed(item)
            && item.as_ref().is_ok_and(|event| !event.path.starts_with(scene.folder.path()))
    };
    assert!(!items.iter().any(|item| is_outside(&item)), "{name}: {items:?}");
}

/// Stores a message in the stream.
fn send(scene: &Scene, message: Vec<u8>) {
    scene.with_streams(async |context| {
        let subject = format!("{SUBJECT}.events");
        context.publish(subject, message.into()).await.unwrap().await.unwrap();
    });
}

/// Returns the last message of the stream.
fn last(scene: &Scene) -> Vec<u8> {
    scene.with_streams(async |context| {
        let subject = format!("{SUBJECT}.events");
        let stream = context.stream_by_subject(&subject).await.unwrap();
        let stream = context.get_stream(stream).await.unwrap();
        stream.get_last_raw_message_by_subject(&subject).await.unwrap().payload.to_vec()
    })
}
