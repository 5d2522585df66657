//! Each starting point makes a crate that is ready to work on.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::jobs::{Job, workflows};
use crate::support::{
    STARTS, about, cargo, fails, files, folder, generate, manifest, package_list, passes, read,
    repository, type_name,
};

pub(crate) const NAME: &str = "notify-backend-demo";

/// The compliance suite of a skeleton says where to begin.
#[test]
fn skeleton() {
    let project = ready("skeleton");
    let said = fails(&mut cargo(&project, &["test"]));
    let first = "DemoBackend` says: not implemented yet: DemoBackend::new has to set up the platform's watches (src/lib.rs)";
    assert!(said.contains(first), "{said}");
    let progress = said.lines().find(|line| line.starts_with("progress: 0 of ")).unwrap();
    assert!(progress.ends_with(" · next: `new` · in the guide: \"A walk-through\""), "{progress}");
    for open in [
        "the backend's name is your-namespace/demo",
        "src/lib.rs says YOUR PLATFORM",
        "the description in Cargo.toml is the template's",
    ] {
        assert!(said.contains(&format!("still open: {open}")), "{said}");
    }
    workflow_of_a_skeleton(&project);
    insta::assert_snapshot!("skeleton-package", package_list(&project));
}

/// Snapshots of a crate's list of files, and of manifests.
#[test]
fn files_and_manifests() {
    let project = generate(NAME, &folder("manifests"), &["start=skeleton"]);
    let paths: Vec<_> = files(&project).into_iter().map(|(path, _)| path).collect();
    insta::assert_snapshot!("skeleton", paths.join("\n"));

    for start in ["inotify", "skeleton"] {
        let project = generate(NAME, &folder("manifests"), &[&format!("start={start}")]);
        let manifest = read(&project.join("Cargo.toml"));
        let manifest = manifest.replace(repository().to_str().unwrap(), "CHECKOUT");
        insta::assert_snapshot!(format!("{start}-manifest"), manifest);
    }
}

/// Until `new` is written, the workflow passes and says that this proves nothing; the release workflow
/// fails.
fn workflow_of_a_skeleton(project: &Path) {
    let expression = "!inputs.is_release && 'allowed' || ''";
    let test = |answer| Job {
        expressions: vec![(expression, answer)],
        ..Job::of(project, "ci.yml", "test")
    };
    let job = test("allowed");
    let said = job.passes();
    assert!(said.contains("nothing is proven: `Backend::new` is not written yet"), "{said}");
    assert!(read(&job.summary()).contains("\nProgress: 0 of "), "{}", read(&job.summary()));

    let said = fails(&mut test("").steps()[1]);
    assert!(said.contains("implement_new_first"), "{said}");
    let workflows = workflows(project);
    let (_, release) = workflows.iter().find(|(name, _)| name == "release.yml").unwrap();
    assert_eq!(release["jobs"]["ci"]["with"]["is_release"].as_bool(), Some(true));
}

/// Generates a crate, and runs everything that works without any change to it.
pub(crate) fn ready(start: &str) -> PathBuf {
    let project = generate(NAME, &folder(start), &[&format!("start={start}")]);
    let paths: BTreeSet<_> = files(&project).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, all_files(start));

    Job::of(&project, "ci.yml", "lint").passes();
    let published = package_list(&project);
    let published: BTreeSet<_> = published.lines().map(String::from).collect();
    assert_eq!(published, published_files(start));
    project
}

/// Returns the files of a crate made from a starting point, under `MIT OR Apache-2.0` and with workflows: those
/// of the template, and the starting point's own sources and tests.
pub(crate) fn all_files(start: &str) -> BTreeSet<String> {
    let template = repository().join("template");
    let below = |folder: &Path| files(folder).into_iter().map(|(path, _)| path);
    let shared = below(&template).filter(|path| !path.starts_with("src/"));
    let hooks = ["LICENSE-MPL", "init.rhai", "pre.rhai", "starts.rhai"];
    let shared = shared.filter(|path| !hooks.contains(&path.as_str()));
    let shared = shared.map(|path| path.trim_end_matches(".liquid").to_owned());
    let own = below(&template.join("src").join(start)).filter(|path| path != "start.toml");
    let own = own.map(|path| match path.strip_prefix("tests/") {
        Some(_) => path,
        None => format!("src/{path}"),
    });
    shared.chain(own).collect()
}

/// Returns the files that cargo would publish, including those that it adds.
fn published_files(start: &str) -> BTreeSet<String> {
    let kept = ["Cargo.toml", "README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];
    let is_kept = |path: &String| {
        let folders = ["src/", "examples/", "tests/"];
        folders.iter().any(|folder| path.starts_with(folder)) || kept.contains(&path.as_str())
    };
    let added = ["Cargo.lock", "Cargo.toml.orig"].map(String::from);
    all_files(start).into_iter().filter(is_kept).chain(added).collect()
}

/// The formatting must not depend on the length of the crate's name, since not every generator formats.
#[test]
fn formatted_with_any_name() {
    let long = "notify-backend-abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw";
    for start in STARTS.iter() {
        for name in ["notify-backend-a", long] {
            let project = generate(name, &folder("format"), &[&format!("start={start}")]);
            passes(&mut cargo(&project, &["fmt", "--check"]));
        }
    }
}

/// The generated sources differ from the template's only in names.
#[test]
fn sources_are_those_of_the_starting_point() {
    let template = repository().join("template");
    for start in STARTS.iter() {
        let project = generate(NAME, &folder("sources"), &[&format!("start={start}")]);
        let own = format!("src/{start}");
        let tests = format!("{own}/tests");
        // A later folder overrides an earlier one.
        let places =
            [("examples", "examples"), ("tests", "tests"), (&*own, "src"), (&*tests, "tests")];
        let mut expected = BTreeMap::new();
        for (from, to) in places.into_iter().filter(|(from, _)| template.join(from).exists()) {
            for (path, source) in files(&template.join(from)) {
                if from != own || !(path.starts_with("tests/") || path == "start.toml") {
                    expected.insert(format!("{to}/{path}"), with_names_of_demo(&source, start));
                }
            }
        }
        for (path, expected) in expected {
            assert_eq!(read(&project.join(&path)), expected, "{start}: {path}");
        }
    }
}

/// The workflows are those of the template, with the starting point's systems.
#[test]
fn workflows_are_those_of_the_template() {
    for start in STARTS.iter() {
        let project = generate(NAME, &folder("own-workflows"), &[&format!("start={start}")]);
        let about = about(start);
        let systems = about["systems"].as_array().unwrap().iter();
        let (freebsd, runners): (Vec<_>, Vec<_>) =
            systems.map(|system| system.as_str().unwrap()).partition(|system| *system == "freebsd");
        let runners = format!("os: [{}]", runners.join(", "));
        let needs_root = about.get("needs-root").is_some_and(|it| it.as_bool() == Some(true));
        let as_root = r#" --config "target.'cfg(unix)'.runner='sudo --preserve-env'""#;
        let tests = format!("run: cargo +stable test{}\n", if needs_root { as_root } else { "" });
        for (path, source) in files(&repository().join("template/.github")) {
            let mut expected = with_names_of_demo(&source, start);
            if let Some((_, job)) = source.split_once("{% if tests_freebsd == \"yes\" %}{% raw %}")
                && !freebsd.is_empty()
            {
                expected += job.split_once("#~").unwrap().0;
            }
            let expected = expected.replace("os: [ubuntu-latest]", &runners);
            let expected = expected.replace("run: cargo +stable test\n", &tests);
            assert_eq!(read(&project.join(".github").join(&path)), expected, "{start}: {path}");
        }
    }
}

/// Returns a source file of the template with the names for `NAME`.
fn with_names_of_demo(source: &str, start: &str) -> String {
    // Files without such names are not marked.
    let Some((marked, _)) = source.split_once("//~").or_else(|| source.split_once("#~")) else {
        return source.into();
    };
    let mut text = marked
        .replacen(" {%- capture source %}{% raw %}", "", 1)
        .replacen(" {%- capture source %}", "", 1)
        .replace(&format!("your-namespace/{start}"), "your-namespace/demo");
    // A shared file has the names of one of the starting points.
    for start in STARTS.iter() {
        text = text
            .replace(&format!("notify_backend_{start}"), "notify_backend_demo")
            .replace(&type_name(start), "DemoBackend");
    }
    text
}

/// The README's table has the declared capabilities.
#[test]
fn capabilities() {
    for start in STARTS.iter() {
        let project = generate(NAME, &folder("capabilities"), &[&format!("start={start}")]);
        let source = read(&project.join("src/lib.rs"));
        let (_, declared) = source.split_once("const CAPABILITIES: ").unwrap();
        let (declared, _) = declared.split_once(";\n\n").unwrap();
        let declared = declared.split("Capability::").skip(1);
        let declared = declared.map(|it| it.split(|c: char| !c.is_alphabetic()).next().unwrap());
        let readme = read(&project.join("README.md"));
        let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let listed: BTreeSet<_> = rows.map(|(name, _)| name).collect();
        assert_eq!(listed, declared.collect(), "{start}");
    }
}

/// Values that both this repository and the template's manifest declare are the same.
#[test]
fn manifest_agrees_with_this_repository() {
    let library = manifest(repository());
    let version = &library["package"]["version"];
    for start in STARTS.iter() {
        let project = generate(NAME, &folder("manifest"), &[&format!("start={start}")]);
        let generated = manifest(&project);
        let package_here = |of| manifest(&repository().join("starting-points").join(of));
        let package = &generated["package"];
        let metadata = &package["metadata"]["notify-backend-template"];
        assert_eq!(package["edition"], library["workspace"]["package"]["edition"]);
        assert_eq!(package["rust-version"], library["workspace"]["package"]["rust-version"]);
        assert_eq!(package["license"], library["workspace"]["package"]["license"]);
        assert_eq!(&metadata["version"], version);
        assert_eq!(metadata["start"].as_str(), Some(&**start));
        // Not compared for each: the skeleton's package here has no tests, since they cannot pass, and the
        // others' tests here need more dependencies.
        for (kind, of) in [("dependencies", &**start), ("dev-dependencies", "inotify")] {
            let mut dependencies = generated[kind].clone();
            let of_library = dependencies["notify-backend"].as_table_mut().unwrap();
            assert_eq!(of_library.remove("version").as_ref(), Some(version));
            of_library.insert("path".into(), "../..".into());
            let mut expected = package_here(of)[kind].as_table().unwrap().clone();
            if kind == "dev-dependencies" {
                expected.retain(|name, _| dependencies.get(name).is_some());
            }
            assert_eq!(dependencies.as_table(), Some(&expected), "{kind} of {start}");
        }
    }
}

/// The README's programs compile with the dependencies that it names.
#[test]
fn readme() {
    let parent = folder("readme");
    let project = generate(NAME, &parent, &[]);
    let text = read(&project.join("README.md"));
    let blocks = |language: &str| -> Vec<_> {
        let fence = format!("```{language}\n");
        let from_there = text.split(&fence).skip(1);
        from_there.map(|text| text.split_once("```\n").unwrap().0.to_owned()).collect()
    };
    let manifests = blocks("toml");
    let [stream, with_notify] = &blocks("rust")[..] else { panic!("two programs in:\n{text}") };
    assert_eq!(with_notify.lines().filter(|line| !line.is_empty()).count(), 5);
    let with_notify = format!(
        "fn main() -> notify::Result<()> {{
let handler = |_: notify::Result<notify::Event>| {{}};
{with_notify}
Ok(())
}}
"
    );

    for (name, program, dependencies) in
        [("stream", stream, &manifests[0]), ("with-notify", &with_notify, &manifests[1])]
    {
        let user = parent.join(name);
        fs::create_dir_all(user.join("src")).unwrap();
        fs::write(user.join("src/main.rs"), program).unwrap();
        let manifest = format!(
            "[package]
name = {name:?}
edition = \"2024\"

{dependencies}
[lints.rust]
warnings = \"deny\"

[patch.crates-io]
notify-backend.path = {:?}
{NAME}.path = \"../{NAME}\"
",
            repository()
        );
        fs::write(user.join("Cargo.toml"), manifest).unwrap();
        passes(&mut cargo(&user, &["check"]));
    }
}
