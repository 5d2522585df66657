//! The files that GitHub reads, of this repository and of generated crates: workflows, dependabot's
//! configuration, issue forms.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use saphyr::Yaml;

use crate::{
    jobs::{Job, documents, workflows},
    support::{fails, folder, generate, passes, read, repository},
};

fn generated(name: &str) -> PathBuf {
    generated_from("skeleton", name)
}

fn generated_from(start: &str, name: &str) -> PathBuf {
    let start = format!("start={start}");
    generate("notify-backend-demo", &folder(name), &[&start, "repository=ada"])
}

/// Returns the files that GitHub reads of a project, by their path below `.github`.
fn configuration(project: &Path) -> HashMap<String, Yaml<'static>> {
    documents(&project.join(".github")).into_iter().collect()
}

fn steps<'a>(workflow: &'a Yaml<'a>) -> impl Iterator<Item = &'a Yaml<'a>> {
    let jobs = workflow["jobs"].as_mapping().unwrap().values();
    jobs.filter_map(|job| job.as_mapping_get("steps")).flat_map(|steps| steps.as_vec().unwrap())
}

/// A quick check. In this repository's workflow, zizmor and the schema of workflows check more.
#[test]
fn least_privilege_and_pinned_actions() {
    let project = generated("workflows");
    // It has a job that others do not have.
    let kqueue = generated_from("kqueue", "workflows-of-kqueue");
    let mut revisions = HashMap::new();
    for place in [repository(), &project, &kqueue] {
        for (name, workflow) in workflows(place) {
            let rights = workflow["permissions"].as_mapping().unwrap();
            assert!(rights.values().all(|right| right.as_str() == Some("read")), "{name}");
            for (job, content) in workflow["jobs"].as_mapping().unwrap() {
                let limited = content.as_mapping_get("timeout-minutes").is_some();
                // A job that calls another workflow cannot have a limit.
                assert!(limited || content.as_mapping_get("uses").is_some(), "{name}: {job:?}");
            }
            for step in steps(&workflow) {
                let Some(action) = step.as_mapping_get("uses").and_then(Yaml::as_str) else {
                    continue;
                };
                let (action, revision) = action.split_once('@').unwrap();
                let is_hash =
                    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
                assert!(is_hash, "{name}: {action}@{revision}");
                let known = revisions.entry(action.to_owned()).or_insert(revision.to_owned());
                assert_eq!(known, revision, "{name}: {action}, which has two revisions");
                if action == "actions/checkout" {
                    let kept = step["with"]["persist-credentials"].as_bool();
                    assert_eq!(kept, Some(false), "{name}: credentials are kept");
                }
            }
        }
    }
}

/// This repository's workflows do what those of generated crates do.
#[test]
fn same_jobs_as_generated_crates() {
    let project = generated("here_too");
    let (here, there) = (configuration(repository()), configuration(&project));

    for job in ["agree", "announce"] {
        let of =
            |all: &HashMap<_, Yaml<'static>>| all["workflows/release.yml"]["jobs"][job].clone();
        assert_eq!(of(&here), of(&there), "release.yml: {job}");
    }
    // This repository publishes several crates, which takes longer.
    let publish = |all: &HashMap<_, Yaml<'static>>| {
        let job = &all["workflows/release.yml"]["jobs"]["publish"];
        let steps: Vec<_> = job["steps"].as_vec().unwrap().clone();
        (job["permissions"].clone(), job["environment"].clone(), steps[..steps.len() - 1].to_vec())
    };
    assert_eq!(publish(&here), publish(&there), "release.yml: publish");
    let ecosystems = |all: &HashMap<_, Yaml<'static>>| -> BTreeSet<String> {
        let updates = all["dependabot.yml"]["updates"].as_vec().unwrap().iter();
        updates.map(|update| update["package-ecosystem"].as_str().unwrap().into()).collect()
    };
    assert_eq!(ecosystems(&here), ecosystems(&there));
    let jobs = |all: &HashMap<_, Yaml<'static>>| jobs(&all["workflows/ci.yml"]);
    // In this repository, a script does these two.
    assert_eq!(&jobs(&there) - &jobs(&here), BTreeSet::from(["lint".into(), "test".into()]));
}

/// Each system of kqueue runs all tests, in a crate generated from its starting point as here.
#[test]
fn all_systems_of_kqueue() {
    let ci = |project: &Path| configuration(project).remove("workflows/ci.yml").unwrap();
    let (skeleton, kqueue) = (generated("systems"), generated_from("kqueue", "systems-of-kqueue"));
    let (skeleton, kqueue, here) = (ci(&skeleton), ci(&kqueue), ci(repository()));

    assert_eq!(&jobs(&kqueue) - &jobs(&skeleton), BTreeSet::from(["freebsd".into()]));
    let runners = kqueue["jobs"]["test"]["strategy"]["matrix"]["os"].as_vec().unwrap();
    let runners: Vec<_> = runners.iter().filter_map(Yaml::as_str).collect();
    assert_eq!(runners, ["ubuntu-latest", "macos-latest"]);
    let runs = |ci: &Yaml, job: &str| -> Vec<String> {
        let steps = ci["jobs"][job]["steps"].as_vec().unwrap().iter();
        let run = |step: &Yaml| {
            let machine = step.as_mapping_get("with").and_then(|with| with.as_mapping_get("run"));
            let run = machine.or(step.as_mapping_get("run"))?;
            Some(run.as_str().unwrap().into())
        };
        steps.filter_map(run).collect()
    };
    assert_eq!(runs(&kqueue, "freebsd"), ["cargo test"]);
    let [test] = &runs(&here, "freebsd")[..] else { panic!("{here:?}") };
    assert!(
        test.starts_with("cargo test ") && test.contains(" -p notify-backend-kqueue "),
        "{test}"
    );
    let matrix = here["jobs"]["other-systems"]["strategy"]["matrix"]["include"].as_vec().unwrap();
    let macos = matrix.iter().find(|row| row["os"].as_str() == Some("macos-latest")).unwrap();
    for package in ["-p notify-backend-kqueue", "-p notify-backend-fsevents"] {
        assert!(macos["packages"].as_str().unwrap().contains(package), "{macos:?}");
    }
    assert!(
        runs(&here, "other-systems")
            .contains(&"cargo test ${{ matrix.packages }} --all-features".into())
    );
}

/// Returns the names of a workflow's jobs.
fn jobs(workflow: &Yaml) -> BTreeSet<String> {
    let jobs = workflow["jobs"].as_mapping().unwrap().keys();
    jobs.map(|job| job.as_str().unwrap().into()).collect()
}

/// Each form has a required field, and the form for official backends has as many criteria as the guide.
#[test]
fn issue_forms() {
    let forms = documents(&repository().join(".github/ISSUE_TEMPLATE"));
    let forms: HashMap<_, _> = forms.into_iter().collect();
    let names: BTreeSet<_> = forms.values().map(|form| form["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["A bug", "A new backend", "Make a backend official"]));
    for (name, form) in &forms {
        let is_required = |field: &Yaml| {
            let rules = field.as_mapping_get("validations");
            rules.is_some_and(|rules| rules["required"].as_bool() == Some(true))
        };
        assert!(form["body"].as_vec().unwrap().iter().any(is_required), "{name}");
    }

    let guide = read(&repository().join("src/guide/7_finishing_up.md"));
    let (_, criteria) = guide.split_once("**Criteria.**").unwrap();
    let (criteria, _) = criteria.split_once("**Process.**").unwrap();
    let is_criterion = |line: &&str| line.starts_with(|first: char| first.is_ascii_digit());
    let fields = forms["official_backend.yml"]["body"].as_vec().unwrap();
    let asked = fields.iter().find(|field| field["type"].as_str() == Some("checkboxes")).unwrap();
    let asked = asked["attributes"]["options"].as_vec().unwrap().len();
    assert_eq!(asked, criteria.lines().filter(is_criterion).count(), "the guide has others");
}

/// The release workflow continues only if the tag, the version and the changelog agree. The test runs the
/// workflow's own commands.
#[test]
#[cfg(unix)]
fn tag_version_and_changelog() {
    let generated = generated("release");
    let here = folder("release-here");
    for name in ["Cargo.toml", ".github/workflows/release.yml"] {
        fs::create_dir_all(here.join(name).parent().unwrap()).unwrap();
        fs::copy(repository().join(name), here.join(name)).unwrap();
    }
    fs::write(here.join("CHANGELOG.md"), "# Changelog\n\n## Unreleased\n\n- New.\n").unwrap();
    for project in [generated, here] {
        agreement(&project);
    }
}

#[cfg(unix)]
fn agreement(project: &Path) {
    let output = project.join("output");
    let run = |tag: &str| {
        fs::write(&output, "").unwrap();
        let environment =
            vec![("GITHUB_REF_NAME", tag), ("GITHUB_OUTPUT", output.to_str().unwrap())];
        let job = Job { environment, ..Job::of(project, "release.yml", "agree") };
        job.steps().remove(0)
    };
    let changelog = |text: &str| fs::write(project.join("CHANGELOG.md"), text).unwrap();

    assert!(
        fails(&mut run("v0.1.1")).contains("the tag is v0.1.1, but Cargo.toml has version 0.1.0")
    );
    assert!(fails(&mut run("v0.1.0")).contains("CHANGELOG.md says nothing below \"## 0.1.0\""));
    changelog("# Changelog\n\n## 0.1.0\n\n## 0.0.9\n\n- Old.\n");
    assert!(fails(&mut run("v0.1.0")).contains("says nothing"));
    changelog(
        "# Changelog\n\n## 0.1.0 - 2026-01-31\n\n- *First* `version`.\n\n## 0.0.9\n\n- Old.\n",
    );
    passes(&mut run("v0.1.0"));
    assert_eq!(read(&output), "text<<END_OF_SECTION\n\n- *First* `version`.\nEND_OF_SECTION\n");
}
