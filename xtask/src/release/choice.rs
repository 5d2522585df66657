//! The choice among the backends, as a crate of its own: [`staged`].

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use toml::{Table, Value};
use walkdir::WalkDir;

use crate::{
    backends::is_proven, files::read, release::namespace::with_namespace, template::address,
};

/// The tables of a manifest that hold dependencies.
const DEPENDENCIES: [&str; 2] = ["dependencies", "dev-dependencies"];

/// Copies the package of the choice out of this workspace. The copy depends on the published crates, and its
/// dependencies are not locked yet.
pub(super) fn staged(checkout: &Path, name: &str, version: &str, folder: &Path) -> Result<PathBuf> {
    let source = checkout.join("native");
    let project = folder.join(name);
    if project.exists() {
        fs::remove_dir_all(&project)?;
    }
    for entry in WalkDir::new(&source).follow_links(true) {
        let entry = entry?;
        let to = project.join(entry.path().strip_prefix(&source)?);
        if entry.file_type().is_dir() {
            fs::create_dir_all(to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    // They need the sources of this repository.
    fs::remove_dir_all(project.join("tests"))?;
    let path = project.join("Cargo.toml");
    let workspace = toml::from_str(&read(&checkout.join("Cargo.toml"))?)?;
    let address = address(checkout)?;
    let manifest = manifest(&read(&path)?, &workspace, name, version, address)
        .with_context(|| format!("in {}", path.display()))?;
    fs::write(&path, manifest)?;
    let source = project.join("src/lib.rs");
    let named = with_namespace(&read(&source)?, "native", is_proven(checkout, name)?)?;
    fs::write(&source, named)?;
    let readme = project.join("README.md");
    let text: Vec<_> = read(&readme)?.lines().map(|line| with_version(line, version)).collect();
    fs::write(&readme, text.join("\n") + "\n")?;
    fs::copy(checkout.join("CHANGELOG.md"), project.join("CHANGELOG.md"))?;
    Ok(project)
}

/// Returns the manifest outside the workspace: with the workspace's values, and with versions for paths.
fn manifest(
    text: &str,
    workspace: &Table,
    name: &str,
    version: &str,
    address: Option<String>,
) -> Result<String> {
    let mut manifest: Table = toml::from_str(text)?;
    let package = table(&mut manifest, "package").context("there is no package")?;
    package.remove("publish");
    package.insert("version".into(), version.into());
    if let Some(address) = address {
        package.insert("repository".into(), address.into());
    }
    let shared = &workspace["workspace"]["package"];
    for (key, value) in package.iter_mut() {
        if value.get("workspace").is_some() {
            let value_of_all = shared.get(key);
            *value = value_of_all.with_context(|| format!("the workspace has no {key}"))?.clone();
        }
    }
    for key in ["lints", "test"] {
        manifest.remove(key);
    }
    versions(&mut manifest, name, version);
    if let Some(targets) = table(&mut manifest, "target") {
        for (_, target) in targets.iter_mut() {
            versions(target.as_table_mut().context("a target is a table")?, name, version);
        }
    }
    Ok(format!("# Written by `cargo xtask release`.\n{}", toml::to_string(&manifest)?))
}

fn table<'a>(table: &'a mut Table, key: &str) -> Option<&'a mut Table> {
    table.get_mut(key)?.as_table_mut()
}

/// Replaces the paths of our crates by this version. Its tests' dependency on the crate itself goes with them.
fn versions(manifest: &mut Table, name: &str, version: &str) {
    for key in DEPENDENCIES {
        let Some(dependencies) = table(manifest, key) else { continue };
        dependencies.remove(name);
        for (_, needed) in dependencies.iter_mut() {
            if let Some(needed) = needed.as_table_mut()
                && needed.remove("path").is_some()
            {
                needed.insert("version".into(), Value::from(version));
            }
        }
    }
}

/// Returns a line of the README with this version of our crates.
fn with_version(line: &str, version: &str) -> String {
    if line.starts_with("notify-backend") {
        line.replace("\"0.1.0\"", &format!("\"{version}\""))
    } else {
        line.into()
    }
}
