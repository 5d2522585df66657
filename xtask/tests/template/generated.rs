//! Each starting point gives a crate that is ready for work.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::jobs::{Job, workflows};
use crate::support::{
    STARTS, cargo, fails, files, folder, generate, manifest, package_list, passes, read, repository,
};

pub(crate) const NAME: &str = "notify-backend-demo";

/// The frame of a backend: the compliance suite says where to begin.
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
}

/// Until `new` is written, its workflow passes and says that this proves nothing; a release does not
/// pass.
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

/// Generates a crate and does all with it that works without a word being written.
pub(crate) fn ready(start: &str) -> PathBuf {
    let project = generate(NAME, &folder(start), &[&format!("start={start}")]);
    let paths: Vec<_> = files(&project).into_iter().map(|(path, _)| path).collect();
    insta::assert_snapshot!(start, paths.join("\n"));
    let manifest = read(&project.join("Cargo.toml"));
    let manifest = manifest.replace(repository().to_str().unwrap(), "CHECKOUT");
    insta::assert_snapshot!(format!("{start}-manifest"), manifest);

    Job::of(&project, "ci.yml", "lint").passes();
    insta::assert_snapshot!(format!("{start}-package"), package_list(&project));
    project
}

/// Where lines break must not depend on the crate's name: not every generator formats.
#[test]
fn formatted_with_any_name() {
    let long = "notify-backend-abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw";
    for start in STARTS {
        for name in ["notify-backend-a", long] {
            let project = generate(name, &folder("format"), &[&format!("start={start}")]);
            passes(&mut cargo(&project, &["fmt", "--check"]));
        }
    }
}

/// The sources are real Rust files; the generated ones differ in nothing but names.
#[test]
fn sources_are_those_of_the_reference() {
    let template = repository().join("template");
    for start in STARTS {
        let project = generate(NAME, &folder("sources"), &[&format!("start={start}")]);
        let own_tests = format!("tests/{start}");
        let tests = if template.join(&own_tests).exists() { own_tests } else { "tests".into() };
        let places = [
            (format!("src/{start}"), "src"),
            ("examples".into(), "examples"),
            (tests, "tests"),
            (".github".into(), ".github"),
        ];
        for (from, to) in places {
            // Folders among the tests are those of other starting points.
            let is_own = |path: &str| STARTS.iter().all(|start| !path.starts_with(start));
            let sources = files(&template.join(from)).into_iter();
            for (path, source) in sources.filter(|(path, _)| is_own(path)) {
                let generated = read(&project.join(to).join(&path));
                let expected = with_names_of_demo(&source);
                // A backend is tested where it runs.
                let expected = match start {
                    "poll" => expected.replace(
                        "os: [ubuntu-latest]",
                        "os: [ubuntu-latest, macos-latest, windows-latest]",
                    ),
                    _ => expected,
                };
                assert_eq!(generated, expected, "{start}: {to}/{path}");
            }
        }
    }
}

/// A source of the template with the names that `NAME` brings.
fn with_names_of_demo(source: &str) -> String {
    // Files that name nothing are not marked.
    let Some((marked, _)) = source.split_once("//~").or_else(|| source.split_once("#~")) else {
        return source.into();
    };
    marked
        .replacen(" {%- capture source %}{% raw %}", "", 1)
        .replacen(" {%- capture source %}", "", 1)
        .replace("notify_backend_inotify", "notify_backend_demo")
        .replace("notify_backend_poll", "notify_backend_demo")
        .replace("InotifyBackend", "DemoBackend")
        .replace("PollBackend", "DemoBackend")
        .replace("YourBackend", "DemoBackend")
        .replace("your-namespace/inotify", "your-namespace/demo")
        .replace("your-namespace/poll", "your-namespace/demo")
        .replace("your-namespace/skeleton", "your-namespace/demo")
}

/// The README's table has what the backend declares.
#[test]
fn capabilities() {
    for start in STARTS {
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

/// What is declared twice, here and in the template's manifest, is the same.
#[test]
fn manifest_agrees_with_this_repository() {
    let library = manifest(repository());
    let version = &library["package"]["version"];
    for start in STARTS {
        let project = generate(NAME, &folder("manifest"), &[&format!("start={start}")]);
        let generated = manifest(&project);
        let reference = |of| manifest(&repository().join("references").join(of));
        let package = &generated["package"];
        let metadata = &package["metadata"]["notify-backend-template"];
        assert_eq!(package["edition"], library["workspace"]["package"]["edition"]);
        assert_eq!(package["rust-version"], library["workspace"]["package"]["rust-version"]);
        assert_eq!(package["license"], library["workspace"]["package"]["license"]);
        assert_eq!(&metadata["version"], version);
        assert_eq!(metadata["start"].as_str(), Some(start));
        // The skeleton's tests cannot pass; its reference has none. Other references have tests of
        // their own, which need more.
        for (kind, of) in [("dependencies", start), ("dev-dependencies", "inotify")] {
            let mut dependencies = generated[kind].clone();
            let of_library = dependencies["notify-backend"].as_table_mut().unwrap();
            assert_eq!(of_library.remove("version").as_ref(), Some(version));
            of_library.insert("path".into(), "../..".into());
            let mut expected = reference(of)[kind].as_table().unwrap().clone();
            if kind == "dev-dependencies" {
                expected.retain(|name, _| dependencies.get(name).is_some());
            }
            assert_eq!(dependencies.as_table(), Some(&expected), "{kind} of {start}");
        }
    }
}

/// The README's programs are some, with the dependencies that it names.
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
