//! Users of the library see nothing of the template.

use std::{fs, process::Command};

use crate::support::{cargo, folder, package_list, passes, repository, scratch};

#[test]
fn package_of_the_library() {
    let list = package_list(repository());
    let allowed = |line: &&str| {
        let generated = ["Cargo.lock", "Cargo.toml", "Cargo.toml.orig", ".cargo_vcs_info.json"];
        let documents = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];
        line.starts_with("src/") || generated.contains(line) || documents.contains(line)
    };
    let others: Vec<_> = list.lines().filter(|line| !allowed(line)).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(list.contains("src/lib.rs"), "{list}");
}

/// If a manifest contained placeholders, cargo would warn every user who depends on the library through git.
#[test]
fn git_dependency() {
    let user = folder("git-dependency");
    let clone = user.join("clone");
    let mut git = Command::new("git");
    passes(git.args(["clone", "--quiet"]).arg(repository()).arg(&clone));

    fs::create_dir_all(user.join("src")).unwrap();
    fs::write(user.join("src/lib.rs"), "pub use notify_backend::Backend;\n").unwrap();
    let url = clone.to_str().unwrap();
    let manifest = format!(
        "[package]\nname = \"user\"\nedition = \"2024\"\n\n[dependencies]\nnotify-backend.git = \"file://{url}\"\n"
    );
    fs::write(user.join("Cargo.toml"), manifest).unwrap();

    // cargo reads every manifest in the repository. Its own cargo home keeps the developer's clean.
    let mut fetch = cargo(&user, &["fetch"]);
    let said = passes(fetch.env("CARGO_HOME", scratch("cargo-home")));
    assert!(said.contains("Adding notify-backend v"), "{said}");
    assert!(!said.contains("warning:") && !said.contains("error:"), "{said}");
}
