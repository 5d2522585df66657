//! `cargo xtask new`: a new backend crate from the template, with no cargo-generate installed.

use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use regex::Regex;
use walkdir::WalkDir;

use crate::{
    answers::{Answers, Origin},
    git, interruption, next,
    questions::Questions,
    start::Start,
    template::{generate, repository},
};

/// Make a new backend crate from the template.
///
/// On a terminal, it asks for missing answers; elsewhere it uses the template's defaults.
/// The crate depends on this checkout, and on the published version once it is published itself.
#[derive(clap::Args)]
pub(crate) struct New {
    /// The crate's name: notify-backend-PLATFORM
    name: String,
    /// What to start from
    #[arg(long)]
    start: Option<String>,
    /// The folder in which to make the crate's folder [default: the one that contains this repository]
    #[arg(long, value_name = "PARENT")]
    destination: Option<PathBuf>,
    /// An answer to a question of the template, e.g. -d description="Watches an Acme store";
    /// docs/template.md has them all
    #[arg(short = 'd', long = "define", value_name = "KEY=VALUE")]
    define: Vec<String>,
    /// Answers in a TOML file, below `[values]`; `-d` and `--start` count more
    #[arg(long, value_name = "FILE")]
    values_file: Option<PathBuf>,
    /// Ask nothing: use the defaults for missing answers
    #[arg(long)]
    silent: bool,
}

impl New {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let repository = &repository()?;
        check_name(&self.name)?;
        let project = self.project(repository)?;
        let parent = project.parent().context("the crate's folder has no parent")?;
        let questions = Questions::read(repository)?;
        let mut answers = Answers::personal(&questions)?;
        answers.add_library(repository, Origin::Option("cargo xtask new"))?;
        if let Some(file) = &self.values_file {
            answers.add_file(file)?;
        }
        answers.add_defined(&self.define)?;
        if let Some(start) = &self.start {
            answers.add("start", start, Origin::Option("--start"));
        }
        answers.check(&questions)?;

        let is_asked = io::stdin().is_terminal() && io::stderr().is_terminal() && !self.silent;
        interruption::handle(is_asked)?;
        if is_asked {
            for (key, answer) in questions.ask(|key| answers.has(key))? {
                answers.add(key, &answer, Origin::Asked);
            }
        }
        interruption::uninterrupted(
            || {
                generate(repository, &self.name, parent, &answers)?;
                if let Err(error) = git::init(&project) {
                    eprintln!("note: no git repository was made for the crate: {error:#}");
                }
                Ok(())
            },
            |()| Ok(fs::remove_dir_all(&project)?),
        )?;
        self.report(&project)
    }

    /// Returns the new crate's folder.
    fn project(&self, repository: &Path) -> Result<PathBuf> {
        let beside = repository.parent().unwrap_or(repository);
        let parent = self.destination.as_deref().unwrap_or(beside);
        let shown = parent.display();
        ensure!(parent.exists(), "the destination {shown} does not exist; create it first");
        ensure!(
            parent.is_dir(),
            "the destination {shown} is not a folder; name the folder in which the crate's own is to be made"
        );
        let parent = fs::canonicalize(parent).with_context(|| format!("cannot use {shown}"))?;

        let root = fs::canonicalize(repository)?;
        let inside = parent.starts_with(&root) && !parent.starts_with(root.join("target"));
        ensure!(
            !inside,
            "the destination {shown} is a part of this repository; choose another, e.g. --destination {}",
            next::quoted(beside)
        );

        let project = parent.join(&self.name);
        let taken = project.symlink_metadata().is_ok();
        ensure!(!taken, "{} exists; choose another name or --destination", project.display());
        Ok(project)
    }

    /// Shows what was made, and what to do next.
    fn report(&self, project: &Path) -> Result<ExitCode> {
        println!("Made {}:", project.display());
        let entries = WalkDir::new(project).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| entry.file_name() != ".git") {
            let entry = entry?;
            if entry.file_type().is_file() {
                println!("    {}", entry.path().strip_prefix(project)?.display());
            }
        }
        let folder = self.destination.as_ref().map_or(project.into(), |it| it.join(&self.name));
        next::show(project, folder);
        Ok(ExitCode::SUCCESS)
    }
}

/// Adds what starting points there are to the help of `--start`, as they say of themselves.
pub(crate) fn with_starts(command: clap::Command) -> clap::Command {
    let starts = repository().and_then(|repository| Start::all(&repository)).unwrap_or_default();
    let starts: Vec<_> =
        starts.iter().map(|start| format!("- {}: {}", start.name, start.about.title)).collect();
    command.mut_subcommand("new", |new| {
        new.mut_arg("start", |arg| {
            arg.long_help(format!("What to start from:\n{}", starts.join("\n")))
        })
    })
}

/// What the template's `init.rhai` checks too, for those who run cargo-generate.
fn check_name(name: &str) -> Result<()> {
    let form = Regex::new("^notify-backend-[a-z][a-z0-9]*(-[a-z0-9]+)*$")?;
    ensure!(
        form.is_match(name) && name.len() <= 64,
        "{name:?} is not a name for a backend crate: it has to be notify-backend-PLATFORM, the platform being lower-case letters and digits with single hyphens between, a letter first, 64 characters in all at most. Try again with: cargo xtask new notify-backend-demo"
    );
    Ok(())
}
