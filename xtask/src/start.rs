//! The starting points: the folders of `template/src`, each described by its `start.toml`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::files::read;

/// Every capability in the order of its declaration, with its description in a README.
const CAPABILITIES: [(&str, &str); 11] = [
    ("EmitOnAccess", "reports when a file is opened, read or closed, if the watch asks for it"),
    ("FollowSymlinks", "watches the targets of symbolic links, if the watch asks for it"),
    ("TrackRelated", "pairs the two events of one rename"),
    ("WatchEntireFilesystem", "watches a whole file system at no cost per folder"),
    ("WatchFiles", "watches single files"),
    ("WatchFolders", "watches folders"),
    ("WatchNewFolders", "watches folders that are created later"),
    ("WatchRecursively", "watches everything below a folder"),
    ("WatchNetworkedFilesystem", "sees what other machines change"),
    ("ChangeWatches", "adds and removes watches while it runs"),
    ("Resume", "goes on from where an earlier program stopped"),
];

/// The name of the system for which GitHub has no runner, but others have a virtual machine.
const FREEBSD: &str = "freebsd";

/// A starting point.
pub(crate) struct Start {
    /// Its name for `--start`.
    pub(crate) name: String,
    /// The folder with its sources.
    pub(crate) folder: PathBuf,
    pub(crate) about: About,
    /// The capabilities that its code declares, each with its description in a README.
    pub(crate) capabilities: Vec<(&'static str, String)>,
    /// The name of its type, which a generated crate replaces.
    pub(crate) type_name: String,
}

/// The fields of a `start.toml`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct About {
    pub(crate) title: String,
    pub(crate) runs_on: String,
    pub(crate) take_it_if: String,
    /// The heading of its facility in the guide's platform notes.
    pub(crate) platform_notes: Option<String>,
    /// Whether it is only a frame without an implementation, so that there is nothing to test.
    #[serde(default)]
    pub(crate) is_frame: bool,
    /// Why `cargo xtask release` does not publish a crate made from it, if so.
    pub(crate) unpublished: Option<String>,
    /// The GitHub runners that test a crate made from it; `freebsd` is a virtual machine on one of them.
    pub(crate) systems: Vec<String>,
    /// Whether the runners test it as root.
    #[serde(default)]
    pub(crate) needs_root: bool,
    /// The targets for which docs.rs builds its documentation; empty for the default.
    #[serde(default)]
    pub(crate) targets: Vec<String>,
    /// Paragraphs for the generated README, below the capabilities.
    pub(crate) readme: String,
    /// Limits of a capability, by its name.
    #[serde(default)]
    capabilities: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) dependencies: toml::Table,
    #[serde(default)]
    pub(crate) dev_dependencies: toml::Table,
    #[serde(default)]
    pub(crate) target: BTreeMap<String, Needs>,
    /// Further dependencies of its tests in this repository.
    #[serde(default)]
    pub(crate) here: Needs,
}

/// Tables of dependencies, as in a manifest. For `notify-backend`, only `features` matters.
#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Needs {
    #[serde(default)]
    pub(crate) dependencies: toml::Table,
    #[serde(default)]
    pub(crate) dev_dependencies: toml::Table,
    #[serde(default)]
    pub(crate) target: BTreeMap<String, Needs>,
}

impl Start {
    /// Returns all starting points of a checkout, sorted by name.
    pub(crate) fn all(checkout: &Path) -> Result<Vec<Self>> {
        let sources = checkout.join("template/src");
        let names = fs::read_dir(&sources)
            .with_context(|| format!("cannot list {}", sources.display()))?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<_> = names.collect::<Result<_>>()?;
        names.sort();
        names.into_iter().map(|name| Self::read(name, &sources)).collect()
    }

    fn read(name: String, sources: &Path) -> Result<Self> {
        let folder = sources.join(&name);
        let file = folder.join("start.toml");
        let about: About = toml::from_str(&read(&file)?)
            .with_context(|| format!("cannot parse {}", file.display()))?;
        let lib = folder.join("lib.rs");
        let code = read(&lib)?;
        let capabilities = about
            .capabilities_of(&code)
            .with_context(|| format!("in {} and {}", lib.display(), file.display()))?;
        let type_name = between(&code, "| replace: \"", "\", type_name").with_context(|| {
            format!(
                "the last line of {} does not say which name is replaced by `type_name`",
                lib.display()
            )
        })?;
        let type_name = type_name.into();
        Ok(Self { name, folder, about, capabilities, type_name })
    }

    /// Returns the rows of a README's table of capabilities.
    pub(crate) fn capability_rows(&self) -> String {
        let rows = self.capabilities.iter();
        let rows: Vec<_> = rows.map(|(name, row)| format!("| `{name}` | {row} |")).collect();
        rows.join("\n")
    }

    /// Returns the test programs in `tests/` that a generated crate gets, sorted by name. The folders there are modules
    /// of them.
    pub(crate) fn own_tests(&self) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("tests");
        if !folder.exists() {
            return Ok(vec![]);
        }
        let mut tests =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        tests.retain(|test| test.is_file());
        tests.sort();
        Ok(tests)
    }
}

impl About {
    /// Returns the GitHub runners that test a crate made from it themselves.
    pub(crate) fn runners(&self) -> Vec<&str> {
        self.systems.iter().map(String::as_str).filter(|system| *system != FREEBSD).collect()
    }

    /// Returns whether a virtual machine with FreeBSD tests a crate made from it.
    pub(crate) fn is_for_freebsd(&self) -> bool {
        self.systems.iter().any(|system| system == FREEBSD)
    }

    /// Returns the capabilities that the code declares in `const CAPABILITIES`.
    fn capabilities_of(&self, code: &str) -> Result<Vec<(&'static str, String)>> {
        let declaration = between(code, "\nconst CAPABILITIES: ", ";\n\n")
            .context("there is no `const CAPABILITIES`")?;
        let mut declared: Vec<_> = declaration
            .split("Capability::")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_alphabetic()).next())
            .collect();
        for edge in self.capabilities.keys() {
            ensure!(declared.contains(&edge.as_str()), "{edge} is not declared");
        }
        let mut rows = vec![];
        for (name, row) in CAPABILITIES {
            let Some(place) = declared.iter().position(|declared| *declared == name) else {
                continue;
            };
            declared.remove(place);
            let row = match self.capabilities.get(name) {
                Some(edge) => format!("{row} ({edge})"),
                None => row.into(),
            };
            rows.push((name, row));
        }
        if let Some(unknown) = declared.first() {
            bail!("CAPABILITIES in xtask/src/start.rs has no description of {unknown}");
        }
        Ok(rows)
    }
}

/// Returns the text between the first `start` and the next `end`.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}
