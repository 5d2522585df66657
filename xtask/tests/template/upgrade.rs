//! `cargo xtask upgrade` brings a newer template to a crate that its author has changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use walkdir::WalkDir;

use crate::support::{fails, files, folder, generate, passes, read, repository, text, xtask};

const NAME: &str = "notify-backend-demo";

/// What an older template had in place of what is there now.
const CHANGES: [(&str, &str, &str); 6] = [
    (
        "Cargo.toml.liquid",
        "metadata.notify-backend-template]\nversion = \"0.1.0\"",
        "metadata.notify-backend-template]\nversion = \"0.0.9\"",
    ),
    (".github/workflows/ci.yml", "cron: \"23 4 * * 1\"", "cron: \"42 5 * * 2\""),
    (
        "src/skeleton/lib.rs",
        "use notify_backend::prelude::*; // (1)",
        "use notify_backend::prelude::*;",
    ),
    ("src/skeleton/lib.rs", "// There is no value of this type yet.", "// Nothing is there."),
    ("README.md", "## Try it", "## Just try it"),
    ("PUBLISHING.md", "# Publishing", "# How to publish"),
];

/// A template as it was, and a crate as that made it: nothing is different but `CHANGES`, a file
/// that is not made any more, and one that was not made yet.
fn older(test: &str) -> (PathBuf, PathBuf) {
    let parent = folder(test);
    let template = parent.join("older");
    for entry in WalkDir::new(repository().join("template")) {
        let entry = entry.unwrap();
        let to = template.join(entry.path().strip_prefix(repository()).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    fs::copy(repository().join("cargo-generate.toml"), template.join("cargo-generate.toml"))
        .unwrap();
    let project = generate(NAME, &parent, &["start=skeleton", "repository=ada"]);
    for (file, now, before) in CHANGES {
        let made = file.replace(".liquid", "").replace("src/skeleton", "src");
        replace(&template.join("template").join(file), now, before);
        replace(&project.join(made), now, before);
    }
    for root in [&template.join("template"), &project] {
        fs::write(root.join("Makefile"), "all:\n\tcargo test\n").unwrap();
        fs::remove_file(root.join("CONTRIBUTING.md")).unwrap();
    }
    (template, project)
}

#[track_caller]
fn replace(file: &Path, from: &str, to: &str) {
    let text = read(file);
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

fn upgrade(project: &Path, from: &str) -> Command {
    xtask(["upgrade", project.to_str().unwrap(), &format!("--from={from}")])
}

/// A crate that nobody has touched becomes what the newer template makes.
#[test]
fn untouched() {
    let (template, project) = older("upgrade-untouched");
    passes(&mut upgrade(&project, template.to_str().unwrap()));
    let fresh = folder("upgrade-fresh");
    let fresh = generate(NAME, &fresh, &["start=skeleton", "repository=ada"]);
    assert_eq!(files(&project), files(&fresh));
    // Nothing is left to do.
    let said = passes(&mut upgrade(&project, repository().to_str().unwrap()));
    assert!(said.contains("The template has nothing new for it."), "{said}");
}

/// What the author has written in other places stays, and what is new comes beside it.
#[test]
fn changed_in_other_places() {
    let (template, project) = older("upgrade-merged");
    let lib = project.join("src/lib.rs");
    let ci = project.join(".github/workflows/ci.yml");
    replace(&lib, "#[derive(Debug)]", "#[derive(Debug, Default)]");
    replace(&ci, "os: [ubuntu-latest]", "os: [freebsd]");
    fs::write(project.join("src/kernel.rs"), "// Mine.\n").unwrap();
    fs::remove_file(project.join("PUBLISHING.md")).unwrap();
    fs::write(project.join("Makefile"), "mine:\n").unwrap();

    let said = passes(&mut upgrade(&project, template.to_str().unwrap()));
    for line in [
        "added     CONTRIBUTING.md",
        "updated   README.md",
        "merged    src/lib.rs",
        "merged    .github/workflows/ci.yml",
        "left out  PUBLISHING.md",
        "kept      Makefile",
    ] {
        assert!(said.contains(line), "no {line:?} in:\n{said}");
    }
    for (file, mine, new) in [
        (&lib, "#[derive(Debug, Default)]", "prelude::*; // (1)"),
        (&ci, "os: [freebsd]", "cron: \"23 4 * * 1\""),
    ] {
        let text = read(file);
        assert!(text.contains(mine) && text.contains(new) && !text.contains("<<<<<<<"), "{text}");
    }
    assert_eq!(read(&project.join("src/kernel.rs")), "// Mine.\n");
    assert_eq!(read(&project.join("Makefile")), "mine:\n");
    assert!(!project.join("PUBLISHING.md").exists());
    assert!(read(&project.join("Cargo.toml")).contains("version = \"0.1.0\"\nstart"));
}

/// Where both have changed the same lines, both are shown, and the command fails.
#[test]
fn changed_in_the_same_places() {
    let (template, project) = older("upgrade-conflict");
    let lib = project.join("src/lib.rs");
    replace(&lib, "// Nothing is there.", "// The next event.");
    fs::write(project.join("CONTRIBUTING.md"), "# My rules\n").unwrap();
    let said = fails(&mut upgrade(&project, template.to_str().unwrap()));
    assert!(said.contains("conflict  src/lib.rs"), "{said}");
    assert!(said.contains("conflict  CONTRIBUTING.md"), "{said}");
    assert!(said.contains("Solve the conflicts"), "{said}");
    let text = read(&lib);
    let (_, conflict) = text.split_once("<<<<<<< yours\n").unwrap();
    let (yours, conflict) = conflict.split_once("=======\n").unwrap();
    let (template, _) = conflict.split_once(">>>>>>> template 0.1.0\n").unwrap();
    assert!(yours.contains("// The next event."), "{text}");
    assert!(template.contains("// There is no value of this type yet."), "{text}");
    // The other change of the template is there.
    assert!(text.contains("prelude::*; // (1)"), "{text}");
}

/// An answer can be changed where the template is the same.
#[test]
fn another_answer() {
    let project = generate(NAME, &folder("upgrade-answer"), &["start=skeleton"]);
    let mut command = upgrade(&project, repository().to_str().unwrap());
    passes(command.args(["-d", "ci=false", "-d", "license=MIT"]));
    let fresh = folder("upgrade-answers");
    let fresh = generate(NAME, &fresh, &["start=skeleton", "ci=false", "license=MIT"]);
    assert_eq!(files(&project), files(&fresh));
}

/// What comes of it depends on what is committed; that the revision is found does not.
#[test]
fn from_a_revision() {
    let project = generate(NAME, &folder("upgrade-revision"), &["start=skeleton"]);
    let said = text(&upgrade(&project, "HEAD").output().unwrap());
    let done = ["The template has nothing new", "Run cargo test,", "Solve the conflicts,"];
    assert!(done.iter().any(|sentence| said.contains(sentence)), "{said}");
}

#[test]
fn what_cannot_be_upgraded() {
    let parent = folder("upgrade-bad");
    let refuses = |mut command: Command, part: &str| {
        let said = fails(&mut command);
        assert!(said.starts_with("error: ") && said.contains(part), "{said}");
    };
    refuses(upgrade(&parent, "HEAD"), "cannot read");
    fs::write(parent.join("Cargo.toml"), "[package]\nname = \"other\"\n").unwrap();
    refuses(upgrade(&parent, "HEAD"), "does not say what template the crate was made from");

    let project = generate(NAME, &parent, &["start=skeleton"]);
    let before = files(&project);
    refuses(upgrade(&project, "v0.0.0-none"), "no revision v0.0.0-none; name the one");
    refuses(upgrade(&project, "--end"), "no revision --end; name the one");
    let mut git = Command::new("git");
    passes(git.args(["init", "--quiet"]).current_dir(&project));
    refuses(upgrade(&project, "HEAD"), "has changes that are not committed");
    assert_eq!(files(&project), before);
}
