//! Publishing from start to end, to a registry on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use registry::Registry;

use crate::{
    jobs::Job,
    support::{cargo, commit, folder, generate, git, passes, read, repository, scratch},
};

const NAME: &str = "notify-backend-demo";

const PROGRAM: &str = r#"
use futures_util::StreamExt;
use notify_backend::prelude::*;
use notify_backend_demo::DemoBackend;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut changes = DemoBackend::new(vec![Watch::recursive("watched")]).unwrap();
    std::fs::write("watched/new", "").unwrap();
    println!("{}: {}", DemoBackend::name(), changes.next().await.unwrap().unwrap());
}
"#;

/// Publishes the library, then a generated backend that depends on that version; a program gets both from
/// the registry.
#[test]
#[ignore = "takes long: everything published is built, with its dependencies"]
fn from_the_library_to_a_program() {
    let parent = folder("publish");
    let registry = Registry::start();
    // A cargo home of its own: in the developer's, the same versions are other packages.
    let home = parent.join("home");
    fs::create_dir(&home).unwrap();
    fs::write(home.join("config.toml"), registry.configuration()).unwrap();
    let environment = [("CARGO_HOME", home.clone()), ("CARGO_BUILD_BUILD_DIR", target())];
    let cargo = |project: &Path, arguments: &[&str]| {
        let mut command = cargo(project, arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        command
    };

    passes(&mut cargo(repository(), &["publish", "--package", "notify-backend", "--allow-dirty"]));

    let answers = ["start=poll", "repository=ada", "notify_backend_path="];
    let backend = generate(NAME, &parent, &answers);
    let before = read(&backend.join("Cargo.toml"));
    assert!(!before.contains("path ="), "{before}");
    passes(&mut cargo(&backend, &["update", "--workspace"]));
    passes(git(&backend).args(["init", "--quiet"]));
    commit(&backend);
    for (workflow, job) in [("ci.yml", "package"), ("release.yml", "publish")] {
        let expressions = vec![("steps.auth.outputs.token", "none")];
        let environment =
            environment.iter().map(|(name, value)| (*name, value.to_str().unwrap())).collect();
        Job { expressions, environment, ..Job::of(&backend, workflow, job) }.passes();
    }
    assert_eq!(read(&backend.join("Cargo.toml")), before);

    let program = parent.join("program");
    fs::create_dir_all(program.join("src")).unwrap();
    fs::create_dir(program.join("watched")).unwrap();
    fs::write(program.join("src/main.rs"), PROGRAM).unwrap();
    let (_, dependencies) = before.split_once("\n[dependencies]\n").unwrap();
    let (library, _) = dependencies.split_once('\n').unwrap();
    let manifest = format!(
        "[package]
name = \"program\"
edition = \"2024\"

[dependencies]
futures-util = {{ version = \"0.3\", default-features = false }}
{library}
{NAME} = \"0.1.0\"
tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}
"
    );
    fs::write(program.join("Cargo.toml"), manifest).unwrap();
    let said = passes(&mut cargo(&program, &["run"]));
    assert!(said.contains("ada/demo: create/file watched/new"), "{said}");

    // Both came from the registry.
    let lock: toml::Table = toml::from_str(&read(&program.join("Cargo.lock"))).unwrap();
    let of = |name: &str| {
        let packages = lock["package"].as_array().unwrap();
        packages.iter().find(|package| package["name"].as_str() == Some(name)).unwrap().clone()
    };
    for name in ["notify-backend", NAME] {
        assert!(of(name)["source"].as_str().unwrap().starts_with("registry+"), "{name}");
        let download = format!("GET /crates/{name}/0.1.0/download -> 200 OK");
        assert!(registry.log().contains(&download), "no {download} in {:#?}", registry.log());
    }
    let unpacked = fs::read_dir(home.join("registry/src")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(read(&unpacked.join(format!("{NAME}-0.1.0/Cargo.toml.orig"))), before);
}

/// Returns a build folder for the registry's crates. The artifacts of our own crates are removed: cargo
/// assumes that a published version never changes.
pub(super) fn target() -> PathBuf {
    let target = scratch("target-of-registry");
    if let Ok(known) = fs::read_dir(target.join("debug/.fingerprint")) {
        let known = known.map(|entry| entry.unwrap().path());
        for ours in known.filter(|path| is_ours(path)) {
            fs::remove_dir_all(ours).unwrap();
        }
    }
    target
}

fn is_ours(fingerprint: &Path) -> bool {
    fingerprint.file_name().unwrap().to_str().unwrap().starts_with("notify-backend")
}
