//! `cargo xtask sync`: a new starting point needs only new files and this command.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    cargo, copy_files, fails, files, folder, passes, read, repository, with_address, xtask_of,
};

/// The new starting point's `start.toml`.
const ABOUT: &str = r#"title = "a backend that \"ticks\""
runs-on = "a clock"
take-it-if = "yours ticks too"
platform-notes = "FSEvents"
systems = ["ubuntu-latest", "freebsd"]
targets = ["x86_64-unknown-freebsd"]
readme = """
It runs on a clock,
by springs.
"""

[capabilities]
WatchFiles = "if wound up"

[dependencies]
notify-backend = { features = ["descriptor"] }
rustix = { version = "1.1.3", features = ["fs"] }

[target.'cfg(windows)'.dependencies]
tempfile = "3.20"

[here.dev-dependencies]
fastrand = "2.3"
"#;

/// A part of each derived file.
const PARTS: [(&str, &str); 6] = [
    ("cargo-generate.toml", r#"choices = ["clockwork", "#),
    ("README.md", "\n| `clockwork` | a backend that \"ticks\" | a clock |\n"),
    ("docs/template.md", "\n- `clockwork`: a backend that \"ticks\"\n"),
    (
        "src/guide/1_getting_started.md",
        "\n| `clockwork` | a backend that \"ticks\" | yours ticks too |\n",
    ),
    (
        "src/guide/6_platform_notes.md",
        "\n**Start from** `--start clockwork` or `--start fsevents`.\n\n## ReadDirectoryChangesW\n",
    ),
    (
        "starting-points/clockwork/Cargo.toml",
        "\nrustix = { version = \"1.1.3\", features = [\"fs\"] }\n",
    ),
];

/// Adds a starting point to a copy of this repository.
fn with_clockwork(copy: &Path) -> PathBuf {
    let start = copy.join("template/src/clockwork");
    fs::create_dir(&start).unwrap();
    fs::write(start.join("start.toml"), ABOUT).unwrap();
    let code = read(&copy.join("template/src/skeleton/lib.rs"))
        .replace("YourBackend", "ClockworkBackend")
        .replace("your-namespace/skeleton", "your-namespace/clockwork")
        .replace(
            "&[Capability::WatchFolders]",
            "&[Capability::WatchFiles, Capability::WatchFolders]",
        );
    fs::write(start.join("lib.rs"), code).unwrap();
    start
}

/// Generates a crate from the new starting point.
fn clockwork_crate(copy: &Path, parent: &Path) -> PathBuf {
    let new = ["new", "notify-backend-demo", "--start", "clockwork", "--destination"];
    let mut new = xtask_of(copy, new);
    new.arg(parent).args(["-d", &format!("notify_backend_path={}", repository().display())]);
    passes(&mut new);
    parent.join("notify-backend-demo")
}

#[test]
fn new_files_and_one_command() {
    let copy = folder("new-start");
    copy_files(&["."], &copy);
    let before = files(&copy);
    let start = with_clockwork(&copy);

    let said = fails(&mut xtask_of(&copy, ["sync", "--check"]));
    for (path, _) in PARTS {
        assert!(said.contains(&format!("differs  {path}\n")), "{said}");
    }
    assert!(said.contains("error: these files are out of date: run `cargo xtask sync`"), "{said}");
    passes(&mut xtask_of(&copy, ["sync"]));
    passes(&mut xtask_of(&copy, ["sync", "--check"]));
    for (path, part) in PARTS {
        let text = read(&copy.join(path));
        assert!(text.contains(part), "{part:?} is not in {path}:\n{text}");
    }

    let project = clockwork_crate(&copy, &folder("new-start-crate"));
    let readme = read(&project.join("README.md"));
    let rows = "| `WatchFiles` | watches single files (if wound up) |\n| `WatchFolders` | watches folders |\n\n";
    assert!(
        readme.contains(rows) && readme.contains("\n\nIt runs on a clock,\nby springs.\n\n"),
        "{readme}"
    );
    let manifest = read(&project.join("Cargo.toml"));
    let target = "\n\n[target.'cfg(windows)'.dependencies]\ntempfile = \"3.20\"\n\n[[test]]\n";
    assert!(manifest.contains(target), "{manifest}");
    assert!({
        let ci = read(&project.join(".github/workflows/ci.yml"));
        ci.contains("os: [ubuntu-latest]") && ci.contains("vmactions/freebsd-vm@")
    });

    // Once the starting point is removed, everything is as before.
    fs::remove_dir_all(&start).unwrap();
    passes(&mut xtask_of(&copy, ["sync"]));
    let [before, after] = [before, files(&copy)].map(BTreeSet::from_iter);
    let differing: Vec<_> = before.symmetric_difference(&after).map(|(name, _)| name).collect();
    assert!(differing.is_empty(), "{differing:?}");
}

#[test]
#[ignore = "takes long, and the existing starting points compile in both places"]
fn new_one_compiles() {
    let copy = folder("new-start-compiled");
    copy_files(&["."], &copy);
    with_clockwork(&copy);
    passes(&mut xtask_of(&copy, ["sync"]));
    // In place, with the shared tests.
    passes(&mut cargo(&copy, &["build", "-p", "notify-backend-clockwork", "--all-targets"]));
    let project = clockwork_crate(&copy, &folder("new-start-compiled-crate"));
    passes(&mut cargo(&project, &["build", "--all-targets"]));
}

/// The derived files in this repository are up to date.
#[test]
fn derived_files_are_up_to_date() {
    passes(&mut xtask_of(repository(), ["sync", "--check"]));
}

/// The repository's address is defined in one place.
#[test]
fn address_of_the_repository() {
    let copy = folder("address");
    copy_files(&["."], &copy);
    let address = "https://example.org/ada/notify-backend";
    with_address(&copy, address);
    for page in ["README.md", "docs/template.md", "src/guide/1_getting_started.md"] {
        let text = read(&copy.join(page));
        let command = format!("cargo generate --git {address} template");
        assert!(text.contains(&command), "{page}:\n{text}");
    }
    // These speak of the placeholder itself.
    let known = ["docs/fork.md", "xtask/src/sync/pages.rs", "xtask/tests/template/sync.rs"];
    let left = files(&copy).into_iter().filter(|(_, text)| text.contains("REPOSITORY"));
    let left: Vec<_> = left.map(|(path, _)| path).collect();
    assert_eq!(left, known, "a command names the repository in another way");
    let links = read(&copy.join("src/guide/links.md"));
    assert!(
        links.contains(&format!("]: {address}/blob/HEAD/template/src/inotify/lib.rs\n")),
        "{links}"
    );
}

/// The help of `cargo xtask new` lists the starting points.
#[test]
fn listed_in_the_help() {
    let help = passes(&mut xtask_of(repository(), ["new", "--help"]));
    for start in crate::support::STARTS.iter() {
        assert!(help.contains(&format!("{start}: ")), "{help}");
    }
}

/// A wrong `start.toml` is refused.
#[test]
fn mistakes() {
    let copy = folder("new-start-mistakes");
    copy_files(&["."], &copy);
    let file = copy.join("template/src/poll/start.toml");
    let right = read(&file);
    for (from, to, complaint) in [
        ("title", "titel", "unknown field `titel`"),
        ("TrackRelated", "EmitOnAccess", "EmitOnAccess is not declared"),
        ("\"Polling\"", "\"Asking\"", "\"Asking\""),
    ] {
        fs::write(&file, right.replacen(from, to, 1)).unwrap();
        let said = fails(&mut xtask_of(&copy, ["sync"]));
        assert!(said.starts_with("error: ") && said.contains(complaint), "{said}");
    }
}
