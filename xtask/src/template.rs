//! A checkout that has the template, and a crate made from it.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use cargo_generate::{GenerateArgs, TemplatePath};
use tempfile::{TempDir, tempdir};
use walkdir::WalkDir;

use crate::{answers::Answers, files::utf8};

/// Returns the checkout that cargo runs this program for; that in which it was built, if somebody else
/// does.
pub(crate) fn repository() -> Result<PathBuf> {
    let xtask = env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    let repository = Path::new(&xtask).parent().context("the xtask folder has no parent")?;
    Ok(repository.into())
}

/// Makes the crate `name` in the folder `parent`, from the template of a checkout. Where it fails,
/// it leaves nothing behind.
pub(crate) fn generate(
    checkout: &Path,
    name: &str,
    parent: &Path,
    answers: &Answers,
) -> Result<PathBuf> {
    let project = parent.join(name);
    // It would be removed below.
    ensure!(!project.exists(), "{} exists", project.display());
    let template = copy(checkout)?;
    // The user's is among the answers already, as far as it is about this template.
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
        // Whatever is to be asked was asked before.
        silent: true,
        // It would rewrite the manifest of a workspace around the new folder, comments lost.
        no_workspace: true,
        quiet: true,
        ..GenerateArgs::default()
    });
    if let Err(error) = generated {
        // The folder was not there before, and half a crate is of no use.
        if project.exists() {
            fs::remove_dir_all(&project)?;
        }
        return Err(error);
    }
    Ok(project)
}

/// Returns a copy of what cargo-generate needs of a checkout. It takes over the modes of the files: those
/// of the copy are as the user's new files are, whatever the checkout has, which may be read-only.
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
