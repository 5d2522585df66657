//! The serialised form: the format as snapshots, and the way back for any event.

use std::{num::NonZeroU32, path::PathBuf};

use insta::assert_snapshot;
use notify_backend::{
    Capabilities, Capability, Cursor, Event, EventKind,
    event::{CreateKind, RenameMode, Tracker},
};
use proptest::{
    option,
    prelude::{Strategy, any, prop_oneof, proptest},
    sample::select,
};
use serde::{Serialize, de::DeserializeOwned};

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("everything here can be written")
}

/// Parses `json`, which must fail; returns the error.
fn refusal<T: DeserializeOwned>(json: &str) -> String {
    serde_json::from_str::<T>(json).err().expect("this has to be refused").to_string()
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> PathBuf {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    OsStr::from_bytes(bytes).into()
}

#[cfg(windows)]
fn path(bytes: &[u8]) -> PathBuf {
    use std::{ffi::OsString, os::windows::ffi::OsStringExt};
    let units: Vec<u16> =
        bytes.chunks(2).map(|c| c.iter().fold(0, |u, b| u << 8 | u16::from(*b))).collect();
    OsString::from_wide(&units).into()
}

#[test]
fn all_attributes_together() {
    let event = Event::rename(RenameMode::From, "/abs/old")
        .with_tracker(Tracker::new(7))
        .with_info("the \"first\" half")
        .with_source("disk 2")
        .with_process(42);
    assert_snapshot!(json(&event), @r#"{"kind":"modify/name/from","path":"/abs/old","tracker":7,"info":"the \"first\" half","source":"disk 2","process":42}"#);
}

#[test]
fn cursors_are_their_bytes() {
    let cursor = Cursor::from_bytes([1, 2, 255]);
    assert_snapshot!(json(&cursor), @"[1,2,255]");
    assert_eq!(serde_json::from_str::<Cursor>("[1,2,255]").unwrap(), cursor);
    let bytes = postcard::to_stdvec(&cursor).unwrap();
    assert_eq!(postcard::from_bytes::<Cursor>(&bytes).unwrap(), cursor);
}

#[test]
fn missing_attributes() {
    assert_snapshot!(json(&Event::create(CreateKind::File, "new")), @r#"{"kind":"create/file","path":"new"}"#);
}

#[test]
fn missed_events() {
    assert_snapshot!(json(&Event::missed(None)), @r#"{"kind":"missed"}"#);
    assert_snapshot!(json(&Event::missed(NonZeroU32::new(3))), @r#"{"kind":"missed","count":3}"#);
    assert_snapshot!(json(&Event::missed_below("/abs", NonZeroU32::new(3))), @r#"{"kind":"missed","path":"/abs","count":3}"#);
}

#[cfg(unix)]
#[test]
fn path_that_is_not_unicode() {
    let event = Event::create(CreateKind::File, path(b"caf\xe9"));
    assert_snapshot!(json(&event), @r#"{"kind":"create/file","path":"caf�","path_bytes":[99,97,102,233]}"#);
}

#[cfg(windows)]
#[test]
fn path_that_is_not_unicode() {
    let event = Event::create(CreateKind::File, path(b"\0c\xd8\x00"));
    assert_snapshot!(json(&event), @r#"{"kind":"create/file","path":"c�","path_wide":[99,55296]}"#);
}

#[test]
fn path_from_another_family_of_machines() {
    let line = r#"{"kind":"any","path":"a\ufffd","path_bytes":[97,255],"path_wide":[97,55296]}"#;
    let event: Event = serde_json::from_str(line).unwrap();
    let expected = if cfg!(unix) { path(b"a\xff") } else { path(b"\0a\xd8\x00") };
    assert_eq!(event.path, expected);

    let foreign = if cfg!(unix) { r#""path_wide":[55296]"# } else { r#""path_bytes":[255]"# };
    let line = format!(r#"{{"kind":"any","path":"a\ufffd",{foreign}}}"#);
    let event: Event = serde_json::from_str(&line).unwrap();
    assert_eq!(event.path, PathBuf::from("a\u{fffd}"));
}

#[test]
fn kinds_and_capabilities_on_their_own() {
    let kinds = [EventKind::Create(CreateKind::Folder), EventKind::Missed(NonZeroU32::new(3))];
    assert_snapshot!(json(&kinds), @r#"["create/folder","missed count=3"]"#);
    let promised = [Capability::WatchFolders, Capability::TrackRelated];
    assert_snapshot!(json(&Capabilities::from_iter(promised)), @r#"["TrackRelated","WatchFolders"]"#);
    assert_snapshot!(json(&Tracker::new(7)), @"7");
}

#[test]
fn fields_of_a_later_version() {
    let event: Event = serde_json::from_str(r#"{"kind":"other","path":"/a","inode":12}"#).unwrap();
    assert_eq!(event, Event::new(EventKind::Other, "/a"));
}

#[test]
fn refused_input() {
    assert_snapshot!(refusal::<Event>(r#"{"kind":"create/fil","path":"/a"}"#), @r#"unknown event kind "create/fil"; kinds are spelled as in `EventKind::ALL`, e.g. `create/file` at line 1 column 20"#);
    assert_snapshot!(refusal::<Event>(r#"{"path":"/a"}"#), @"missing field `kind` at line 1 column 13");
    assert_snapshot!(refusal::<Event>(r#"{"kind":"missed","count":0}"#), @"invalid value: integer `0`, expected a nonzero u32 at line 1 column 26");
    assert_snapshot!(refusal::<EventKind>(r#""missed count=0""#), @r#"unknown event kind "missed count=0"; kinds are spelled as in `EventKind::ALL`, e.g. `create/file`"#);
    assert_snapshot!(refusal::<Tracker>("0"), @"invalid value: integer `0`, expected a nonzero u64 at line 1 column 1");
    assert_snapshot!(refusal::<Capabilities>(r#"["WatchFile"]"#), @"unknown variant `WatchFile`, expected one of `EmitOnAccess`, `FollowSymlinks`, `TrackRelated`, `WatchEntireFilesystem`, `WatchFiles`, `WatchFolders`, `WatchNewFolders`, `WatchRecursively`, `WatchNetworkedFilesystem`, `ChangeWatches`, `Resume` at line 1 column 12");
}

#[test]
fn every_kind_and_capability_comes_back() {
    for kind in EventKind::ALL {
        assert_eq!(serde_json::from_str::<EventKind>(&json(kind)).unwrap(), *kind);
    }
    let all = Capabilities::ALL;
    assert_eq!(serde_json::from_str::<Capabilities>(&json(&all)).unwrap(), all);
}

fn events() -> impl Strategy<Value = Event> {
    let kind = prop_oneof![
        select(EventKind::ALL),
        any::<NonZeroU32>().prop_map(|count| EventKind::Missed(Some(count))),
    ];
    let text = || option::of(any::<String>());
    (kind, any::<Vec<u8>>(), any::<u64>(), text(), text(), any::<Option<u32>>()).prop_map(
        |(kind, bytes, tracker, info, source, process)| {
            let mut event = Event::new(kind, path(&bytes)).with_tracker(Tracker::new(tracker));
            event.attrs.set_info(info);
            event.attrs.set_source(source);
            event.attrs.set_process(process);
            event
        },
    )
}

proptest! {
    #[test]
    fn every_event_comes_back(event in events()) {
        let read: Event = serde_json::from_str(&json(&event)).unwrap();
        assert_eq!(read, event);
        // Paths compare by component, but here every byte counts.
        assert_eq!(read.path.as_os_str(), event.path.as_os_str());

        let compact = postcard::to_stdvec(&event).unwrap();
        let read: Event = postcard::from_bytes(&compact).unwrap();
        assert_eq!(read, event);
        assert_eq!(read.path.as_os_str(), event.path.as_os_str());

        let text = event.kind.to_string();
        assert_eq!(text.parse(), Ok(event.kind));
    }
}
