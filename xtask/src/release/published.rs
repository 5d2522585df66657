//! The content of a package, on this machine and as it is published: [`Content`].

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::tempdir;
use walkdir::WalkDir;

use crate::files::utf8;

/// The files of a package by their paths, without those that cargo derives when it packages: they depend on
/// cargo's version and on the registry at that moment.
#[derive(PartialEq, Eq)]
pub(super) struct Content(BTreeMap<PathBuf, Vec<u8>>);

const DERIVED: [&str; 4] = [".cargo-ok", ".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml"];

impl Content {
    fn of(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for entry in WalkDir::new(folder) {
            let entry = entry?;
            let path = entry.path().strip_prefix(folder)?;
            if entry.file_type().is_file() && !DERIVED.iter().any(|name| path == Path::new(name)) {
                files.insert(path.into(), fs::read(entry.path())?);
            }
        }
        ensure!(!files.is_empty(), "there is no package in {}", folder.display());
        Ok(Self(files))
    }

    /// Returns the paths of the files that are not the same in both.
    pub(super) fn differing(&self, other: &Self) -> Vec<String> {
        let both = [(self, other), (other, self)];
        let differing = both.into_iter().flat_map(|(a, b)| {
            a.0.iter().filter(|(path, text)| b.0.get(*path) != Some(text)).map(|(path, _)| path)
        });
        let mut paths: Vec<_> = differing.map(|path| path.display().to_string()).collect();
        paths.sort();
        paths.dedup();
        paths
    }
}

/// Returns the content of a package that cargo has made in its target folder.
pub(super) fn unpacked(target: &Path, name: &str, version: &str) -> Result<Content> {
    let package = target.join("package").join(format!("{name}-{version}.crate"));
    let folder = tempdir()?;
    let mut tar = Command::new("tar");
    tar.args(["-xzf", utf8(&package)?, "-C", utf8(folder.path())?]);
    let status = tar.status().context("cannot run tar")?;
    ensure!(status.success(), "tar cannot unpack {}", package.display());
    Content::of(&folder.path().join(format!("{name}-{version}")))
}

/// Returns the content of a published package; `None` if that version is not published. Cargo downloads it, as a
/// dependency of an empty crate.
pub(super) fn published(checkout: &Path, name: &str, version: &str) -> Result<Option<Content>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }

    let folder = tempdir()?;
    fs::create_dir(folder.path().join("src"))?;
    fs::write(folder.path().join("src/lib.rs"), "")?;
    let manifest = format!(
        "[package]\nname = \"asks\"\n\n[dependencies]\n{name} = \"={version}\"\n\n[workspace]\n"
    );
    fs::write(folder.path().join("Cargo.toml"), manifest)?;
    // Nothing else that it depends on is to be downloaded again.
    fs::copy(checkout.join("Cargo.lock"), folder.path().join("Cargo.lock"))?;
    let mut metadata = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    // The dependencies of other systems would be downloaded for nothing.
    let arguments = ["metadata", "--format-version", "1", "--filter-platform", "host-tuple"];
    metadata.args(arguments).current_dir(folder.path());
    let output = metadata.output().context("cannot run cargo")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let is_missing = said.contains("no matching package named")
            || said.contains("failed to select a version for the requirement");
        if is_missing && said.contains(&format!("`{name}")) {
            return Ok(None);
        }
        bail!("cargo cannot say whether {name} {version} is published: {said}");
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let found = metadata.packages.into_iter().find(|package| package.name == name);
    let manifest = found.context("cargo does not name the package")?.manifest_path;
    Content::of(manifest.parent().context("a manifest is in a folder")?).map(Some)
}
