//! `cargo xtask upgrade`: applies a newer template's changes to a crate that was made from an older one.

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::tempdir;

use crate::{
    answers::{Answers, Origin},
    git, interruption,
    merge::{Merge, Outcome},
    questions::Questions,
    template::{generate, repository},
};

/// Upgrade a crate to the template of this checkout.
///
/// The author's changes are kept. Where the template has changed the same lines, conflict markers show both
/// versions, and the command fails.
#[derive(clap::Args)]
pub(crate) struct Upgrade {
    /// The crate's folder
    path: PathBuf,
    /// The template that the crate was made from: a revision of this repository, or a folder that
    /// holds another checkout of it [default: the tag of the version that the crate names]
    #[arg(long, value_name = "REVISION")]
    from: Option<String>,
    /// An answer to a new question, or a different answer to an old one
    #[arg(short = 'd', long = "define", value_name = "KEY=VALUE")]
    define: Vec<String>,
}

/// The parts of a crate's manifest that an upgrade needs.
#[derive(Deserialize)]
struct Manifest {
    package: Package,
    dependencies: Dependencies,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "notify-backend-template")]
    template: Template,
}

#[derive(Deserialize)]
struct Template {
    version: String,
    #[serde(flatten)]
    answers: toml::Table,
}

#[derive(Deserialize)]
struct Dependencies {
    #[serde(rename = "notify-backend")]
    notify_backend: toml::Value,
}

impl Manifest {
    fn read(project: &Path) -> Result<Self> {
        let path = project.join("Cargo.toml");
        let shown = path.display();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
        toml::from_str(&text).with_context(|| {
            format!("{shown} does not say which template the crate was made from: it needs [package.metadata.notify-backend-template]")
        })
    }
}

impl Upgrade {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let repository = &repository()?;
        let shown = self.path.display();
        let manifest = Manifest::read(&self.path)?;
        let has_changes = git::has_changes(&self.path)
            .with_context(|| format!("cannot tell whether {shown} has uncommitted changes"))?;
        ensure!(
            !has_changes,
            "{shown} has uncommitted changes; commit them first, so that you can tell the template's changes from yours"
        );

        let Template { version, answers: recorded } = &manifest.package.metadata.template;
        let library = manifest.dependencies.notify_backend.get("path");
        let library = library.and_then(toml::Value::as_str).unwrap_or_default();
        let origin = Origin::File(self.path.join("Cargo.toml"));
        let mut made_with = Answers::default();
        made_with.add_library(Path::new(library), origin.clone())?;
        made_with.add_table(recorded, &origin);

        let questions = Questions::read(repository)?;
        let mut answers = Answers::personal(&questions)?;
        answers.add_all(&made_with);
        answers.add_defined(&self.define)?;
        answers.check(&questions)?;
        let is_asked = io::stdin().is_terminal() && io::stderr().is_terminal();
        interruption::handle(is_asked)?;
        if is_asked {
            for (key, answer) in questions.ask(|key| answers.has(key))? {
                answers.add(key, &answer, Origin::Asked);
            }
        }

        let name = &manifest.package.name;
        interruption::uninterrupted(
            || {
                let folder = tempdir()?;
                let part = |name: &str| {
                    let part = folder.path().join(name);
                    fs::create_dir(&part).map(|()| part)
                };
                let older = self.older(repository, version, part("template")?)?;
                let known = made_with.known_to(&Questions::read(&older)?);
                let old = generate(&older, name, &part("old")?, &known)?;
                let new = generate(repository, name, &part("new")?, &answers)?;
                let newer = Manifest::read(&new)?.package.metadata.template.version;
                let merge =
                    Merge { old: (&old, version), new: (&new, &newer), project: &self.path };
                Ok(report(&merge.run()?))
            },
            // Nothing to undo: the author's changes are committed, and `git diff` shows the template's.
            |_| Ok(()),
        )
    }

    /// Returns a checkout of the template that the crate was made from; a revision is extracted into `folder`.
    fn older(&self, repository: &Path, version: &str, folder: PathBuf) -> Result<PathBuf> {
        let revision = self.from.clone().unwrap_or_else(|| format!("v{version}"));
        let other = PathBuf::from(&revision);
        if other.join("cargo-generate.toml").is_file() {
            return Ok(other);
        }
        ensure!(
            git::export(repository, &revision, &folder)?,
            "this repository has no revision {revision}; name the one whose template the crate was made from, or a folder that holds it, with --from"
        );
        Ok(folder)
    }
}

/// Prints the outcome for each file.
fn report(outcomes: &[(PathBuf, Outcome)]) -> ExitCode {
    for (path, outcome) in outcomes {
        let (word, reason) = match outcome {
            Outcome::Added => ("added", ""),
            Outcome::Updated => ("updated", ""),
            Outcome::Removed => ("removed", ""),
            Outcome::Merged => ("merged", ""),
            Outcome::Conflict => ("conflict", ": look for <<<<<<< in it"),
            Outcome::LeftOut => ("left out", ": you have removed it, the template has changed it"),
            Outcome::Kept => ("kept", ": the template has removed it, you have changed it"),
        };
        println!("{word:<9} {}{reason}", path.display());
    }
    let conflicts = outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Conflict).count();
    match (outcomes.len(), conflicts) {
        (0, _) => println!("The template has nothing new for this crate."),
        (_, 0) => println!("Run cargo test, and commit."),
        _ => println!("Resolve the conflicts, run cargo test, and commit."),
    }
    if conflicts == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
