//! Manifests of the packages that compile starting points in place, and tables of dependencies.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::{
    files::read,
    start::{Needs, Start},
};

/// The library's name. Each manifest writes this dependency in its own way.
const LIBRARY: &str = "notify-backend";

/// Returns the derived files of a starting point's package in `starting-points/`.
pub(super) fn package(start: &Start, checkout: &Path) -> Result<Vec<(String, String)>> {
    let Start { name, about, .. } = start;
    let here = &about.here;
    let folder = format!("starting-points/{name}");
    let mut files = vec![];

    let features = features_of_library(&about.dependencies);
    let program = start.folder.join("main.rs").exists().then(|| {
        format!(
            "\n[[bin]]\nname = \"notify-backend-{name}\"\npath = \"../../template/src/{name}/main.rs\"\n"
        )
    });
    let program = program.unwrap_or_default();
    let mut manifest = format!(
        "# Written by `cargo xtask sync`: compiles the starting point `{name}` in place.
[package]
name = \"notify-backend-{name}\"
version = \"0.0.0\"
publish = false
edition.workspace = true
rust-version.workspace = true
license.workspace = true

[lib]
path = \"../../template/src/{name}/lib.rs\"
{program}
[dependencies]
{LIBRARY} = {{ path = \"../..\"{features} }}
"
    );
    push_lines(&mut manifest, others(&about.dependencies));
    if !about.is_frame {
        _ = write!(
            manifest,
            "\n[dev-dependencies]\n{LIBRARY} = {{ path = \"../..\", features = [\"compliance\", \"sample\"] }}\n"
        );
        let mut dev = others(&about.dev_dependencies);
        dev.extend(others(&here.dev_dependencies));
        dev.sort();
        push_lines(&mut manifest, dev);
    }
    for target in [&about.target, &here.target] {
        manifest += &targets(target);
    }
    if !about.is_frame {
        manifest += &programs(start, checkout, &mut files)?;
    }
    manifest += "\n[lints]\nworkspace = true\n";
    files.push((format!("{folder}/Cargo.toml"), manifest));
    Ok(files)
}

/// Returns the tables for its example and its tests, and adds to `files` the compliance test if it is derived
/// from the template's.
fn programs(start: &Start, checkout: &Path, files: &mut Vec<(String, String)>) -> Result<String> {
    let name = &start.name;
    let folder = format!("starting-points/{name}");
    let mut tables = String::new();
    let (example, compliance) = shared(start, checkout)?;
    if example {
        tables += "\n[[example]]\nname = \"watch\"\npath = \"../../template/examples/watch.rs\"\n";
    }
    let own = start.own_tests()?;
    if own.iter().all(|test| !test.ends_with("compliance.rs")) {
        let path = match compliance {
            None => "\npath = \"../../template/tests/compliance.rs\"",
            Some(text) => {
                files.push((format!("{folder}/tests/compliance.rs"), text));
                ""
            }
        };
        _ = write!(tables, "\n[[test]]\nname = \"compliance\"{path}\nharness = false\n");
    }
    for test in own {
        let file = test.strip_prefix(&start.folder)?.display().to_string().replace('\\', "/");
        let stem = test.file_stem().context("a test has a name")?.display();
        let harness = without_harness(&test)?;
        _ = write!(
            tables,
            "\n[[test]]\nname = \"{stem}\"\npath = \"../../template/src/{name}/{file}\"\n{harness}"
        );
    }
    for (stem, main) in tests_here(&checkout.join(&folder))? {
        let harness = without_harness(&main)?;
        if !harness.is_empty() && stem != "compliance" {
            _ = write!(tables, "\n[[test]]\nname = \"{stem}\"\n{harness}");
        }
    }
    Ok(tables)
}

/// Returns whether the template's example names this starting point, and, if not, the template's compliance
/// test with this one's names.
fn shared(start: &Start, checkout: &Path) -> Result<(bool, Option<String>)> {
    let crate_name = format!("notify_backend_{}", start.name);
    let example = read(&checkout.join("template/examples/watch.rs"))?;
    if example.contains(&crate_name) {
        return Ok((true, None));
    }
    let test = read(&checkout.join("template/tests/compliance.rs"))?;
    let broken = "template/tests/compliance.rs does not end as CONTRIBUTING.md says";
    let (code, end) = test.split_once("//~").context(broken)?;
    let mut copy = code.replacen(" {%- capture source %}", "", 1);
    let mut names = end.split("| replace: \"").skip(1);
    for new in [&crate_name, &start.type_name] {
        let (old, _) = names.next().and_then(|rest| rest.split_once('"')).context(broken)?;
        copy = copy.replace(old, new);
    }
    copy.insert_str(
        0,
        "//! Written by `cargo xtask sync` from `template/tests/compliance.rs`.\n//!\n",
    );
    Ok((false, Some(copy)))
}

/// Returns the tests that stay in this repository, each with its root file.
fn tests_here(package: &Path) -> Result<BTreeMap<String, std::path::PathBuf>> {
    let folder = package.join("tests");
    let mut tests = BTreeMap::new();
    if folder.exists() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let stem = path.file_stem().context("a test has a name")?.to_string_lossy().into();
            let main = if path.is_dir() { path.join("main.rs") } else { path };
            tests.insert(stem, main);
        }
    }
    Ok(tests)
}

/// Returns `harness = false` for a test program that has its own `main`.
fn without_harness(test: &Path) -> Result<&'static str> {
    let is_program = read(test)?.contains("\nfn main() ");
    Ok(if is_program { "harness = false\n" } else { "" })
}

/// Returns the library's features, as they follow its version or path.
pub(super) fn features_of_library(dependencies: &Table) -> String {
    let features = dependencies.get(LIBRARY).and_then(|library| library.get("features"));
    features.map(|features| format!(", features = {features}")).unwrap_or_default()
}

/// Returns a line for each dependency except the library.
pub(super) fn others(dependencies: &Table) -> Vec<String> {
    let others = dependencies.iter().filter(|(name, _)| *name != LIBRARY);
    others.map(|(name, needed)| format!("{name} = {}", shown(needed))).collect()
}

/// Returns the tables of target-specific dependencies, each after an empty line.
pub(super) fn targets(targets: &BTreeMap<String, Needs>) -> String {
    let mut text = String::new();
    for (target, needs) in targets {
        for (kind, table) in
            [("dependencies", &needs.dependencies), ("dev-dependencies", &needs.dev_dependencies)]
        {
            if !table.is_empty() {
                _ = write!(text, "\n[target.'{target}'.{kind}]\n");
                push_lines(&mut text, others(table));
            }
        }
    }
    text
}

/// Returns a dependency as one line.
fn shown(needed: &Value) -> String {
    needed.to_string()
}

fn push_lines(text: &mut String, lines: Vec<String>) {
    for line in lines {
        *text += &line;
        *text += "\n";
    }
}
