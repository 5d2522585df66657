//! The promises of events: names, attributes, `Display`, and the conversion to notify's events.

use std::{
    collections::HashSet,
    num::NonZeroU32,
    path::{Path, PathBuf},
};

use notify_types::event as notify;

use super::{
    AccessKind, AccessMode, Attrs, CreateKind, DataChange, Event, EventKind, MetadataKind,
    ModifyKind, RemoveKind, RenameMode, Tracker,
};

/// Returns the corresponding kind of `notify-types`.
fn in_notify(kind: EventKind) -> notify::EventKind {
    notify::Event::from(Event::new(kind, "/a")).kind
}

fn all_attributes() -> Event {
    Event::other("unmount", "/a")
        .with_tracker(Tracker::new(7))
        .with_source("replica-2")
        .with_process(42)
}

mod kinds {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_under_a_unique_name() {
        let kinds: HashSet<_> = EventKind::ALL.iter().collect();
        let names: HashSet<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(kinds.len(), EventKind::ALL.len());
        assert_eq!(names.len(), EventKind::ALL.len());
    }

    /// Built from the variants and not from the list, so that a forgotten one shows.
    #[test]
    fn the_list_has_every_kind_that_can_be_built() {
        let modes = [
            AccessMode::Any,
            AccessMode::Execute,
            AccessMode::Read,
            AccessMode::Write,
            AccessMode::Other,
        ];
        let modes = modes.into_iter();
        let mut built: HashSet<EventKind> = HashSet::from([
            EventKind::Any,
            EventKind::Access(AccessKind::Any),
            EventKind::Access(AccessKind::Read),
            EventKind::Access(AccessKind::Other),
            EventKind::Modify(ModifyKind::Any),
            EventKind::Modify(ModifyKind::Other),
            EventKind::Missed(None),
            EventKind::Other,
        ]);
        built.extend(modes.clone().map(|mode| EventKind::Access(AccessKind::Open(mode))));
        built.extend(modes.map(|mode| EventKind::Access(AccessKind::Close(mode))));
        built.extend(
            [CreateKind::Any, CreateKind::File, CreateKind::Folder, CreateKind::Other]
                .map(EventKind::Create),
        );
        built.extend(
            [DataChange::Any, DataChange::Size, DataChange::Content, DataChange::Other]
                .map(|change| EventKind::Modify(ModifyKind::Data(change))),
        );
        built.extend(
            [
                MetadataKind::Any,
                MetadataKind::AccessTime,
                MetadataKind::WriteTime,
                MetadataKind::Permissions,
                MetadataKind::Ownership,
                MetadataKind::Extended,
                MetadataKind::Other,
            ]
            .map(|kind| EventKind::Modify(ModifyKind::Metadata(kind))),
        );
        built.extend(
            [
                RenameMode::Any,
                RenameMode::To,
                RenameMode::From,
                RenameMode::Both,
                RenameMode::Other,
            ]
            .map(|mode| EventKind::Modify(ModifyKind::Name(mode))),
        );
        built.extend(
            [RemoveKind::Any, RemoveKind::File, RemoveKind::Folder, RemoveKind::Other]
                .map(EventKind::Remove),
        );
        assert_eq!(built, EventKind::ALL.iter().copied().collect());
    }

    /// The derived `Debug` form in lower case: `Modify(Name(From))` is `modify/name/from`.
    fn spelled(kind: EventKind) -> String {
        let mut out = String::new();
        for c in format!("{kind:?}").chars() {
            match c {
                '(' => out.push('/'),
                ')' => {}
                _ if c.is_uppercase() && out.ends_with(char::is_lowercase) => {
                    out.push('-');
                    out.extend(c.to_lowercase());
                }
                _ => out.extend(c.to_lowercase()),
            }
        }
        out
    }

    #[test]
    fn names_spell_the_variants() {
        for &kind in EventKind::ALL {
            let expected = match kind {
                EventKind::Missed(_) => "missed".to_owned(),
                kind => spelled(kind),
            };
            assert_eq!(kind.name(), expected);
        }
    }

    #[test]
    fn kinds_that_say_nothing_need_an_info() {
        let needing = EventKind::ALL.iter().filter(|kind| kind.needs_info());
        let needing: Vec<_> = needing.map(|kind| kind.name()).collect();
        assert_eq!(
            needing,
            [
                "access/open/other",
                "access/close/other",
                "access/other",
                "create/other",
                "modify/data/other",
                "modify/metadata/other",
                "modify/name/other",
                "modify/other",
                "remove/other",
                "other",
            ]
        );
    }

    #[test]
    fn a_count_follows_the_name() {
        let missed = |count| EventKind::Missed(NonZeroU32::new(count));
        assert_eq!(missed(0).to_string(), "missed");
        assert_eq!(missed(12).to_string(), "missed count=12");
        assert_eq!(missed(12).name(), "missed");
    }

    #[test]
    fn names_can_stand_in_a_column() {
        let kind = EventKind::Create(CreateKind::File);
        assert_eq!(format!("{kind:<14}|"), "create/file   |");
    }

    #[test]
    fn the_default_says_nothing() {
        assert_eq!(EventKind::default(), EventKind::Any);
    }
}

mod reference {
    use super::*;

    fn rows() -> impl Iterator<Item = Vec<&'static str>> {
        let lines = include_str!("kinds.md").lines().filter(|line| line.starts_with('|'));
        lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
    }

    #[test]
    fn every_kind_has_its_row_in_the_order_of_the_list() {
        let listed: Vec<_> =
            EventKind::ALL.iter().map(|kind| format!("`{}`", kind.name())).collect();
        // The first two lines are the head and the rule below it.
        let rows: Vec<_> = rows().skip(2).map(|row| row[0]).collect();
        assert_eq!(rows, listed);
    }

    #[test]
    fn no_cell_is_left_empty() {
        for row in rows() {
            assert_eq!(row.len(), 8, "{row:?}");
            assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
        }
    }
}

mod constructors {
    use super::*;

    #[test]
    fn each_makes_the_kind_it_is_named_for() {
        let made = [
            Event::new(EventKind::Any, "/a"),
            Event::access(AccessKind::Open(AccessMode::Read), "/a"),
            Event::create(CreateKind::Folder, "/a"),
            Event::modify(ModifyKind::Any, "/a"),
            Event::data(DataChange::Size, "/a"),
            Event::metadata(MetadataKind::Extended, "/a"),
            Event::rename(RenameMode::To, "/a"),
            Event::remove(RemoveKind::Other, "/a"),
            Event::other("unmount", "/a"),
        ];
        let names: Vec<_> = made.iter().map(|event| event.kind.name()).collect();
        assert_eq!(
            names,
            [
                "any",
                "access/open/read",
                "create/folder",
                "modify/any",
                "modify/data/size",
                "modify/metadata/extended",
                "modify/name/to",
                "remove/other",
                "other",
            ]
        );
        assert!(made.iter().all(|event| event.path == Path::new("/a")));
    }

    #[test]
    fn missed_concerns_everything_or_a_part() {
        let count = NonZeroU32::new(3);
        let event = Event::missed(count);
        assert_eq!((event.kind, event.path), (EventKind::Missed(count), PathBuf::new()));
        let event = Event::missed_below("/a", count);
        assert_eq!((event.kind, event.path), (EventKind::Missed(count), "/a".into()));
    }

    #[test]
    fn other_has_an_info() {
        assert_eq!(Event::other("unmount", "/a").attrs.info(), Some("unmount"));
    }

    /// A name is passed on as the file system gives it.
    #[cfg(unix)]
    #[test]
    fn path_bytes_are_kept() {
        use std::{
            ffi::OsStr,
            os::unix::ffi::{OsStrExt, OsStringExt},
        };

        let bytes: Vec<u8> = (1..=u8::MAX).collect();
        let event = Event::create(CreateKind::File, OsStr::from_bytes(&bytes));
        let event = Event::from_notify(event.into()).remove(0);
        assert_eq!(event.path.into_os_string().into_vec(), bytes);
    }
}

mod attributes {
    use super::*;

    #[test]
    fn each_can_be_set_and_cleared_beside_the_others() {
        let mut attrs = all_attributes().attrs;
        let seen = |attrs: &Attrs| {
            let text = |text: Option<&str>| text.map(ToOwned::to_owned);
            let tracker = attrs.tracker().map(Tracker::get);
            (tracker, text(attrs.info()), text(attrs.source()), attrs.process())
        };
        let all = (Some(7), Some("unmount".into()), Some("replica-2".into()), Some(42));
        assert_eq!(seen(&attrs), all);
        attrs.set_info(None);
        assert_eq!(seen(&attrs), (Some(7), None, Some("replica-2".into()), Some(42)));
        attrs.set_source(None);
        assert_eq!(seen(&attrs), (Some(7), None, None, Some(42)));
        attrs.set_process(None);
        assert_eq!(seen(&attrs), (Some(7), None, None, None));
        attrs.set_tracker(None);
        assert_eq!(seen(&attrs), (None, None, None, None));
    }

    /// The history of attributes does not show.
    #[test]
    fn cleared_is_as_never_set() {
        let mut attrs = Attrs::default();
        attrs.set_info(Some("x".into()));
        attrs.set_info(None);
        assert_eq!(attrs, Attrs::default());
        assert_eq!(attrs.heap_bytes(), 0);
    }

    #[test]
    fn an_empty_text_is_a_text() {
        let event = Event::new(EventKind::Any, "/a").with_info("");
        assert_eq!(event.attrs.info(), Some(""));
        assert_ne!(event.attrs, Attrs::default());
    }

    #[test]
    fn zero_is_no_tracker() {
        assert_eq!(Tracker::new(0), None);
        assert_eq!(Tracker::new(u64::MAX).map(Tracker::get), Some(u64::MAX));
        assert_eq!(Tracker::new(7).map(|tracker| tracker.to_string()), Some("7".into()));
    }
}

mod reading {
    use super::*;

    #[test]
    fn a_log_line_has_every_part() {
        assert_eq!(
            all_attributes().to_string(),
            r#"other /a tracker=7 info="unmount" source="replica-2" process=42"#
        );
        assert_eq!(Event::missed(None).to_string(), "missed");
        let part = Event::missed_below("/a", NonZeroU32::new(3)).with_info("overflow");
        assert_eq!(part.to_string(), r#"missed /a count=3 info="overflow""#);
    }

    #[test]
    fn a_log_line_stays_one_line() {
        let event = Event::create(CreateKind::File, "/a\nremove/file /b").with_info("x\ny");
        assert_eq!(event.to_string(), r#"create/file "/a\nremove/file /b" info="x\ny""#);
    }

    #[test]
    fn debug_leaves_out_missing_parts() {
        let plain = Event::create(CreateKind::File, "/a");
        assert_eq!(
            format!("{plain:?}"),
            r#"Event { kind: Create(File), path: "/a", attrs: Attrs }"#
        );
        assert_eq!(
            format!("{:?}", all_attributes().attrs),
            r#"Attrs { tracker: 7, info: "unmount", source: "replica-2", process: 42 }"#
        );
    }
}

mod to_notify_and_back {
    use super::*;

    #[test]
    fn every_kind_survives() {
        for &kind in EventKind::ALL {
            let event = match kind {
                EventKind::Missed(count) => Event::missed(count),
                kind if kind.needs_info() => Event::new(kind, "/a").with_info("why"),
                kind => Event::new(kind, "/a"),
            }
            .with_tracker(Tracker::new(7));
            assert_eq!(Event::from_notify(event.clone().into()), [event]);
        }
    }

    /// The inner kinds are the same types; this checks the group that they end up in.
    #[test]
    fn every_kind_has_its_namesake() {
        for &kind in EventKind::ALL {
            let expected = match kind {
                EventKind::Missed(_) => "Other".to_owned(),
                kind => format!("{kind:?}"),
            };
            assert_eq!(format!("{:?}", in_notify(kind)), expected);
        }
    }

    #[test]
    fn missed_is_a_rescan() {
        let event = notify::Event::from(Event::missed(NonZeroU32::new(3)).with_info("overflow"));
        assert!(event.need_rescan());
        assert_eq!(event.paths, Vec::<PathBuf>::new());
        assert_eq!(event.info(), Some("overflow"));
        assert_eq!(Event::from_notify(event), [Event::missed(None).with_info("overflow")]);
    }

    #[test]
    fn missed_in_a_part_is_a_rescan_of_that() {
        let missed = Event::missed_below("/a", None);
        let event = notify::Event::from(missed.clone());
        assert!(event.need_rescan());
        assert_eq!(event.paths, [PathBuf::from("/a")]);
        assert_eq!(Event::from_notify(event), [missed]);
    }

    #[test]
    fn only_missed_is_a_rescan() {
        for &kind in EventKind::ALL {
            let rescan = notify::Event::from(Event::new(kind, "/a")).need_rescan();
            assert_eq!(rescan, matches!(kind, EventKind::Missed(_)), "{kind}");
        }
    }

    #[test]
    fn a_rescan_of_several_folders_is_one_missed_for_each() {
        let event = notify::Event::new(notify::EventKind::Other)
            .set_flag(notify::Flag::Rescan)
            .add_path("/a".into())
            .add_path("/b".into());
        let expected = ["/a", "/b"].map(|path| Event::missed_below(path, None));
        assert_eq!(Event::from_notify(event), expected);
    }

    #[test]
    fn attributes_go_along_and_the_source_joins_the_info() {
        let event = notify::Event::from(all_attributes());
        assert_eq!(event.tracker(), Some(7));
        assert_eq!(event.info(), Some("unmount (source: replica-2)"));
        assert_eq!(event.attrs.process_id(), Some(42));
        assert_eq!(Event::from_notify(event)[0].attrs.process(), Some(42));
        let event = notify::Event::from(Event::new(EventKind::Any, "/a").with_source("replica-2"));
        assert_eq!(event.info(), Some("source: replica-2"));
    }

    #[test]
    fn a_rename_with_both_paths_becomes_its_halves() {
        let both = notify::EventKind::Modify(ModifyKind::Name(RenameMode::Both));
        let event = notify::Event::new(both).set_tracker(7);
        let whole = event.clone().add_path("/a".into()).add_path("/b".into());
        assert_eq!(
            Event::from_notify(whole),
            [
                Event::rename(RenameMode::From, "/a").with_tracker(Tracker::new(7)),
                Event::rename(RenameMode::To, "/b").with_tracker(Tracker::new(7)),
            ]
        );
        let broken = event.add_path("/a".into());
        assert_eq!(
            Event::from_notify(broken),
            [Event::rename(RenameMode::Both, "/a").with_tracker(Tracker::new(7))]
        );
    }

    #[test]
    fn several_paths_are_several_events() {
        let paths = ["/a", "/b", "/c", "/d"];
        let event = notify::Event::new(notify::EventKind::Remove(RemoveKind::File));
        let event = paths.iter().fold(event, |event, path| event.add_path(path.into()));
        let expected = paths.map(|path| Event::remove(RemoveKind::File, path));
        assert_eq!(Event::from_notify(event), expected);
    }

    #[test]
    fn no_path_is_no_event() {
        let event = notify::Event::new(notify::EventKind::Create(CreateKind::File));
        assert_eq!(Event::from_notify(event), []);
    }

    #[test]
    fn an_unexplained_other_gets_an_info() {
        let event = notify::Event::new(notify::EventKind::Other).add_path("/a".into());
        assert_eq!(Event::from_notify(event), [Event::other("unspecified", "/a")]);
    }

    #[test]
    fn a_tracker_of_zero_is_none() {
        let event = notify::Event::new(notify::EventKind::Any).set_tracker(0).add_path("/a".into());
        assert_eq!(Event::from_notify(event), [Event::new(EventKind::Any, "/a")]);
    }
}
