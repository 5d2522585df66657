//! The workflows, of this repository and of generated crates.

use std::fs;

use saphyr::Yaml;

use crate::{
    jobs::{Job, workflows},
    support::{fails, folder, generate, passes, read, repository},
};

fn generated(name: &str) -> std::path::PathBuf {
    generate("notify-backend-demo", &folder(name), &["start=skeleton", "repository=ada"])
}

fn steps<'a>(workflow: &'a Yaml<'a>) -> impl Iterator<Item = &'a Yaml<'a>> {
    let jobs = workflow["jobs"].as_mapping().unwrap().values();
    jobs.filter_map(|job| job.as_mapping_get("steps")).flat_map(|steps| steps.as_vec().unwrap())
}

/// What zizmor and the schema of workflows check more thoroughly, in this repository's workflow.
#[test]
fn least_rights_and_pinned_actions() {
    let project = generated("workflows");
    for place in [repository(), &project] {
        for (name, workflow) in workflows(place) {
            let rights = workflow["permissions"].as_mapping().unwrap();
            assert!(rights.values().all(|right| right.as_str() == Some("read")), "{name}");
            for (job, content) in workflow["jobs"].as_mapping().unwrap() {
                let limited = content.as_mapping_get("timeout-minutes").is_some();
                // One that calls another workflow cannot have a limit.
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
                if action == "actions/checkout" {
                    let kept = step["with"]["persist-credentials"].as_bool();
                    assert_eq!(kept, Some(false), "{name}: credentials are kept");
                }
            }
        }
    }
}

/// The release workflow goes on only where the tag, the version and the changelog agree. Its own
/// lines are run.
#[test]
#[cfg(unix)]
fn tag_version_and_changelog() {
    let project = generated("release");
    let output = project.join("output");
    let run = |tag: &str| {
        fs::write(&output, "").unwrap();
        let environment =
            vec![("GITHUB_REF_NAME", tag), ("GITHUB_OUTPUT", output.to_str().unwrap())];
        let job = Job { environment, ..Job::of(&project, "release.yml", "agree") };
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
