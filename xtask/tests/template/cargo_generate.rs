//! The installed cargo-generate makes what `cargo xtask new` makes.

use std::{fs, path::Path, process::Command, process::Stdio};

use crate::support::{STARTS, fails, files, folder, generate, passes, repository};

const NAME: &str = "notify-backend-demo";

#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn same_crate_from_a_folder_and_from_a_repository() {
    for start in STARTS {
        let parent = folder("same");
        let [expected, path, git] = ["xtask", "path", "git"].map(|name| parent.join(name));
        for folder in [&expected, &path, &git] {
            fs::create_dir(folder).unwrap();
        }
        let answers = [&format!("start={start}"), r#"description=Says "Grüße" \o/"#];
        generate(NAME, &expected, &[answers[0], answers[1], "notify_backend_path="]);
        for (source, parent) in [("--path", &path), ("--git", &git)] {
            let mut command = cargo_generate(source, NAME, parent);
            passes(command.args(["-d", answers[0], "-d", answers[1]]));
        }
        let expected = files(&expected);
        assert!(!expected.is_empty());
        assert_eq!(files(&path), expected);
        assert_eq!(files(&git), expected);
    }
}

#[test]
#[ignore = "needs cargo-generate: cargo install cargo-generate --locked"]
fn bad_name_leaves_nothing() {
    let parent = folder("same-bad");
    let said = fails(&mut cargo_generate("--path", "notify-backend-9p", &parent));
    assert!(said.contains("Try again with: --name notify-backend-demo"), "{said}");
    assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
}

/// `cargo generate` as the README has it. What is committed counts for `--git`.
fn cargo_generate(source: &str, name: &str, parent: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.args(["generate", source]).arg(repository()).args(["template", "--silent"]);
    command.args(["--name", name, "--destination"]).arg(parent).stdin(Stdio::null());
    command.env("CARGO_NAME", "Ada").env("CARGO_EMAIL", "ada@example.org");
    command
}
