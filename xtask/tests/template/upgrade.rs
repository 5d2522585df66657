//! `cargo xtask upgrade` applies a newer template to a crate that its author has changed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{clone, commit, fails, files, folder, generate, git, passes, read, xtask_of};

pub(crate) const NAME: &str = "notify-backend-demo";

const ANSWERS: [&str; 3] = ["start=skeleton", "repository=ada", "notify_backend_path="];

/// The differences of the older template: the file, its text now, and its text then.
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

/// Returns a clone of this repository, and a crate made from an older template, which has the tag `v0.0.9`
/// there. The older template differs by `CHANGES`, a file that has been removed since, and one that has been
/// added. The crate depends on the published library.
pub(crate) fn older(test: &str) -> (PathBuf, PathBuf) {
    let clone = clone(&format!("{test}-clone"));
    for (file, now, before) in CHANGES {
        replace(&clone.join("template").join(file), now, before);
    }
    fs::write(clone.join("template/Makefile"), "all:\n\tcargo test\n").unwrap();
    fs::remove_file(clone.join("template/CONTRIBUTING.md")).unwrap();
    commit(&clone);
    passes(git(&clone).args(["tag", "v0.0.9"]));

    let project = made_in(&clone, &folder(test));
    passes(git(&clone).args(["revert", "--no-edit", "HEAD"]));
    (clone, project)
}

/// Generates a crate from the template of a clone.
pub(crate) fn made_in(clone: &Path, parent: &Path) -> PathBuf {
    let mut new = xtask_of(clone, ["new", NAME, "--destination", parent.to_str().unwrap()]);
    passes(new.args(ANSWERS.iter().flat_map(|answer| ["-d", answer])));
    parent.join(NAME)
}

#[track_caller]
pub(crate) fn replace(file: &Path, from: &str, to: &str) {
    let text = read(file);
    assert_eq!(text.matches(from).count(), 1, "{from:?} in {}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

/// Returns the command that upgrades a crate to the template of a clone.
pub(crate) fn upgrade(clone: &Path, project: &Path) -> Command {
    xtask_of(clone, ["upgrade", project.to_str().unwrap()])
}

/// An unchanged crate becomes the one that the newer template makes.
#[test]
fn untouched() {
    let (clone, project) = older("upgrade-untouched");
    passes(&mut upgrade(&clone, &project));
    let fresh = made_in(&clone, &folder("upgrade-fresh"));
    assert_eq!(files(&project), files(&fresh));
    // A second upgrade changes nothing.
    let said = passes(upgrade(&clone, &project).args(["--from", "HEAD"]));
    assert!(said.contains("The template has nothing new for this crate."), "{said}");
}

/// `--from` names the older template: by a revision, or by a folder with a checkout.
#[test]
fn from_elsewhere() {
    let (clone, project) = older("upgrade-elsewhere");
    let older = folder("upgrade-elsewhere-older");
    passes(git(&clone).args(["worktree", "add", "--quiet"]).arg(&older).arg("v0.0.9"));
    passes(git(&clone).args(["tag", "--delete", "v0.0.9"]));
    let said = fails(&mut upgrade(&clone, &project));
    assert!(said.contains("no revision v0.0.9; name the one"), "{said}");

    let another = made_in(&older, &folder("upgrade-elsewhere-another"));
    passes(upgrade(&clone, &project).args(["--from", "HEAD~1"]));
    passes(upgrade(&clone, &another).arg("--from").arg(&older));
    let fresh = made_in(&clone, &folder("upgrade-elsewhere-fresh"));
    assert_eq!(files(&project), files(&fresh));
    assert_eq!(files(&another), files(&fresh));
}

/// An option answers a question that is new in the template.
#[test]
fn a_new_question() {
    let (clone, project) = older("upgrade-question");
    let configuration = clone.join("cargo-generate.toml");
    let question =
        "\n[placeholders.motto]\ntype = \"string\"\nprompt = \"Motto?\"\ndefault = \"Soon\"\n";
    fs::write(&configuration, read(&configuration) + question).unwrap();
    replace(&clone.join("template/README.md"), "## Try it", "{{ motto }}\n\n## Try it");
    passes(upgrade(&clone, &project).args(["-d", "motto=Now"]));
    let readme = read(&project.join("README.md"));
    assert!(readme.contains("Now\n\n## Try it"), "{readme}");
}

/// Changes of the author in other places are kept.
#[test]
fn changed_in_other_places() {
    let (clone, project) = older("upgrade-merged");
    let lib = project.join("src/lib.rs");
    let ci = project.join(".github/workflows/ci.yml");
    replace(&lib, "#[derive(Debug)]", "#[derive(Debug, Default)]");
    replace(&ci, "os: [ubuntu-latest]", "os: [freebsd]");
    fs::write(project.join("src/kernel.rs"), "// Mine.\n").unwrap();
    fs::remove_file(project.join("PUBLISHING.md")).unwrap();
    fs::write(project.join("Makefile"), "mine:\n").unwrap();

    let said = passes(&mut upgrade(&clone, &project));
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

/// If both have changed the same lines, both versions are shown, and the command fails.
#[test]
fn changed_in_the_same_places() {
    let (clone, project) = older("upgrade-conflict");
    let lib = project.join("src/lib.rs");
    replace(&lib, "// Nothing is there.", "// The next event.");
    fs::write(project.join("CONTRIBUTING.md"), "# My rules\n").unwrap();
    let said = fails(&mut upgrade(&clone, &project));
    assert!(said.contains("conflict  src/lib.rs"), "{said}");
    assert!(said.contains("conflict  CONTRIBUTING.md"), "{said}");
    assert!(said.contains("Resolve the conflicts"), "{said}");
    let text = read(&lib);
    let (_, conflict) = text.split_once("<<<<<<< yours\n").unwrap();
    let (yours, conflict) = conflict.split_once("=======\n").unwrap();
    let (template, _) = conflict.split_once(">>>>>>> template 0.1.0\n").unwrap();
    assert!(yours.contains("// The next event."), "{text}");
    assert!(template.contains("// There is no value of this type yet."), "{text}");
    // The template's other change is applied.
    assert!(text.contains("prelude::*; // (1)"), "{text}");
}

/// An answer can be changed although the template is the same.
#[test]
fn another_answer() {
    let clone = clone("upgrade-answer-clone");
    let project = made_in(&clone, &folder("upgrade-answer"));
    let mut command = upgrade(&clone, &project);
    passes(command.args(["--from", "HEAD", "-d", "ci=false", "-d", "license=MIT"]));
    let fresh = folder("upgrade-answers");
    let answers = [&ANSWERS[..], &["ci=false", "license=MIT"]].concat();
    let fresh = generate(NAME, &fresh, &answers);
    assert_eq!(files(&project), files(&fresh));
}

#[test]
fn what_cannot_be_upgraded() {
    let parent = folder("upgrade-bad");
    let clone = clone("upgrade-bad-clone");
    let refuses = |from: &str, project: &Path, part: &str| {
        let said = fails(upgrade(&clone, project).arg(format!("--from={from}")));
        assert!(said.starts_with("error: ") && said.contains(part), "{said}");
    };
    refuses("HEAD", &parent, "cannot read");
    fs::write(parent.join("Cargo.toml"), "[package]\nname = \"other\"\n").unwrap();
    refuses("HEAD", &parent, "does not say which template the crate was made from");

    let project = made_in(&clone, &parent);
    let before = files(&project);
    refuses("v0.0.0-none", &project, "no revision v0.0.0-none; name the one");
    refuses("--end", &project, "no revision --end; name the one");
    passes(git(&project).args(["init", "--quiet"]));
    refuses("HEAD", &project, "has uncommitted changes");
    assert_eq!(files(&project), before);
}
