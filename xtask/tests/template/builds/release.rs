//! A release from the tag to a program that depends on the published crates and nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use registry::Registry;

use crate::{
    builds::publish::target,
    jobs::Job,
    support::{
        cargo, commit, copy_files, fails, folder, git, passes, read, with_address, xtask_of,
    },
};

/// Set in one place, and needed in every published crate.
const ADDRESS: &str = "https://example.org/ada/notify-backend";

const PROGRAM: &str = r#"
use notify::{RecursiveMode, Watcher};
use notify_backend_native::recommended_watcher;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (sender, events) = std::sync::mpsc::channel();
    let mut watcher = recommended_watcher(sender)?;
    watcher.watch("watched".as_ref(), RecursiveMode::Recursive)?;
    std::fs::write("watched/new", "")?;
    let about = watcher.about().unwrap();
    println!("{}: {:?}", about.name, events.recv()??.kind);
    Ok(())
}
"#;

/// The commit that a tag names.
fn tagged(parent: &Path) -> PathBuf {
    let checkout = parent.join("checkout");
    copy_files(&["."], &checkout);
    let changelog = checkout.join("CHANGELOG.md");
    let text = read(&changelog).replacen("## Unreleased", "## 0.1.0", 1);
    fs::write(&changelog, text).unwrap();
    with_address(&checkout, ADDRESS);
    passes(git(&checkout).args(["init", "--quiet"]));
    commit(&checkout);
    checkout
}

/// The badge and the recording are shown once there is an address; both are those of the release. A backend is called
/// official if its score cards show that it passes the suite.
#[test]
fn pictures_and_names_of_published_crates() {
    let checkout = folder("staged");
    copy_files(&["."], &checkout);
    let readme_of = |name: &str| {
        read(&checkout.join(format!("target/published/notify-backend-{name}/README.md")))
    };
    passes(&mut xtask_of(&checkout, ["release", "--stage"]));
    assert!(!readme_of("fanotify").contains("docs/badges"), "there is no address");
    let is_named = |name: &str, start: &str| {
        let source = format!("target/published/notify-backend-{start}/src/lib.rs");
        read(&checkout.join(source)).contains(&format!("\"{name}/{start}\""))
    };
    assert!(is_named("official", "fanotify"));
    assert!(is_named("notify-backend", "fsevents"), "it is not in the list");

    with_address(&checkout, ADDRESS);
    let list = checkout.join("docs/backends.toml");
    let text =
        read(&list).replace("lacks = [", "lacks = [\"1: the MUST cases ROOT01 do not pass\", ");
    fs::write(&list, text).unwrap();
    passes(&mut xtask_of(&checkout, ["release", "--stage"]));
    let fanotify = readme_of("fanotify");
    let badge = format!("{ADDRESS}/raw/v0.1.0/docs/badges/notify-backend-fanotify.svg");
    let badge = format!(")\n[![compliance]({badge})]({ADDRESS}/blob/v0.1.0/BACKENDS.md)\n\n");
    assert!(fanotify.contains(&badge), "{fanotify}");
    let recording = format!("]({ADDRESS}/raw/v0.1.0/docs/recordings/fanotify.svg)\n\n## Use it\n");
    assert!(fanotify.contains(&recording), "{fanotify}");
    assert!(is_named("notify-backend", "fanotify"), "it lacks a criterion");
    // It is not in the list, and there is no recording of it.
    let fsevents = readme_of("fsevents");
    assert!(!fsevents.contains(ADDRESS), "{fsevents}");
}

#[test]
#[ignore = "takes long: everything published is built and tested"]
fn from_the_tag_to_a_program() {
    let parent = folder("rehearsal");
    let registry = Registry::start();
    let home = parent.join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("config.toml"), registry.configuration()).unwrap();
    let environment = [("CARGO_HOME", home.clone()), ("CARGO_BUILD_BUILD_DIR", target())];
    let checkout = tagged(&parent);
    let output = parent.join("output");
    let variables =
        vec![("GITHUB_REF_NAME", "v0.1.0"), ("GITHUB_OUTPUT", output.to_str().unwrap())];
    Job { environment: variables, ..Job::of(&checkout, "release.yml", "agree") }.passes();
    let workflow = read(&checkout.join(".github/workflows/release.yml"));
    assert!(workflow.contains("run: cargo +stable xtask release\n"), "{workflow}");
    let release = || {
        let mut command = xtask_of(&checkout, ["release", "--", "files::created"]);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_REGISTRY_TOKEN", "none");
        command
    };

    // It fails half-way; the next run skips what is published.
    registry.refuse_once("notify-backend-inotify");
    let said = fails(&mut release());
    assert!(said.contains("notify-backend 0.1.0: published\n"), "{said}");
    assert!(!said.contains("notify-backend-inotify 0.1.0: published"), "{said}");
    let said = passes(&mut release());
    assert!(said.contains("notify-backend 0.1.0: published already\n"), "{said}");
    assert!(said.contains("notify-backend-inotify 0.1.0: published\n"), "{said}");
    assert!(said.contains("notify-backend-native 0.1.0: published\n"), "{said}");

    let program = parent.join("program");
    let said = passes(&mut program_of(&program, &environment));
    if cfg!(target_os = "linux") {
        assert!(said.contains("official/inotify: Create(File)"), "{said}");
    }
    assert_published(&program, &home);

    // Other content needs another version.
    let source = checkout.join("src/lib.rs");
    fs::write(&source, read(&source) + "// Changed.\n").unwrap();
    commit(&checkout);
    let said = fails(&mut release());
    let expected = "notify-backend 0.1.0 is published with other content (src/lib.rs)";
    assert!(said.contains(expected), "{said}");
}

/// Returns the command that runs a program with the choice among the backends.
fn program_of(program: &Path, environment: &[(&str, PathBuf)]) -> Command {
    fs::create_dir_all(program.join("src")).unwrap();
    fs::create_dir(program.join("watched")).unwrap();
    fs::write(program.join("src/main.rs"), PROGRAM).unwrap();
    let manifest = "[package]
name = \"program\"
edition = \"2024\"

[dependencies]
notify = \"8.2\"
notify-backend-native = { version = \"0.1.0\", features = [\"notify\"] }
";
    fs::write(program.join("Cargo.toml"), manifest).unwrap();
    let mut command = cargo(program, &["run"]);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command
}

/// Asserts that all our crates in a program came from the registry, each backend stamped with its origin.
fn assert_published(program: &Path, home: &Path) {
    let lock: toml::Table = toml::from_str(&read(&program.join("Cargo.lock"))).unwrap();
    let ours = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| package["name"].as_str().unwrap().starts_with("notify-backend"));
    let mut names = vec![];
    for package in ours {
        assert!(package["source"].as_str().unwrap().starts_with("registry+"), "{package}");
        names.push(package["name"].as_str().unwrap());
    }
    let unpacked = fs::read_dir(home.join("registry/src")).unwrap().next().unwrap().unwrap();
    for name in ["notify-backend", "notify-backend-native", "notify-backend-poll"] {
        assert!(names.contains(&name), "{names:?}");
        let manifest = read(&unpacked.path().join(format!("{name}-0.1.0")).join("Cargo.toml"));
        assert!(manifest.contains(&format!("\nrepository = {ADDRESS:?}\n")), "{name}: {manifest}");
    }
    if cfg!(target_os = "linux") {
        let inotify = unpacked.path().join("notify-backend-inotify-0.1.0");
        let manifest = read(&inotify.join("Cargo.toml.orig"));
        assert!(manifest.contains("template]\nversion = \"0.1.0\"\nstart = \"inotify\""));
        assert!(read(&inotify.join("CHANGELOG.md")).contains("\n## 0.1.0\n"));
        assert!(read(&inotify.join("src/lib.rs")).contains("\"official/inotify\""));
    }
}
