//! What is found before the reports are through that are older.

use super::*;

/// Ids of folders are smaller.
const FIRST_MARK: u32 = 1000;

fn scene<'a>(top: &Folder) -> Scene<'a> {
    let mut scene = Scene::walked(top.path().to_owned(), FakeWatcher::with_marks(FIRST_MARK));
    // That of the walk.
    assert_eq!(pass(&mut scene, FIRST_MARK), Some(Vec::new()));
    scene
}

/// A report comes that may be a mark. Returns what was held back, if it is.
fn pass(scene: &mut Scene, id: u32) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let Scene { top, tree, scan, watcher, .. } = scene;
    scan.pass(id, tree, watcher, |it| found.push(text(top, it))).then_some(found)
}

/// A report comes about an entry of a folder.
fn hear(scene: &mut Scene, folder: &str, name: &str) -> Vec<String> {
    let id = scene.tree.id(scene.node(folder)).unwrap();
    let mut found = Vec::new();
    let Scene { top, tree, scan, watcher, .. } = scene;
    scan.hear(id, name.as_ref(), tree, watcher, |it| found.push(text(top, it)));
    found
}

/// A folder was made and renamed, and another one is in its place when the first report is looked at.
fn renamed_and_made_anew<'a>(top: &Folder) -> Scene<'a> {
    let mut scene = scene(top);
    top.make("d/of-the-first");
    top.rename("d", "e");
    top.make("d/sub/deep");
    top.touch("d/file");
    scene.appears("", "d");
    assert!(scene.scan().is_empty());
    scene
}

/// Those with others in them are looked at once more when all is listed.
#[test]
fn a_walk_is_ahead_with_folders_that_have_others_in_them_and_unsure_of_the_rest() {
    let top = Folder::with(&["a/b"]);
    let mut scene = Scene::walked(top.path().to_owned(), FakeWatcher::with_marks(FIRST_MARK));
    let [a, b] = ["a", "a/b"].map(|path| scene.node(path));
    assert!(scene.scan.is_ahead(a) && !scene.scan.is_unsure(a));
    assert!(scene.scan.is_unsure(b) && !scene.scan.is_ahead(b));
    pass(&mut scene, FIRST_MARK);
    assert!([a, b].iter().all(|&it| !scene.scan.is_ahead(it) && !scene.scan.is_unsure(it)));
}

#[test]
fn what_is_found_is_held_back_until_the_mark_comes() {
    let top = Folder::with(&[]);
    let mut scene = renamed_and_made_anew(&top);
    assert_eq!(pass(&mut scene, FIRST_MARK), None);
    let found = pass(&mut scene, FIRST_MARK + 1).unwrap();
    assert_eq!(sorted(found), ["File d/file", "Folder d/sub", "Folder d/sub/deep"]);
    assert_eq!(pass(&mut scene, FIRST_MARK + 1), None);
    scene.assert_right();
}

#[test]
fn reports_until_then_are_about_another_folder() {
    let top = Folder::with(&[]);
    let mut scene = renamed_and_made_anew(&top);
    let found = [scene.node("d"), scene.node("d/sub")];
    assert!(found.iter().all(|&folder| scene.scan.is_ahead(folder)));
    pass(&mut scene, FIRST_MARK + 1);
    assert!(!found.iter().any(|&folder| scene.scan.is_ahead(folder)));
}

#[test]
fn reports_after_the_next_mark_but_before_that_of_a_folder_are_about_another_one() {
    let top = Folder::with(&[]);
    let mut scene = renamed_and_made_anew(&top);
    top.make("later");
    top.touch("later/file");
    scene.appears("", "later");
    scene.scan();
    pass(&mut scene, FIRST_MARK + 1);
    assert!(!scene.scan.is_ahead(scene.node("d")));
    assert!(scene.scan.is_ahead(scene.node("later")));
    assert_eq!(pass(&mut scene, FIRST_MARK + 2).unwrap(), ["File later/file"]);
}

#[test]
fn a_mark_that_was_lost_is_made_up_for_by_the_next_one() {
    let top = Folder::with(&[]);
    let mut scene = renamed_and_made_anew(&top);
    top.make("later");
    scene.appears("", "later");
    scene.scan();
    assert_eq!(pass(&mut scene, FIRST_MARK + 2).unwrap().len(), 3);
    assert!(!scene.scan.is_ahead(scene.node("d")));
}

#[test]
fn what_was_found_above_a_folder_is_older_than_a_report_from_there() {
    let top = Folder::with(&[]);
    let mut scene = renamed_and_made_anew(&top);
    top.make("other/sub");
    scene.appears("", "other");
    scene.scan();
    assert_eq!(
        sorted(hear(&mut scene, "d/sub", "other")),
        ["File d/file", "Folder d/sub", "Folder d/sub/deep"]
    );
    assert!(hear(&mut scene, "d", "other").is_empty());
    assert!(hear(&mut scene, "", "other").is_empty());
    assert_eq!(hear(&mut scene, "other", "other"), ["Folder other/sub"]);
    assert_eq!(pass(&mut scene, FIRST_MARK + 2), Some(Vec::new()));
}

/// It may have been renamed since, as the reports are about to say.
#[test]
fn a_folder_that_leaves_while_it_is_listed_is_not_ahead_of_that_report() {
    let top = Folder::with(&[]);
    let mut scene = left_while_listed(&top);
    assert!(scene.scan().is_empty());
    assert!(!scene.scan.is_ahead(scene.node("d")));
}

#[test]
fn a_report_may_be_about_a_folder_that_leaves_while_it_is_listed_or_about_an_older_one() {
    let top = Folder::with(&[]);
    let mut scene = left_while_listed(&top);
    scene.scan();
    let d = scene.node("d");
    assert!(scene.scan.is_unsure(d));
    pass(&mut scene, FIRST_MARK + 1);
    assert!(!scene.scan.is_unsure(d));
}

#[test]
fn of_a_folder_that_stays_it_is_sure_which_reports_are_about_it() {
    let top = Folder::with(&[]);
    let mut scene = renamed_and_made_anew(&top);
    assert!(!scene.scan.is_unsure(scene.node("d")));
    pass(&mut scene, FIRST_MARK + 1);
    assert!(!scene.scan.is_unsure(scene.node("d")));
}

/// A folder is renamed, and gets a file, between being opened and listed.
fn left_while_listed<'a>(top: &Folder) -> Scene<'a> {
    let mut scene = scene(top);
    top.make("d");
    top.touch("d/old");
    scene.appears("", "d");
    top.rename("d", "e");
    top.touch("e/new");
    scene
}

#[test]
fn what_a_renamed_folder_got_elsewhere_is_said_of_its_new_place() {
    let top = Folder::with(&[]);
    let mut scene = left_while_listed(&top);
    assert!(scene.scan().is_empty());
    // A report of the time before.
    assert_eq!(hear(&mut scene, "d", "old"), ["File d/old"]);
    let d = scene.node("d");
    scene.tree.attach(d, scene.root, "e".as_ref());
    assert_eq!(pass(&mut scene, FIRST_MARK + 1).unwrap(), ["File e/new"]);
}

#[test]
fn what_was_found_in_a_moving_folder_waits_for_its_new_place() {
    let top = Folder::with(&[]);
    let mut scene = left_while_listed(&top);
    assert!(scene.scan().is_empty());
    let d = scene.node("d");
    scene.tree.detach(d);
    assert_eq!(pass(&mut scene, FIRST_MARK + 1), Some(Vec::new()));
    scene.tree.attach(d, scene.root, "e".as_ref());
    scene.scan.verify(scene.tree.id(d).unwrap());
    assert_eq!(sorted(scene.scan()), ["File e/new", "File e/old"]);
}

#[test]
fn nothing_is_held_back_of_a_folder_that_was_removed() {
    let top = Folder::with(&[]);
    let mut scene = renamed_and_made_anew(&top);
    let d = scene.node("d");
    scene.tree.remove(d);
    assert_eq!(pass(&mut scene, FIRST_MARK + 1), Some(Vec::new()));
}

#[test]
fn after_a_loss_nothing_is_held_back() {
    let top = Folder::with(&[]);
    let mut scene = renamed_and_made_anew(&top);
    scene.scan.lose();
    assert_eq!(scene.scan().len(), 3);
    assert!(!scene.scan.is_ahead(scene.node("d")));
    assert_eq!(pass(&mut scene, FIRST_MARK + 1), None);
}

/// A folder has been renamed, and one that was made in it cannot be found under its old path.
fn made_in_a_renamed_one<'a>(top: &Folder) -> Scene<'a> {
    let mut scene = scene(top);
    top.make("a/new");
    top.rename("a", "b");
    scene.appears("a", "new");
    scene.scan();
    assert_eq!(scene.found(), set(["", "a"]));
    scene
}

#[test]
fn what_has_to_wait_for_a_rename_is_done_when_the_mark_comes() {
    let top = Folder::with(&["a"]);
    let mut scene = made_in_a_renamed_one(&top);
    scene.scan.settle();
    assert!(!scene.scan.is_active());
    let a = scene.node("a");
    scene.tree.attach(a, scene.root, "b".as_ref());
    assert_eq!(pass(&mut scene, FIRST_MARK + 1), Some(Vec::new()));
    assert!(!scene.scan.is_mistaken());
    scene.scan();
    assert_eq!(scene.found(), set(["", "b", "b/new"]));
}

#[test]
fn a_tree_is_mistaken_if_no_rename_was_reported() {
    let top = Folder::with(&["a"]);
    let mut scene = made_in_a_renamed_one(&top);
    pass(&mut scene, FIRST_MARK + 1);
    assert!(scene.scan.is_mistaken());
    scene.scan.lose();
    assert!(!scene.scan.is_mistaken());
    scene.scan.compare(scene.root);
    scene.scan();
    assert_eq!(scene.found(), set(["", "b", "b/new"]));
    scene.assert_right();
}

#[test]
fn a_folder_that_is_back_in_its_place_is_no_mistake() {
    let top = Folder::with(&["a"]);
    let mut scene = made_in_a_renamed_one(&top);
    top.rename("b", "a");
    pass(&mut scene, FIRST_MARK + 1);
    assert!(!scene.scan.is_mistaken());
    scene.scan();
    assert_eq!(scene.found(), set(["", "a", "a/new"]));
}

#[test]
fn a_folder_that_was_reported_back_and_is_away_again_waits_for_another_mark() {
    let top = Folder::with(&["a"]);
    let mut scene = made_in_a_renamed_one(&top);
    let a = scene.node("a");
    scene.tree.attach(a, scene.root, "b".as_ref());
    scene.tree.attach(a, scene.root, "a".as_ref());
    pass(&mut scene, FIRST_MARK + 1);
    assert!(!scene.scan.is_mistaken());
    scene.scan();
    pass(&mut scene, FIRST_MARK + 2);
    assert!(scene.scan.is_mistaken());
}
