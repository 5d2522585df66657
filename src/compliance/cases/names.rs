//! Names of every sort (NAME).

use std::{fs, path::Path};

use crate::{
    compliance::{
        case::{Case, Group},
        record::mode::Mode,
        rules::{
            expect::{
                created_file, created_folder, metadata_changed, moved_from, moved_to, removed_file,
                written,
            },
            failure::{Step, Stop, ensure},
        },
        scene::{Scene, environment::Environment, places},
    },
    contract::{
        backend::Watch,
        capability::Capability::{EmitOnAccess, WatchFolders, WatchNewFolders, WatchRecursively},
        event::{Event, EventKind},
    },
};

pub(super) const GROUP: Group = Group {
    name: "names",
    title: "Names",
    guide: "Paths",
    cases: &[
        NOT_UTF8,
        ODD_CHARACTERS,
        LONG,
        UNICODE_FORMS,
        LONG_PATH,
        HIDDEN,
        OF_WATCHED_FOLDER,
        OF_WATCHED_FOLDER_NOT_UTF8,
    ],
};

/// The new folder that the names are in.
const AROUND: &str = "around";

/// Fails unless files with these names are reported as created, written, changed in their metadata, read (if
/// accesses are reported), renamed and removed, and files in folders with these names as created.
fn survive<N: AsRef<Path> + Sync>(scene: &Scene, names: &[N]) -> Step {
    let reports_accesses = scene.has(EmitOnAccess);
    let places = places::of(scene);
    let places = if reports_accesses { places.asking(Watch::with_access) } else { places };
    let (mut driver, places) = places.watch()?;
    for place in &places {
        driver.next_step();
        driver.perform_in(scene.mode, place, |tree| {
            names.iter().try_for_each(|name| tree.create(name))
        })?;
        names.iter().try_for_each(|name| driver.saw(created_file(place.path(name))))?;
        driver.perform_in(scene.mode, place, |tree| {
            names.iter().try_for_each(|name| tree.append(name, "more"))
        })?;
        names.iter().try_for_each(|name| driver.saw(written(place.path(name))))?;
        if cfg!(unix) {
            driver.perform_in(scene.mode, place, |tree| {
                names.iter().try_for_each(|name| tree.chmod(name, 0o600))
            })?;
            names.iter().try_for_each(|name| driver.saw(metadata_changed(place.path(name))))?;
        }
        if reports_accesses {
            driver.perform_in(scene.mode, place, |tree| {
                let read = |path: &Path| fs::read(path).map(drop);
                names.iter().try_for_each(|name| tree.make("read", name, read))
            })?;
            for path in names.iter().map(|name| place.path(name)) {
                let is_access = |event: &Event| matches!(event.kind, EventKind::Access(_));
                let is_read = driver.events().any(|event| event.path == path && is_access(event));
                let shown = scene.timeline.show(&path);
                ensure(is_read, format!("an access of {shown}"), || "none was reported".into())?;
            }
        }
        let plain = |i: usize| format!("plain-{i}");
        driver.perform_in(scene.mode, place, |tree| {
            names.iter().enumerate().try_for_each(|(i, name)| tree.rename(name, plain(i)))
        })?;
        names.iter().try_for_each(|name| driver.saw(moved_from(place.path(name))))?;
        driver.next_step();
        driver.perform_in(scene.mode, place, |tree| {
            names.iter().enumerate().try_for_each(|(i, name)| tree.rename(plain(i), name))
        })?;
        names.iter().try_for_each(|name| driver.saw(moved_to(place.path(name))))?;
        driver.next_step();
        driver.perform_in(scene.mode, place, |tree| {
            names.iter().try_for_each(|name| tree.remove(name))
        })?;
        names.iter().try_for_each(|name| driver.saw(removed_file(place.path(name))))?;
        driver.nothing_else()?;
    }
    if !scene.has(WatchNewFolders) {
        return Ok(());
    }
    for place in &places {
        driver.next_step();
        driver.perform_in(scene.mode, place, |tree| {
            names.iter().try_for_each(|name| {
                tree.mkdir(name)?;
                tree.create(name.as_ref().join("file"))
            })?;
            // If the events are read later, the files are found in a new folder, without events of their own.
            names.iter().try_for_each(|name| {
                let folder = Path::new(AROUND).join(name);
                tree.mkdir_all(&folder)?;
                tree.create(folder.join("file"))
            })
        })?;
        driver.saw(created_folder(place.path(AROUND)))?;
        for name in names {
            for folder in [place.path(name), place.path(AROUND).join(name)] {
                driver.saw(created_folder(&folder))?;
                driver.saw(created_file(folder.join("file")))?;
            }
        }
        driver.nothing_else()?;
    }
    Ok(())
}

#[cfg(unix)]
fn not_utf8() -> Vec<std::ffi::OsString> {
    use std::os::unix::ffi::OsStringExt as _;

    let names: [&[u8]; 3] = [b"\xff\xfe", b"caf\xe9", b"\xf0\x28\x8c\x28"];
    names.into_iter().map(|name| std::ffi::OsString::from_vec(name.into())).collect()
}

#[cfg(not(unix))]
fn not_utf8() -> Vec<std::ffi::OsString> {
    Vec::new()
}

const NOT_UTF8: Case = Case {
    id: "NAME01",
    name: "not_utf8",
    needs: &[WatchFolders],
    environment: &[Environment::NamesOfAnyBytes],
    modes: Mode::ALL,
    checks: "A name that is not UTF-8 is reported byte for byte.",
    why: "notify#790 aborted its application; rust-analyzer#1416, watchdog#811, syncthing#9369.",
    usual_cause: "The name goes through `String`; use `OsStr::from_bytes`.",
    run: |scene| survive(scene, &not_utf8()),
    ..Case::MUST
};

const ODD_CHARACTERS: Case = Case {
    id: "NAME02",
    name: "odd_characters",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: &[Mode::Batched],
    checks: "Line breaks, spaces, characters with a meaning to shells, right-to-left text and \
             four-byte characters are reported unchanged.",
    why: "JetBrains' testLineBreaksInName; gradle's table of characters; chokidar's glob-like \
          filenames.",
    usual_cause: "A name is parsed, quoted or used as a pattern.",
    run: |scene| {
        survive(
            scene,
            &[
                "line\nbreak",
                "tab\there",
                " before",
                "after ",
                "-dash",
                "dot.",
                "#hash",
                "*?[a-z]",
                "{a,b}",
                "$HOME",
                "quo\"te",
                "back\\slash",
                "\u{202e}right-to-left",
                "\u{1f980}",
                "\u{20000}",
                "zero\u{200d}width",
                "%20",
                "~",
                "a:b",
                "\u{7f}",
            ],
        )
    },
    ..Case::MUST
};

const LONG: Case = Case {
    id: "NAME03",
    name: "long",
    needs: &[WatchFolders],
    modes: &[Mode::Batched],
    checks: "Names of the greatest length (255 bytes) are reported: one of them, and 2000.",
    why: "inotify-rs#208: a buffer that is too small for one event is an error; a small one needs one \
          system call per event.",
    usual_cause: "The buffer for the platform's events is smaller than the largest one.",
    run: |scene| {
        let name = |i: usize| format!("{i:04}{}", "x".repeat(251));
        let (mut driver, places) = places::of(scene).watch()?;
        for place in places {
            place.create(name(0))?;
            driver.settle()?;
            driver.saw(created_file(place.path(name(0))))?;
        }
        for i in 1..2000 {
            scene.tree.create(name(i))?;
        }
        driver.settle()?;
        for i in 1..2000 {
            let path = scene.path(name(i));
            if !driver.created_paths().contains(&path) {
                return driver.saw(created_file(path));
            }
        }
        Ok(())
    },
    ..Case::MUST
};

const UNICODE_FORMS: Case = Case {
    id: "NAME04",
    name: "unicode_forms",
    needs: &[WatchFolders],
    modes: Mode::ALL,
    checks: "A name with an accent is reported in the form that it has on disk, composed or not.",
    why: "vscode#29765, atom/watcher#12.",
    usual_cause: "Names are normalised.",
    run: |scene| {
        let composed = "caf\u{e9}-1";
        let decomposed = "cafe\u{301}-2";
        places::of(scene).each(|driver, place| {
            driver.perform_in(scene.mode, place, |tree| {
                tree.create(composed)?;
                tree.create(decomposed)
            })?;
            let listed = place.path("").read_dir();
            let listed = listed.map_err(|error| Stop::Broken(format!("no listing: {error}")))?;
            for entry in listed.flatten() {
                if entry.file_name().as_encoded_bytes().starts_with(b"caf") {
                    driver.saw(created_file(entry.path()))?;
                }
            }
            Ok(())
        })
    },
    ..Case::MUST
};

const LONG_PATH: Case = Case {
    id: "NAME05",
    name: "long_path",
    needs: &[WatchRecursively],
    environment: &[Environment::Linux],
    checks: "A change is reported at a path of almost the greatest length (4095 bytes).",
    why: "gradle's can watch directory with long path.",
    usual_cause: "The buffer for the path has a fixed length.",
    run: |scene| {
        let base = scene.path("").as_os_str().len();
        let parts = (4095 - base - 10) / 201;
        let folder = vec!["x".repeat(200); parts].join("/");
        scene.tree.mkdir_all(&folder)?;
        let mut driver = scene.watch([scene.deep()])?;
        let file = format!("{folder}/file");
        scene.tree.create(&file)?;
        driver.settle()?;
        driver.saw(created_file(&file))
    },
    ..Case::MUST
};

const HIDDEN: Case = Case {
    id: "NAME07",
    name: "hidden",
    needs: &[WatchFolders],
    // A list of names is the same in the other mode, where this takes the longest of all cases.
    modes: &[Mode::Batched, Mode::Concurrent],
    checks: "Names that programs often ignore (`.git`, `.hidden`, `file~`, `node_modules`) are \
             reported like any other.",
    why: "The consumer decides what to ignore.",
    usual_cause: "There is a list of names to ignore.",
    run: |scene| {
        survive(scene, &[".git", ".hidden", "file~", "node_modules", ".DS_Store", "file.swp"])
    },
    ..Case::MUST
};

const OF_WATCHED_FOLDER: Case = Case {
    id: "NAME08",
    name: "of_watched_folder",
    needs: &[WatchFolders],
    environment: &[Environment::Unix],
    modes: Mode::ALL,
    checks: "The name of the watched folder itself may have a line break or a pattern in it, or be a space.",
    why: "The counterpart of NAME02.",
    usual_cause: "The path of the watch is parsed, quoted or trimmed.",
    run: |scene| watch_named(scene, ["line\nbreak", "*", " "]),
    ..Case::MUST
};

const OF_WATCHED_FOLDER_NOT_UTF8: Case = Case {
    id: "NAME09",
    name: "of_watched_folder_not_utf8",
    needs: &[WatchFolders],
    environment: &[Environment::NamesOfAnyBytes],
    modes: Mode::ALL,
    checks: "The name of the watched folder itself may be one that is not UTF-8.",
    why: "The counterpart of NAME01.",
    usual_cause: "The path of the watch goes through `String`.",
    run: |scene| watch_named(scene, not_utf8()),
    ..Case::MUST
};

/// Fails unless a new file is reported in each watched folder that has one of these names.
fn watch_named<N: AsRef<Path>>(scene: &Scene, names: impl IntoIterator<Item = N>) -> Step {
    for name in names {
        scene.tree.mkdir(&name)?;
        let folder = scene.path(&name);
        let mut driver = scene.watch([Watch::non_recursive(&folder)])?;
        driver.perform(scene.mode, |tree| tree.create(folder.join("file")))?;
        driver.saw(created_file(folder.join("file")))?;
    }
    Ok(())
}
