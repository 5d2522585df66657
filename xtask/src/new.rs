//! `cargo xtask new`: creates a backend crate from the template, without an installed cargo-generate.

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

/// Create a backend crate from the template.
///
/// On a terminal, the command asks for missing answers; elsewhere it uses the template's defaults.
/// The crate depends on this checkout by path, and, once published, on the published version.
#[derive(clap::Args)]
pub(crate) struct New {
    /// The crate's name: notify-backend-PLATFORM
    name: String,
    /// What to start from
    #[arg(long)]
    start: Option<String>,
    /// The folder in which to create the crate's folder [default: the one that contains this repository]
    #[arg(long, value_name = "PARENT")]
    destination: Option<PathBuf>,
    /// An answer to a question of the template, e.g. -d description="Watches an Acme store";
    /// docs/template.md lists the questions
    #[arg(short = 'd', long = "define", value_name = "KEY=VALUE")]
    define: Vec<String>,
    /// A TOML file with answers in the table `[values]`; `-d` and `--start` take precedence
    #[arg(long, value_name = "FILE")]
    values_file: Option<PathBuf>,
    /// Ask no questions: use the defaults for missing answers
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
                    eprintln!("note: no git repository was created for the crate: {error:#}");
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
            "the destination {shown} is not a folder; name the folder in which to create the crate's own"
        );
        let parent = fs::canonicalize(parent).with_context(|| format!("cannot use {shown}"))?;

        let root = fs::canonicalize(repository)?;
        let inside = parent.starts_with(&root) && !parent.starts_with(root.join("target"));
        ensure!(
            !inside,
            "the destination {shown} is inside this repository; choose another, e.g. --destination {}",
            next::quoted(beside)
        );

        let project = parent.join(&self.name);
        let taken = project.symlink_metadata().is_ok();
        ensure!(
            !taken,
            "{} already exists; choose another name or --destination",
            project.display()
        );
        Ok(project)
    }

    /// Prints the created files and the next commands.
    fn report(&self, project: &Path) -> Result<ExitCode> {
        println!("Created {}:", project.display());
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

/// Lists the starting points in the help of `--start`, each with its title.
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

/// Checks the crate's name. The template's `init.rhai` has the same check for cargo-generate.
fn check_name(name: &str) -> Result<()> {
    let form = Regex::new("^notify-backend-[a-z][a-z0-9]*(-[a-z0-9]+)*$")?;
    ensure!(
        form.is_match(name) && name.len() <= 64,
        "{name:?} is not a name for a backend crate: it must be notify-backend-PLATFORM, where PLATFORM starts with a letter and has only lower-case letters, digits and single hyphens between them; at most 64 characters in all. Try: cargo xtask new notify-backend-demo"
    );
    Ok(())
}
