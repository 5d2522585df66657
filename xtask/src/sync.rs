//! `cargo xtask sync`: writes or verifies the files that are derived from others, such as those of the
//! starting points.

mod hook;
mod links;
mod manifest;
mod pages;
mod plot;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};

use crate::{
    backends,
    files::read,
    recordings,
    start::Start,
    template::{address, repository},
};

/// Write everything that is derived from other files.
///
/// Each starting point (a folder of template/src with its sources and a start.toml) determines its package in
/// starting-points/, its data in the template, and its rows in the tables of README and guide. `repository` in
/// Cargo.toml determines the address in the commands of README and guide. The links in the guide determine
/// the link targets at the end of each page. The rows of docs/backends.toml determine BACKENDS.md and its badges, and
/// the transcripts in docs/recordings their pictures.
#[derive(clap::Args)]
pub(crate) struct Sync {
    /// Write nothing; fail if a file is out of date
    #[arg(long)]
    check: bool,
}

impl Sync {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let repository = &repository()?;
        let starts = Start::all(repository)?;
        let mut is_same = true;
        for (path, text) in derived(repository, &starts)? {
            let place = repository.join(&path);
            if place.exists() && read(&place)? == text {
                continue;
            }
            is_same = false;
            if self.check {
                println!("differs  {path}");
            } else {
                fs::create_dir_all(place.parent().context("a file is in a folder")?)?;
                fs::write(&place, text)?;
                println!("wrote    {path}");
            }
        }
        for path in leftovers(repository, &starts)? {
            is_same = false;
            let shown = path.strip_prefix(repository)?.display();
            if self.check {
                println!("obsolete {shown}");
            } else {
                fs::remove_dir_all(&path)?;
                println!("removed  {shown}");
            }
        }
        if self.check && !is_same {
            eprintln!(
                "error: these files are out of date: run `cargo xtask sync`, and commit the result"
            );
            return Ok(ExitCode::FAILURE);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns each file that is derived from others, in whole or in part: its path in the checkout, and the text
/// that it should have.
fn derived(checkout: &Path, starts: &[Start]) -> Result<Vec<(String, String)>> {
    let mut files = vec![("template/starts.rhai".into(), hook::text(starts))];
    files.push((backends::PAGE.into(), backends::page(checkout)?));
    files.extend(backends::badges(checkout)?);
    files.extend(recordings::pictures(checkout)?);
    let figures = read(&checkout.join("benches/README.md"))?;
    files.push(("benches/ratios.svg".into(), plot::svg(&figures)?));
    for start in starts {
        files.extend(manifest::package(start, checkout)?);
    }
    let address = address(checkout)?;
    let mut guide = links::read_pages(checkout)?;
    for (path, rewrite) in pages::PAGES {
        let text = match guide.get(path) {
            Some(page) => page.clone(),
            None => read(&checkout.join(path))?,
        };
        let text =
            rewrite(&text, starts).with_context(|| format!("cannot bring {path} up to date"))?;
        let text = pages::with_address(&text, address.as_deref());
        if let Some(page) = guide.get_mut(path) {
            *page = text;
        } else {
            files.push((path.into(), text));
        }
    }
    files.extend(links::pages(guide, checkout, address.as_deref())?);
    Ok(files)
}

/// Returns the packages whose starting points no longer exist.
fn leftovers(checkout: &Path, starts: &[Start]) -> Result<Vec<PathBuf>> {
    let mut left = vec![];
    for entry in fs::read_dir(checkout.join("starting-points"))? {
        let entry = entry?;
        if starts.iter().all(|start| *start.name != *entry.file_name()) {
            left.push(entry.path());
        }
    }
    Ok(left)
}
