//! Metadata (META).

use std::{
    fs::{FileTimes, OpenOptions},
    io::Write as _,
    time::{Duration, SystemTime},
};

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{metadata_changed, modified, removed_file, written},
            failure::{Step, Stop, ensure},
        },
        scene::{Scene, environment::Environment, places, platform, tree::Tree},
    },
    contract::{
        capability::Capability::WatchFolders,
        event::{EventKind, ModifyKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "metadata",
    title: "Metadata",
    guide: "Reporting events",
    cases: &[
        PERMISSIONS,
        SAME_PERMISSIONS,
        TIMES,
        OWNER,
        EXTENDED,
        MASKS_NOTHING,
        IS_NO_DATA,
        READ_ONLY,
        TIME_OF_WRITING,
        WRITE_IS_DATA,
        BESIDE_A_WRITE,
    ],
};

const HOUR: Duration = Duration::from_secs(3600);

fn distinguishes_metadata(scene: &Scene) -> Step {
    if scene.profile.distinguishes_metadata {
        return Ok(());
    }
    Err(Stop::Ignored("the profile says that metadata is not distinguished".into()))
}

const PERMISSIONS: Case = Case {
    id: "META01",
    name: "permissions",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A change of permissions, of a file or a folder, is reported as a change of metadata.",
    why: "fsnotify's scripts chmod and chmod-after-write; notify's chmod_file.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |scene| {
        distinguishes_metadata(scene)?;
        places::of(scene).filled(|tree| tree.write("file", "content")).each(|driver, place| {
            for (path, mode) in [("file", 0o600), ("", 0o700)] {
                driver.perform_in(scene.mode, place, |tree| tree.chmod(path, mode))?;
                driver.saw(metadata_changed(place.path(path)))?;
            }
            driver.nothing_else()
        })
    },
    ..Case::MUST
};

const SAME_PERMISSIONS: Case = Case {
    id: "META02",
    name: "same_permissions",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    checks: "Setting the permissions that a file already has is reported.",
    why: "Linux sends an event for it; a comparison of states cannot see it.",
    usual_cause: "States are compared.",
    run: |scene| {
        distinguishes_metadata(scene)?;
        let modes = [("file", 0o600), ("", 0o700)];
        let chmod = |tree: &Tree| modes.iter().try_for_each(|&(path, mode)| tree.chmod(path, mode));
        let fill = |tree: &Tree| {
            tree.write("file", "content")?;
            chmod(tree)
        };
        places::of(scene).filled(fill).each(|driver, place| {
            chmod(place)?;
            driver.settle()?;
            modes.iter().try_for_each(|&(path, _)| driver.saw(metadata_changed(place.path(path))))
        })
    },
    ..Case::MAY
};

const TIMES: Case = Case {
    id: "META03",
    name: "times",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Setting the modification time is reported.",
    why: "notify's set_file_mtime; `touch` makes build tools run.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |scene| {
        places::of(scene).filled(|tree| tree.write("file", "content")).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.set_times("file", SystemTime::now() - HOUR)
            })?;
            driver.saw(modified(place.path("file")))
        })
    },
    ..Case::MUST
};

const OWNER: Case = Case {
    id: "META04",
    name: "owner",
    needs: &[WatchFolders],
    environment: &[Environment::Unix, Environment::Root],
    modes: Mode::ALL,
    checks: "A change of the owner is reported as a change of metadata.",
    why: "fsnotify's script chmod has it beside permissions.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |scene| {
        distinguishes_metadata(scene)?;
        places::of(scene).filled(|tree| tree.write("file", "content")).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.make("chown", "file", platform::chown)
            })?;
            driver.saw(metadata_changed(place.path("file")))
        })
    },
    ..Case::MUST
};

const EXTENDED: Case = Case {
    id: "META05",
    name: "extended",
    needs: &[WatchFolders],
    environment: &[Environment::Linux],
    modes: Mode::ALL,
    checks: "A change of an extended attribute, of a file or a folder, is reported as a change of metadata.",
    why: "Backup programs and desktops store important data there.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |scene| {
        distinguishes_metadata(scene)?;
        // It leaves no trace but the time of the change.
        scene.distinguishes_moments()?;
        // Not tried with the file itself: to set the same again may change nothing.
        scene.outside.create("file")?;
        if platform::setxattr(&scene.outside.path("file")).is_err() {
            return Err(Stop::Ignored("the file system has no extended attributes".into()));
        }
        // A backend that compares states sees a time of the folder that its entries change as well.
        let paths: &[_] = if scene.profile.coalesced { &["file"] } else { &["file", ""] };
        places::of(scene).filled(|tree| tree.write("file", "content")).each(|driver, place| {
            for path in paths {
                driver.perform_in(scene.mode, place, |tree| {
                    tree.make("set an attribute of", path, platform::setxattr)
                })?;
                driver.saw(metadata_changed(place.path(path)))?;
            }
            driver.nothing_else()
        })
    },
    ..Case::MUST
};

const MASKS_NOTHING: Case = Case {
    id: "META06",
    name: "masks_nothing",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A change of metadata hides neither the write nor the removal that follows it.",
    why: "gradle's changing metadata doesn't mask content change.",
    usual_cause: "Events of one path are merged, and the first one wins.",
    run: |scene| {
        let files = ["written", "removed"];
        let fill = |tree: &Tree| files.iter().try_for_each(|file| tree.write(file, "content"));
        places::of(scene).filled(fill).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.chmod("written", 0o600)?;
                tree.append("written", "more")?;
                tree.chmod("removed", 0o600)?;
                tree.remove("removed")
            })?;
            driver.saw(written(place.path("written")))?;
            driver.saw(removed_file(place.path("removed")))?;
            driver.nothing_else()
        })
    },
    ..Case::MUST
};

const IS_NO_DATA: Case = Case {
    id: "META07",
    name: "is_no_data",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "A change of only the permissions is reported as a kind of metadata, and setting both \
             times at once is never reported as a change of data.",
    why: "fsnotify#520: a change of permissions caused a full rebuild.",
    usual_cause: "All changes are mapped to one kind.",
    // Linux treats setting the modification time alone as a change of data; see META10.
    run: |scene| {
        distinguishes_metadata(scene)?;
        let files = ["mode", "times"];
        let fill = |tree: &Tree| files.iter().try_for_each(|file| tree.write(file, "content"));
        places::of(scene).filled(fill).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.chmod("mode", 0o600)?;
                tree.set_times("times", SystemTime::now() - HOUR)
            })?;
            let [mode, times] = files.map(|file| place.path(file));
            driver.saw(metadata_changed(&mode))?;
            let wrong = driver.events().find(|event| match event.kind {
                EventKind::Modify(ModifyKind::Metadata(_)) => false,
                EventKind::Modify(ModifyKind::Data(_)) => event.path == mode || event.path == times,
                _ => event.path == mode,
            });
            let [mode, times] = [mode, times].map(|path| scene.timeline.show(&path));
            let expected = format!("modify/metadata of {mode}, no modify/data of {times}");
            ensure(wrong.is_none(), expected, || {
                wrong.map_or_else(String::new, |event| format!("there was {}", event.kind))
            })
        })
    },
    ..Case::MUST
};

const READ_ONLY: Case = Case {
    id: "META09",
    name: "read_only",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A file that becomes read-only, and writable again, is reported as a change of metadata \
             both times.",
    why: "JetBrains' testPermissionUpdate; editors then show a lock.",
    usual_cause: "The platform is not asked for changes of attributes.",
    run: |scene| {
        distinguishes_metadata(scene)?;
        places::of(scene).filled(|tree| tree.write("file", "content")).each(|driver, place| {
            for read_only in [true, false] {
                driver.next_step();
                driver
                    .perform_in(scene.mode, place, |tree| tree.set_read_only("file", read_only))?;
                driver.saw(metadata_changed(place.path("file")))?;
                driver.nothing_else()?;
            }
            Ok(())
        })
    },
    ..Case::MUST
};

const TIME_OF_WRITING: Case = Case {
    id: "META10",
    name: "time_of_writing",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "Setting only the modification time is reported, as a change of data or of metadata.",
    why: "`touch -m` makes build tools run. On Linux, it has the same event as a write; setting both times \
          has that of attributes.",
    usual_cause: "Only events about attributes are requested from the platform, or only those about data.",
    run: |scene| {
        places::of(scene).filled(|tree| tree.write("file", "content")).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.set_modified("file", SystemTime::now() - HOUR)
            })?;
            driver.saw(modified(place.path("file")))?;
            driver.nothing_else()
        })
    },
    ..Case::MUST
};

const WRITE_IS_DATA: Case = Case {
    id: "META11",
    name: "write_is_data",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A write is never reported as a change of metadata alone, even if the size stays the same \
             and the modification time was set to an older one, or to the same.",
    why: "Programs that copy files set their times. A consumer that rereads changed files relies on changes \
          of data being reported as such.",
    usual_cause: "States are compared, and a file that is not newer is treated as unwritten: report what may \
                  be either as `modify/any`.",
    run: |scene| {
        scene.distinguishes_moments()?;
        for file in ["older", "same"] {
            scene.tree.write(file, "content")?;
        }
        let time = |file: &str| {
            let metadata = scene.path(file).metadata();
            metadata.and_then(|metadata| metadata.modified())
        };
        let time = time("same").map_err(|error| Stop::Broken(format!("no times: {error}")))?;
        let mut driver = scene.watch([scene.flat()])?;
        driver.perform(scene.mode, |tree| {
            for (file, time) in [("older", time - HOUR), ("same", time)] {
                // A backend that compares states sees one change.
                tree.make("write with the time kept of", file, |path| {
                    let mut options = OpenOptions::new();
                    let mut file = options.write(true).open(path)?;
                    file.write_all(b"CONTENT")?;
                    file.set_times(FileTimes::new().set_accessed(time).set_modified(time))
                })?;
            }
            Ok(())
        })?;
        driver.saw(written("older"))?;
        // Without a time of the last change of any kind, nothing that can be compared has changed.
        if scene.profile.coalesced && !cfg!(unix) {
            return Ok(());
        }
        driver.saw(written("same"))
    },
    ..Case::MUST
};

const BESIDE_A_WRITE: Case = Case {
    id: "META12",
    name: "beside_a_write",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "If a file is written and its permissions are changed, in whichever order, both are reported, even if \
             neither has been read before the other is made.",
    why: "The counterpart of META06. A consumer that copies files would keep the old permissions.",
    usual_cause: "States are compared, and the first difference that is found is reported alone.",
    run: |scene| {
        distinguishes_metadata(scene)?;
        let files = ["first", "last"];
        let fill = |tree: &Tree| files.iter().try_for_each(|file| tree.write(file, "content"));
        places::of(scene).filled(fill).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.append("first", "more")?;
                tree.chmod("first", 0o600)?;
                tree.chmod("last", 0o600)?;
                tree.append("last", "more")
            })?;
            for file in files {
                driver.saw(written(place.path(file)))?;
                driver.saw(metadata_changed(place.path(file)))?;
            }
            driver.nothing_else()
        })
    },
    ..Case::MUST
};
