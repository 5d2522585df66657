//! Upgrades of a crate whose files git or an editor has converted to the line endings of Windows.

use std::{fs, path::Path};

use crate::{
    support::{commit, fails, files, folder, git, passes, read},
    upgrade::{made_in, older, replace, upgrade},
};

fn to_windows(text: &str) -> String {
    text.replace('\n', "\r\n")
}

/// All files become those of the newer template, with the crate's line endings.
#[test]
fn untouched() {
    let (clone, project) = older("windows-untouched");
    passes(git(&project).args(["init", "--quiet"]));
    commit(&project);
    passes(git(&project).args(["config", "core.autocrlf", "true"]));
    for (path, _) in files(&project) {
        fs::remove_file(project.join(path)).unwrap();
    }
    passes(git(&project).args(["checkout", "--quiet", "."]));
    assert!(read(&project.join("README.md")).contains("\r\n"));

    let said = passes(&mut upgrade(&clone, &project));
    assert!(!said.contains("merged") && !said.contains("conflict"), "{said}");
    let fresh = files(&made_in(&clone, &folder("windows-fresh")));
    let fresh = fresh.into_iter().map(|(path, text)| (path, to_windows(&text)));
    assert_eq!(files(&project), fresh.collect::<Vec<_>>());
}

/// A file keeps its line endings, even if the other files have different ones.
#[test]
fn changed() {
    let (clone, project) = older("windows-changed");
    let lib = project.join("src/lib.rs");
    to_windows_in(&lib);
    replace(&lib, "#[derive(Debug)]", "#[derive(Debug, Default)]");
    let readme = project.join("README.md");
    to_windows_in(&readme);
    replace(&readme, "## Just try it", "## Try");
    let said = fails(&mut upgrade(&clone, &project));
    assert!(said.contains("merged    src/lib.rs"), "{said}");
    assert!(said.contains("conflict  README.md"), "{said}");
    for (file, parts) in [
        (&lib, &["#[derive(Debug, Default)]", "prelude::*; // (1)"][..]),
        (&readme, &["<<<<<<< yours\r\n## Try\r\n=======\r\n## Try it\r\n>>>>>>> template"]),
    ] {
        let text = read(file);
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        assert_eq!(text, to_windows(&text.replace('\r', "")));
    }
    assert!(!read(&project.join("CONTRIBUTING.md")).contains('\r'));
}

fn to_windows_in(file: &Path) {
    fs::write(file, to_windows(&read(file))).unwrap();
}
