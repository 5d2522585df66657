//! What is both found and reported by the platform is said once.

use proptest::{collection, prelude::*, sample::select};

use super::*;

/// What happens to a file of a new folder.
#[derive(Clone, Debug)]
enum Happening {
    Create(&'static str),
    Remove(&'static str),
    /// The scan has a few steps' time.
    Step,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let name = select(&["a", "b", "c"][..]);
    let one = prop_oneof![
        2 => name.clone().prop_map(Happening::Create),
        1 => name.prop_map(Happening::Remove),
        1 => Just(Happening::Step),
    ];
    collection::vec(one, 0..12)
}

/// What somebody knows who believes each report.
#[derive(Default)]
struct Reader {
    files: BTreeSet<PathBuf>,
}

impl Reader {
    fn is_told(&mut self, report: &str) -> Result<(), TestCaseError> {
        let file = report.strip_prefix("File ").expect(report);
        prop_assert!(self.files.insert(file.into()), "{} was reported already", file);
        Ok(())
    }
}

/// The platform, which reports what has happened in the folder since it is watched.
struct Platform<'a> {
    top: &'a Folder,
    reports: Vec<(bool, &'static str)>,
}

impl Platform<'_> {
    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Create(name) => {
                if fs::File::create_new(self.top.at("new").join(name)).is_ok() {
                    self.reports.push((true, name));
                }
            }
            Happening::Remove(name) => {
                if fs::remove_file(self.top.at("new").join(name)).is_ok() {
                    self.reports.push((false, name));
                }
            }
            Happening::Step => {}
        }
    }

    /// What the backend does with the reports.
    fn deliver(&mut self, scene: &mut Scene, reader: &mut Reader) -> Result<(), TestCaseError> {
        let id = scene.tree.id(scene.node("new")).unwrap();
        for (is_created, name) in self.reports.drain(..) {
            if !is_created {
                scene.scan.forget(id, name.as_ref());
                reader.files.remove(&Path::new("new").join(name));
            } else if !scene.scan.is_repeated(id, name.as_ref()) {
                reader.is_told(&format!("File new/{name}"))?;
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever happens before the folder is watched, while it is listed and afterwards: a reader
    /// knows in the end what is there, and was told of nothing twice.
    #[test]
    fn a_reader_is_told_of_each_file_once(
        before in happenings(),
        meanwhile in happenings(),
        unread in happenings(),
        after in happenings(),
    ) {
        let top = Folder::with(&[]);
        let mut scene = Scene::new(&top);
        let mut platform = Platform { top: &top, reports: Vec::new() };
        let mut reader = Reader::default();
        top.make("new");
        for happening in &before {
            platform.happen(happening);
        }
        platform.reports.clear();

        scene.appears("", "new");
        let mut found = Vec::new();
        for happening in &meanwhile {
            platform.happen(happening);
            if matches!(happening, Happening::Step) {
                scene.step(2, &mut found);
            }
        }
        found.extend(scene.scan());
        for found in found {
            reader.is_told(&found)?;
        }
        // The reports that were read before the scan are through; those that came since are not.
        scene.scan.settle();
        for happening in &unread {
            platform.happen(happening);
        }
        platform.deliver(&mut scene, &mut reader)?;
        scene.scan.settle();
        for happening in &after {
            platform.happen(happening);
        }
        platform.deliver(&mut scene, &mut reader)?;

        let there: BTreeSet<PathBuf> = (fs::read_dir(top.at("new")).unwrap())
            .map(|entry| Path::new("new").join(entry.unwrap().file_name()))
            .collect();
        prop_assert_eq!(reader.files, there);
    }
}

/// A new folder with one file, which was found.
fn found(top: &Folder, scene: &mut Scene) -> u32 {
    top.make("new");
    top.touch("new/file");
    scene.appears("", "new");
    assert_eq!(scene.scan(), ["File new/file"]);
    scene.tree.id(scene.node("new")).unwrap()
}

#[test]
fn a_report_of_what_was_found_is_repeated_once() {
    let top = Folder::with(&[]);
    let mut scene = Scene::new(&top);
    let id = found(&top, &mut scene);
    assert!(!scene.scan.is_repeated(id + 1, "file".as_ref()));
    assert!(!scene.scan.is_repeated(id, "other".as_ref()));
    assert!(scene.scan.is_repeated(id, "file".as_ref()));
    assert!(!scene.scan.is_repeated(id, "file".as_ref()));
}

#[test]
fn what_went_away_can_be_created_anew() {
    let top = Folder::with(&[]);
    let mut scene = Scene::new(&top);
    let id = found(&top, &mut scene);
    scene.scan.forget(id, "file".as_ref());
    assert!(!scene.scan.is_repeated(id, "file".as_ref()));
}

/// It may be among the reports that had not been read when the scan was done, but not among later
/// ones.
#[test]
fn a_report_can_be_repeated_until_the_second_settling() {
    let top = Folder::with(&[]);
    let mut scene = Scene::new(&top);
    let id = found(&top, &mut scene);
    scene.scan.settle();
    scene.scan.settle();
    assert!(!scene.scan.is_repeated(id, "file".as_ref()));
}

#[test]
fn nothing_is_known_to_be_repeated_after_a_loss() {
    let top = Folder::with(&[]);
    let mut scene = Scene::new(&top);
    let id = found(&top, &mut scene);
    scene.scan.lose();
    assert!(!scene.scan.is_repeated(id, "file".as_ref()));
}
