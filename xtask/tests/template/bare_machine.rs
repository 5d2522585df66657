//! Where the author comes from, on machines that know nothing and on those with git; and git repositories
//! and workspaces around the crate.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::tempdir;

use crate::support::{folder, manifest, new, passes, read};

const NAME: &str = "notify-backend-demo";

/// Creates a crate on a machine with this environment, no configuration of git, and no terminal.
fn on_machine(environment: &[(&str, &str)], parent: &Path) -> toml::Table {
    let mut command = new(NAME, parent);
    command.env_clear().env("HOME", parent).env("GIT_CONFIG_NOSYSTEM", "1").current_dir(parent);
    passes(command.envs(environment.iter().copied()));
    manifest(&parent.join(NAME))
}

fn authors(environment: &[(&str, &str)]) -> Option<String> {
    let outside = tempdir().unwrap();
    let manifest = on_machine(environment, outside.path());
    let authors = manifest["package"].get("authors")?.as_array()?;
    assert_eq!(authors.len(), 1);
    Some(authors[0].as_str()?.into())
}

#[test]
fn no_user_and_no_git() {
    assert_eq!(authors(&[]), None);
}

#[test]
fn no_user_and_no_identity() {
    assert_eq!(authors(&[("PATH", &env::var("PATH").unwrap())]), None);
}

#[test]
fn user_alone() {
    assert_eq!(authors(&[("USER", "ada")]).as_deref(), Some("ada"));
}

#[test]
fn identity_of_git() {
    let git = [
        ("PATH", env::var("PATH").unwrap()),
        ("USER", "root".into()),
        ("GIT_CONFIG_COUNT", "2".into()),
        ("GIT_CONFIG_KEY_0", "user.name".into()),
        ("GIT_CONFIG_VALUE_0", r#"Ada "Böse" O'Neil \ 艾达"#.into()),
        ("GIT_CONFIG_KEY_1", "user.email".into()),
        ("GIT_CONFIG_VALUE_1", "ada@example.org".into()),
    ];
    let git = git.each_ref().map(|(key, value)| (*key, value.as_str()));
    let expected = r#"Ada "Böse" O'Neil \ 艾达 <ada@example.org>"#;
    assert_eq!(authors(&git).as_deref(), Some(expected));
}

#[test]
fn author_in_the_environment() {
    let given = [("CARGO_NAME", "Grace"), ("CARGO_EMAIL", "grace@example.org"), ("USER", "root")];
    assert_eq!(authors(&given).as_deref(), Some("Grace <grace@example.org>"));
}

#[test]
fn git_repository_outside_of_another() {
    let outside = tempdir().unwrap();
    passes(&mut new(NAME, outside.path()));
    assert!(outside.path().join(NAME).join(".git").is_dir());
}

#[test]
fn no_git_repository_inside_another() {
    let parent = folder("inside");
    let mut git = Command::new("git");
    passes(git.args(["init", "--quiet"]).current_dir(&parent).stdin(Stdio::null()));
    passes(&mut new(NAME, &parent));
    assert!(!parent.join(NAME).join(".git").exists());
}

#[test]
fn workspace_stays_as_it_is() {
    let parent = folder("workspace");
    let text = "# Ours, with a comment.\n[workspace]\nmembers = []\n";
    fs::write(parent.join("Cargo.toml"), text).unwrap();
    passes(&mut new(NAME, &parent));
    assert_eq!(read(&parent.join("Cargo.toml")), text);
    assert!(parent.join(NAME).join("Cargo.toml").exists());
}
