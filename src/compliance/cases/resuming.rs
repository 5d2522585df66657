//! Going on from where an earlier program stopped (RSM).

use std::{collections::HashSet, path::PathBuf};

use super::calls::remove;
use crate::{
    compliance::{
        case::{Case, Group},
        rules::{
            expect::{appeared, created_file, gone, touched, written},
            failure::{Step, Stop, ensure, fail},
        },
        scene::driver::Driver,
    },
    contract::{
        backend::Watch,
        capability::Capability::{ChangeWatches, Resume, WatchFolders},
        cursor::Cursor,
        error::BackendError,
        event::EventKind,
    },
};

pub(super) const GROUP: Group = Group {
    name: "resuming",
    title: "Resuming",
    guide: "Resuming",
    cases: &[
        GOES_ON,
        NOTHING_HAPPENED,
        AMID_UNREAD,
        BEFORE_FIRST_ITEM,
        RESUMED_TWICE,
        UNKNOWN_PATH,
        FORGOTTEN,
        DAMAGED,
        REFUSED_PATH,
        UNSUPPORTED,
        AMID_ALL_KINDS,
        UNWATCHED_AT_ONCE,
    ],
};

/// Stops the program: drops the backend, and keeps the cursor as bytes.
fn stop(driver: &mut Driver) -> Step<Cursor> {
    let Some(cursor) = driver.cursor()? else {
        return fail("`cursor` returns one at any time", "it returned `None`");
    };
    driver.close();
    Ok(Cursor::from_bytes(cursor.as_bytes()))
}

const GOES_ON: Case = Case {
    id: "RSM01",
    name: "goes_on",
    needs: &[Resume, WatchFolders],
    checks: "What happens between the end of one program and the start of the next is reported to that one: \
             a file that was created, written, removed, renamed. What the first has read is not reported \
             again, and what happens afterwards is reported.",
    why: "parcel-bundler/watcher#188, fsevents#284, git's fsmonitor: without it, each start reads everything.",
    usual_cause: "`resume` watches from now on, or from the time of the last change instead of the cursor.",
    run: |scene| {
        scene.tree.write("kept", "content")?;
        for file in ["written", "removed", "old"] {
            scene.tree.write(file, "content")?;
        }
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.create("seen")?;
        driver.settle()?;
        driver.saw(created_file("seen"))?;
        driver.drain()?;
        let cursor = stop(&mut driver)?;

        scene.tree.create("new")?;
        scene.tree.append("written", "more")?;
        scene.tree.remove("removed")?;
        scene.tree.rename("old", "renamed")?;

        let mut driver = scene.resume([scene.flat()], &cursor)?;
        driver.settle()?;
        driver.saw(created_file("new"))?;
        driver.saw(written("written"))?;
        driver.saw(gone("removed"))?;
        driver.saw(gone("old"))?;
        driver.saw(appeared("renamed"))?;
        for file in ["seen", "kept"] {
            driver.never_saw(&touched(file))?;
        }
        driver.nothing_else()?;
        scene.tree.create("after")?;
        driver.next_step();
        driver.settle()?;
        driver.saw(created_file("after"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const NOTHING_HAPPENED: Case = Case {
    id: "RSM02",
    name: "nothing_happened",
    needs: &[Resume, WatchFolders],
    checks: "If nothing happened between the two programs, nothing is reported to the second, whether or not \
             there are files.",
    why: "A consumer that gets every file at each start need not resume.",
    usual_cause: "Everything that exists is compared with nothing.",
    run: |scene| {
        scene.tree.create_many(20)?;
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.create("seen")?;
        driver.settle()?;
        driver.drain()?;
        let cursor = stop(&mut driver)?;
        let mut driver = scene.resume([scene.flat()], &cursor)?;
        driver.settle()?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const AMID_UNREAD: Case = Case {
    id: "RSM03",
    name: "amid_unread",
    needs: &[Resume, WatchFolders],
    checks: "A cursor that is taken between unread items stands after the last one that was read: the next \
             program gets exactly the others, for each item at which the first one may stop.",
    why: "Most facilities hand over several events at once, and a cursor for all of them.",
    usual_cause: "The cursor is that of the last event that was received, or of the last one of which \
                  everything was read.",
    run: |scene| {
        const FILES: usize = 12;

        for read in [1, 2, FILES / 2, FILES - 1, FILES] {
            let folder = format!("folder-{read}");
            scene.tree.mkdir(&folder)?;
            let watch = || Watch::non_recursive(scene.path(&folder));
            let mut driver = scene.watch([watch()])?;
            scene.tree.within(&folder).create_many(FILES)?;
            // Without a barrier, so that there is nothing else to be read.
            driver.read_until_reported(|driver| driver.created_paths().len() >= read)?;
            let before = driver.created_paths().clone();
            ensure(before.len() == read, format!("{read} files are reported as created"), || {
                format!("there were {}", before.len())
            })?;
            let cursor = stop(&mut driver)?;
            let mut driver = scene.resume([watch()], &cursor)?;
            driver.settle()?;
            let after = driver.created_paths();
            let all: HashSet<PathBuf> = before.union(after).cloned().collect();
            ensure(all.len() == FILES, "nothing is lost", || {
                format!(
                    "{read} items were read, and {} files were never reported",
                    FILES - all.len()
                )
            })?;
            let twice = before.intersection(after).count();
            ensure(twice == 0, "nothing is reported twice", || {
                format!("{read} items were read, and {twice} of the files were reported again")
            })?;
        }
        Ok(())
    },
    ..Case::MUST
};

const BEFORE_FIRST_ITEM: Case = Case {
    id: "RSM04",
    name: "before_first_item",
    needs: &[Resume, WatchFolders],
    checks: "There is a cursor before the first poll, after `new` and after `resume`: nothing that happened \
             since then is lost.",
    why: "A program that starts, and is stopped at once, must not lose what an earlier one had not read.",
    usual_cause: "The cursor is taken from the first event, or `resume` begins with that of the present.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        let mut cursor = stop(&mut driver)?;
        for file in ["first", "second"] {
            scene.tree.create(file)?;
            let mut driver = scene.resume([scene.flat()], &cursor)?;
            cursor = stop(&mut driver)?;
        }
        let mut driver = scene.resume([scene.flat()], &cursor)?;
        driver.settle()?;
        driver.saw(created_file("first"))?;
        driver.saw(created_file("second"))?;
        driver.nothing_else()
    },
    ..Case::MUST
};

const RESUMED_TWICE: Case = Case {
    id: "RSM05",
    name: "resumed_twice",
    needs: &[Resume, WatchFolders],
    checks: "Resuming twice from the same cursor reports the same twice: a program that crashes before it \
             has stored a new cursor loses nothing.",
    why: "A broker that gets an acknowledgement for each message delivers it once.",
    usual_cause: "The source forgets what was delivered; let it forget by age alone.",
    run: |scene| {
        let mut driver = scene.watch([scene.flat()])?;
        let cursor = stop(&mut driver)?;
        scene.tree.create("new")?;
        for _ in 0..2 {
            let mut driver = scene.resume([scene.flat()], &cursor)?;
            driver.settle()?;
            driver.saw(created_file("new"))?;
            driver.nothing_else()?;
        }
        Ok(())
    },
    ..Case::MUST
};

const UNKNOWN_PATH: Case = Case {
    id: "RSM06",
    name: "unknown_path",
    needs: &[Resume, WatchFolders],
    checks: "A path that was not watched when the cursor was taken can be watched on resuming. What has \
             happened in it is reported, or a loss in it is; and what has happened in the other is reported.",
    why: "A program is started with other folders than the last time.",
    usual_cause: "The position of one folder is taken for that of another.",
    run: |scene| {
        for folder in ["known", "unknown"] {
            scene.tree.mkdir(folder)?;
        }
        let [known, unknown] =
            ["known", "unknown"].map(|folder| Watch::non_recursive(scene.path(folder)));
        let mut driver = scene.watch([known.clone()])?;
        let cursor = stop(&mut driver)?;
        for file in ["known/new", "unknown/new"] {
            scene.tree.create(file)?;
        }
        let mut driver = scene.resume([known, unknown], &cursor)?;
        driver.guard.may_miss = true;
        driver.settle()?;
        for folder in ["known", "unknown"] {
            let is_reported = driver.count(&created_file(format!("{folder}/new"))) > 0
                || driver.has_missed_in(&scene.path(folder));
            ensure(is_reported, format!("tree/{folder}/new, or Missed for its folder"), || {
                "neither was reported".into()
            })?;
        }
        driver.next_step();
        for file in ["known/after", "unknown/after"] {
            scene.tree.create(file)?;
            driver.saw(created_file(file))?;
        }
        Ok(())
    },
    ..Case::MUST
};

const FORGOTTEN: Case = Case {
    id: "RSM07",
    name: "forgotten",
    needs: &[Resume, WatchFolders],
    checks: "If the source has forgotten what happened since the cursor, the stream begins with `Missed` for \
             the watched folder or everything, and then goes on.",
    why: "A daemon was restarted, a broker has dropped its oldest messages, the ids of FSEvents have \
          wrapped.",
    usual_cause: "The source says that it begins anew (a fresh instance, a gap in the sequence), and that is \
                  not passed on.",
    run: |scene| {
        let Some(forget) = scene.subject().forget else {
            return Err(Stop::Ignored(
                "the suite does not know how to make the source forget: see `Suite::forgetting`"
                    .into(),
            ));
        };
        let mut driver = scene.watch([scene.flat()])?;
        scene.tree.create("seen")?;
        driver.settle()?;
        driver.drain()?;
        let cursor = stop(&mut driver)?;
        scene.tree.create("new")?;
        let forgotten = forget(&scene.path(""));
        forgotten
            .map_err(|error| Stop::Broken(format!("it could not be made to forget: {error}")))?;
        let mut driver = scene.resume([scene.flat()], &cursor)?;
        driver.guard.may_miss = true;
        driver.settle()?;
        let first = driver.events().next().map(ToString::to_string);
        let is_missed = driver.events().next().is_some_and(|event| {
            matches!(event.kind, EventKind::Missed(_)) && scene.path("").starts_with(&event.path)
        });
        ensure(is_missed, "the first item is Missed", || {
            first.map_or("there was none".into(), |first| format!("it was {first}"))
        })?;
        driver.guard.may_miss = false;
        driver.next_step();
        scene.tree.create("after")?;
        driver.saw(created_file("after"))
    },
    ..Case::MUST
};

const DAMAGED: Case = Case {
    id: "RSM08",
    name: "damaged",
    needs: &[Resume],
    checks: "A cursor that is damaged, empty or from another backend is refused with `InvalidCursor`. One \
             that was forged with the right checksum causes no panic, and a result in bounded time.",
    why: "It comes from a file: a crash cuts it in half, an update of the program brings another backend.",
    usual_cause: "The bytes are taken apart without asking `Cursor::position`, or without checking their \
                  lengths.",
    run: |scene| {
        let watch = scene.anything()?;
        let mut driver = scene.watch([watch.clone()])?;
        let cursor = stop(&mut driver)?;
        let name = scene.about().name;
        let whole = cursor.as_bytes();
        let mut damaged: Vec<Cursor> = [0, 1, whole.len() / 2, whole.len() - 1]
            .map(|end| Cursor::from_bytes(&whole[..end]))
            .into();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 0x55;
            damaged.push(Cursor::from_bytes(bytes));
        }
        damaged.push(Cursor::from_bytes([whole, b"more"].concat()));
        damaged.push(Cursor::from_bytes(vec![0; 1 << 20]));
        damaged.push(Cursor::new("suite/another", cursor.position(name).unwrap_or_default()));
        for cursor in &damaged {
            match scene.try_resume([watch.clone()], cursor)? {
                Err(BackendError::InvalidCursor) => {}
                other => {
                    let shown: String = format!("{cursor:?}").chars().take(80).collect();
                    let but = match other {
                        Ok(_) => "it made a backend".into(),
                        Err(error) => format!("it returned: {error}"),
                    };
                    return fail(format!("`resume` refuses {shown} with InvalidCursor"), but);
                }
            }
        }
        let Ok(position) = cursor.position(name) else { return Ok(()) };
        let half = &position[..position.len() / 2];
        let zeros: &[u8] = &[0; 1 << 16];
        for position in [&[], half, &[0xff; 64], zeros, &[position, position].concat()] {
            // Whether this is a place in its stream, only the backend knows.
            _ = scene.make_from(vec![watch.clone()], &Cursor::new(name, position));
        }
        Ok(())
    },
    ..Case::MUST
};

const REFUSED_PATH: Case = Case {
    id: "RSM09",
    name: "refused_path",
    needs: &[Resume, WatchFolders],
    checks: "`resume` refuses what `new` refuses: a path that does not exist any more is `NotFound`, which \
             names it.",
    why: "What was watched the last time may be gone.",
    usual_cause: "`resume` does not check the watches as `new` does.",
    run: |scene| {
        scene.tree.mkdir("gone")?;
        let watches = ["", "gone"].map(|folder| Watch::non_recursive(scene.path(folder)));
        let mut driver = scene.watch(watches.clone())?;
        let cursor = stop(&mut driver)?;
        scene.tree.rmdir("gone")?;
        match scene.try_resume(watches, &cursor)? {
            Err(BackendError::NotFound { paths }) if paths == [scene.path("gone")] => Ok(()),
            Err(error) => fail("NotFound with the path", format!("it returned: {error}")),
            Ok(_) => fail("NotFound with the path", "it made a backend"),
        }
    },
    ..Case::MUST
};

const UNSUPPORTED: Case = Case {
    id: "RSM10",
    name: "unsupported",
    without: &[Resume],
    checks: "A backend that does not declare `Resume` has no cursor, and `resume` refuses with \
             `NotSupported`, which names the capability and the paths.",
    why: "An undeclared capability must not show: a program would rely on it.",
    usual_cause: "`cursor` or `resume` is written, and the capability is not declared.",
    run: |scene| {
        let watch = scene.anything()?;
        let mut driver = scene.watch([watch.clone()])?;
        driver.settle()?;
        let cursor = driver.cursor()?;
        ensure(cursor.is_none(), "`cursor` returns `None`", || "it returned one".into())?;
        driver.close();
        let path = watch.path.clone();
        let name = scene.about().name;
        match scene.make_from(vec![watch], &Cursor::new(name, b"")) {
            Err(BackendError::NotSupported { capability: Resume, paths }) if paths == [path] => {
                Ok(())
            }
            Err(error) => {
                fail("NotSupported(Resume) with the path", format!("it returned: {error}"))
            }
            Ok(_) => fail("NotSupported(Resume) with the path", "it made a backend"),
        }
    },
    ..Case::MUST
};

const AMID_ALL_KINDS: Case = Case {
    id: "RSM11",
    name: "amid_all_kinds",
    needs: &[Resume, WatchFolders],
    checks: "As RSM03, for files that were created, written, removed and renamed at once: wherever the first \
             program stops, the next one gets what that has not read, and nothing that it has read.",
    why: "The counterpart of RSM01 and RSM03: there, all is read before the program stops, or all is alike.",
    usual_cause: "What was read is known by its name, whether it was gone or there; or the cursor does not move \
                  past removals or the old names of renames.",
    run: |scene| {
        for read in 1..=5 {
            let folder = format!("folder-{read}");
            let tree = scene.tree.within(&folder);
            scene.tree.mkdir(&folder)?;
            // By name, the kinds are mixed.
            for file in ["b-removed", "d-written", "f-old"] {
                tree.write(file, "content")?;
            }
            let watch = || Watch::non_recursive(scene.path(&folder));
            let mut driver = scene.watch([watch()])?;
            tree.create("a-new")?;
            tree.remove("b-removed")?;
            tree.append("d-written", "more")?;
            tree.rename("f-old", "c-renamed")?;
            tree.create("g-new")?;
            let at = |file: &str| format!("{folder}/{file}");
            let facts = [
                created_file(at("a-new")),
                gone(at("b-removed")),
                written(at("d-written")),
                gone(at("f-old")),
                appeared(at("c-renamed")),
                created_file(at("g-new")),
            ];
            // Without a barrier, so that there is nothing else to be read.
            driver.read_until_reported(|driver| driver.events().count() >= read)?;
            let before: Vec<_> = facts.iter().map(|fact| driver.count(fact)).collect();
            let cursor = stop(&mut driver)?;
            let mut driver = scene.resume([watch()], &cursor)?;
            driver.settle()?;
            for (fact, before) in facts.into_iter().zip(before) {
                let file = scene.timeline.show(&scene.path(&fact.path));
                let after = driver.count(&fact);
                ensure(before + after > 0, "nothing is lost", || {
                    format!(
                        "{read} items were read, and what happened to {file} was never reported"
                    )
                })?;
                ensure(before == 0 || after == 0, "nothing is reported twice", || {
                    format!(
                        "{read} items were read, and what happened to {file} was reported again"
                    )
                })?;
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const UNWATCHED_AT_ONCE: Case = Case {
    id: "RSM12",
    name: "unwatched_at_once",
    needs: &[Resume, ChangeWatches, WatchFolders],
    checks: "If watches are removed right after `resume`, before anything was read, nothing is reported for them: \
             neither what has happened nor that the cursor did not know the path. The others go on.",
    why: "The counterpart of CHG02: what a program has missed waits in another place than what happens now.",
    usual_cause: "The past, and the loss of a path that the cursor does not know, wait in a queue of their own, \
                  which `unwatch` does not look through.",
    run: |scene| {
        const FOLDERS: [&str; 3] = ["kept", "removed", "unknown"];
        FOLDERS.iter().try_for_each(|folder| scene.tree.mkdir(folder))?;
        let watches = FOLDERS.map(|folder| Watch::non_recursive(scene.path(folder)));
        let mut driver = scene.watch(&watches[..2])?;
        let cursor = stop(&mut driver)?;
        FOLDERS.iter().try_for_each(|folder| scene.tree.create(format!("{folder}/new")))?;
        let mut driver = scene.resume(watches, &cursor)?;
        driver.guard.may_miss = true;
        for folder in ["removed", "unknown"] {
            remove(&mut driver, &scene.path(folder))?;
        }
        driver.settle()?;
        for folder in ["removed", "unknown"] {
            let path = scene.path(folder);
            let said = driver.events().find(|event| event.path.starts_with(&path));
            ensure(said.is_none(), format!("nothing is reported for tree/{folder}"), || {
                said.map_or_else(String::new, ToString::to_string)
            })?;
        }
        if !driver.has_missed_in(&scene.path("kept")) {
            driver.saw(created_file("kept/new"))?;
        }
        scene.tree.create("kept/after")?;
        driver.saw(created_file("kept/after"))
    },
    ..Case::MUST
};
