//! The installed cargo-generate makes what `cargo xtask new` makes.

use std::{fs, path::Path, process::Command, process::Stdio};

use crate::support::{STARTS, clone, fails, files, folder, generate, git, passes, read};

const NAME: &str = "notify-backend-demo";

#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn same_crate_from_a_folder_and_from_a_repository() {
    let template = clone("same-template");
    for start in STARTS.iter() {
        let parent = folder("same");
        let [expected, path, git] = ["xtask", "path", "git"].map(|name| parent.join(name));
        for folder in [&expected, &path, &git] {
            fs::create_dir(folder).unwrap();
        }
        let answers = [
            &format!("start={start}"),
            r#"description=Says "Grüße" \o/"#,
            "repository=https://git.example.org/acme/store.git",
            "license=MPL-2.0",
        ];
        generate(NAME, &expected, &[&answers[..], &["notify_backend_path="]].concat());
        for (source, parent) in [("--path", &path), ("--git", &git)] {
            let mut command = cargo_generate(source, &template, NAME, parent);
            passes(command.args(answers.iter().flat_map(|answer| ["-d", answer])));
        }
        let expected = files(&expected);
        assert!(!expected.is_empty());
        assert_eq!(files(&path), expected);
        assert_eq!(files(&git), expected);
    }
}

#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn same_crate_from_a_values_file() {
    let parent = folder("same-values");
    let template = clone("same-values-template");
    let [expected, file] = ["xtask", "file"].map(|name| parent.join(name));
    for folder in [&expected, &file] {
        fs::create_dir(folder).unwrap();
    }
    let answers = ["start=skeleton", "license=none", "ci=false", "notify_backend_path="];
    generate(NAME, &expected, &answers);
    let values = "[values]\nstart = \"skeleton\"\nlicense = \"none\"\nci = false\n";
    fs::write(parent.join("values.toml"), values).unwrap();
    let mut command = cargo_generate("--path", &template, NAME, &file);
    passes(command.arg("--values-file").arg(parent.join("values.toml")));
    assert_eq!(files(&file), files(&expected));
}

/// `--init` writes into the folder itself, and keeps existing files.
#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn into_an_existing_folder() {
    let parent = folder("same-init");
    let template = clone("same-init-template");
    fs::write(parent.join("README.md"), "# Mine\n").unwrap();
    passes(cargo_generate("--path", &template, NAME, &parent).arg("--init"));
    assert_eq!(read(&parent.join("README.md")), "# Mine\n");
    assert!(parent.join("src/lib.rs").exists());
    passes(cargo_generate("--path", &template, NAME, &parent).args(["--init", "--overwrite"]));
    assert!(read(&parent.join("README.md")).starts_with("# notify-backend-demo\n"));
}

/// By default, it adds the crate to the workspace's members, and drops the manifest's comments.
#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn into_a_workspace() {
    let parent = folder("same-member");
    let template = clone("same-member-template");
    fs::write(parent.join("Cargo.toml"), "# Ours.\n[workspace]\nmembers = []\n").unwrap();
    passes(&mut cargo_generate("--path", &template, NAME, &parent));
    let manifest = read(&parent.join("Cargo.toml"));
    assert!(!manifest.contains("# Ours."), "{manifest}");
    assert!(manifest.contains(&format!("\"{NAME}\"")), "{manifest}");
}

#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn into_a_workspace_that_stays_as_it_is() {
    let parent = folder("same-workspace");
    let template = clone("same-workspace-template");
    let manifest = "# Ours.\n[workspace]\nmembers = []\n";
    fs::write(parent.join("Cargo.toml"), manifest).unwrap();
    passes(cargo_generate("--path", &template, NAME, &parent).arg("--no-workspace"));
    assert_eq!(read(&parent.join("Cargo.toml")), manifest);
}

/// It creates a repository, but not inside another.
#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn into_a_repository() {
    let parent = folder("same-inside");
    let template = clone("same-inside-template");
    let outside = tempfile::tempdir().unwrap();
    passes(git(&parent).args(["init", "--quiet"]));
    for (parent, is_made) in [(parent.as_path(), false), (outside.path(), true)] {
        passes(&mut cargo_generate("--path", &template, NAME, parent));
        assert_eq!(parent.join(NAME).join(".git").exists(), is_made);
    }
}

#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn bad_answer_is_refused() {
    let parent = folder("same-answer");
    let template = clone("same-answer-template");
    for answer in ["repository=a b", "license=mit", "ci=maybe", "start=dnotify"] {
        fails(cargo_generate("--path", &template, NAME, &parent).args(["-d", answer]));
        // By then it has created the folder, which stays empty, as the documentation says.
        fs::remove_dir(parent.join(NAME)).unwrap();
    }
}

#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn bad_name_leaves_nothing() {
    let parent = folder("same-bad");
    let template = clone("same-bad-template");
    let said = fails(&mut cargo_generate("--path", &template, "notify-backend-9p", &parent));
    assert!(said.contains("Try: --name notify-backend-demo"), "{said}");
    assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
}

/// Returns `cargo generate` as in the README.
fn cargo_generate(source: &str, template: &Path, name: &str, parent: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.args(["generate", source]).arg(template).args(["template", "--silent"]);
    command.args(["--name", name, "--destination"]).arg(parent).stdin(Stdio::null());
    command.env("CARGO_NAME", "Ada").env("CARGO_EMAIL", "ada@example.org");
    command
}
