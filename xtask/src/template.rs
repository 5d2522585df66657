//! Generates a crate from the template of a checkout.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use cargo_generate::{GenerateArgs, TemplatePath};
use tempfile::{TempDir, tempdir};
use toml::Table;
use walkdir::WalkDir;

use crate::{
    answers::Answers,
    files::{read, utf8},
};

/// Returns the checkout in which cargo runs this program; without cargo, the one in which it was built.
pub(crate) fn repository() -> Result<PathBuf> {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    let repository = Path::new(&xtask).parent().context("the xtask folder has no parent")?;
    Ok(repository.into())
}

/// Returns the repository's address, if its manifest has one.
pub(crate) fn address(checkout: &Path) -> Result<Option<String>> {
    let manifest: Table = toml::from_str(&read(&checkout.join("Cargo.toml"))?)?;
    let address = manifest["package"].get("repository").and_then(|it| it.as_str());
    Ok(address.map(String::from))
}

/// Returns the version in a manifest.
pub(crate) fn version(manifest: &Path) -> Result<String> {
    let table: Table = toml::from_str(&read(manifest)?)?;
    let version = table.get("package").and_then(|package| package.get("version")?.as_str());
    Ok(version.with_context(|| format!("{} has no version", manifest.display()))?.into())
}

/// Creates the crate `name` in the folder `parent`, from the template of a checkout. If that fails, nothing
/// is left behind.
pub(crate) fn generate(
    checkout: &Path,
    name: &str,
    parent: &Path,
    answers: &Answers,
) -> Result<PathBuf> {
    let project = parent.join(name);
    // A failure removes the folder, below.
    ensure!(!project.exists(), "{} already exists", project.display());
    let template = copy(checkout)?;
    // Empty, because `answers` already has what applies of the user's configuration.
    let configuration = template.path().join("configuration.toml");
    fs::write(&configuration, "")?;
    let generated = cargo_generate::generate(GenerateArgs {
        template_path: TemplatePath {
            path: Some(utf8(template.path())?.into()),
            auto_path: Some("template".into()),
            ..TemplatePath::default()
        },
        name: Some(name.into()),
        destination: Some(parent.into()),
        config: Some(configuration),
        define: answers.defined(),
        // All questions have been asked before.
        silent: true,
        // It would rewrite the manifest of a workspace around the new folder, and lose its comments.
        no_workspace: true,
        quiet: true,
        ..GenerateArgs::default()
    });
    if let Err(error) = generated {
        // The folder did not exist before, and half a crate is of no use.
        if project.exists() {
            fs::remove_dir_all(&project)?;
        }
        return Err(error);
    }
    Ok(project)
}

/// Copies the files of a checkout that cargo-generate needs. cargo-generate preserves permissions: the files
/// of the copy have those of the user's new files, even if the checkout is read-only.
fn copy(checkout: &Path) -> Result<TempDir> {
    let copy = tempdir()?;
    for part in ["cargo-generate.toml", "template"] {
        for entry in WalkDir::new(checkout.join(part)).follow_links(true) {
            let entry = entry?;
            let to = copy.path().join(entry.path().strip_prefix(checkout)?);
            let copied = if entry.file_type().is_dir() {
                fs::create_dir(to)
            } else {
                fs::read(entry.path()).and_then(|text| fs::write(to, text))
            };
            copied.with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(copy)
}
