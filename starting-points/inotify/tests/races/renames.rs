//! Folders are renamed, and others get their names, before the first event is read.

use std::{
    fs::{self, File},
    path::Path,
    thread,
};

use fastrand::Rng;

use crate::scene::{Scene, assert_nothing_missed};

/// When the backend checks whether a renamed file is a link, a folder has its name.
#[test]
fn a_folder_in_the_place_of_a_file_is_no_link() {
    let mut scene = Scene::with(&[]);
    scene.touch("file");
    scene.rename("file", "name");
    fs::remove_file(scene.path("name")).unwrap();
    fs::create_dir(scene.path("name")).unwrap();
    let name = scene.path("name");
    scene.read_to(&name);
    scene.rename("name", "elsewhere");
    assert_nothing_missed(&scene.touch_and_read("elsewhere/last"));
}

/// Renaming there and back looks like an exchange of two names.
#[test]
fn folder_over_an_empty_one_can_be_renamed_back() {
    let mut scene = Scene::with(&["there", "back"]);
    // The watch of the replaced folder does not end before this is closed.
    let _open = File::open(scene.path("there")).unwrap();
    scene.rename("back", "there");
    scene.rename("there", "back");
    assert_nothing_missed(&scene.touch_and_read("back/last"));
}

/// When the backend looks up the renamed folder, nothing has the name.
#[test]
fn folder_over_an_empty_one_can_be_renamed_on() {
    let mut scene = Scene::with(&["empty"]);
    let _open = File::open(scene.path("empty")).unwrap();
    fs::create_dir(scene.path("new")).unwrap();
    scene.rename("new", "empty");
    scene.rename("empty", "on");
    assert_nothing_missed(&scene.touch_and_read("on/last"));
}

/// The destination is not watched by then, so no event says where the folder went.
#[test]
fn removal_after_a_reported_move_is_reported() {
    let mut scene = Scene::with(&["folder"]);
    scene.touch("folder/file");
    scene.settle();
    fs::create_dir(scene.path("new")).unwrap();
    scene.rename("folder", "new/folder");
    let folder = scene.path("new/folder");
    scene.read_to(&folder);
    fs::remove_file(folder.join("file")).unwrap();
    let events = scene.touch_and_read("last");
    assert!(events.iter().any(|event| event.path.starts_with(&folder)), "{events:#?}");
}

/// Every combination of changes occurs in some of the rounds.
#[test]
fn many_threads_rename_without_a_loss() {
    for round in 0..60 {
        let mut scene = Scene::new();
        let last = scene.path("last");
        let top = scene.path("");
        let changes = || {
            thread::scope(|scope| {
                for thread in 0..8 {
                    let top = &top;
                    scope.spawn(move || {
                        change_at_random(top, Rng::with_seed(round * 8 + thread));
                    });
                }
            });
            File::create(&last).unwrap();
        };
        assert_nothing_missed(&scene.read_during(changes, &last));
    }
}

/// Few names, so that the changes of several threads meet; many of them fail.
fn change_at_random(top: &Path, mut rng: Rng) {
    let path = |rng: &mut Rng| {
        let mut path = top.to_owned();
        for _ in 0..=rng.u8(0..3) {
            path.push(rng.char('a'..='e').to_string());
        }
        path
    };
    for _ in 0..60 {
        let place = path(&mut rng);
        _ = match rng.u8(0..8) {
            0 | 1 => File::create(&place).map(drop),
            2 | 3 => fs::create_dir(&place),
            4 | 5 => fs::rename(&place, path(&mut rng)),
            6 => fs::remove_file(&place).or_else(|_| fs::remove_dir(&place)),
            _ => fs::remove_dir_all(&place),
        };
    }
}
