//! `cargo xtask new`: a new backend crate from the template, with no cargo-generate installed.

use std::{
    env, fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail, ensure};
use cargo_generate::{GenerateArgs, TemplatePath};
use regex::Regex;
use walkdir::WalkDir;

use crate::{git, questions::Questions};

/// Make a new backend crate from the template.
///
/// What no option answers is asked on a terminal; elsewhere the template's defaults are taken.
/// The crate depends on this checkout, and on the published version once it is published itself.
#[derive(clap::Args)]
pub(crate) struct New {
    /// The crate's name: notify-backend-PLATFORM
    name: String,
    /// What to start from: `inotify` or `poll`, working backends, or `skeleton`, the bare frame of one
    #[arg(long)]
    start: Option<String>,
    /// The folder in which the crate's folder is made [default: the one that holds this repository]
    #[arg(long, value_name = "PARENT")]
    destination: Option<PathBuf>,
    /// An answer to a question of the template, e.g. -d description="Watches an Acme store"
    #[arg(short = 'd', long = "define", value_name = "KEY=VALUE")]
    define: Vec<String>,
}

impl New {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let repository = repository()?;
        check_name(&self.name)?;
        let project = self.project(repository)?;
        let answers = self.answers(repository)?;

        // The environment of a process should not be changed from within, so that of another is.
        if let Some(author) = git::missing_author() {
            let mut again = Command::new(env::current_exe()?);
            let status = again.args(env::args_os().skip(1)).envs(author).status()?;
            return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }

        let generated = cargo_generate::generate(GenerateArgs {
            template_path: TemplatePath {
                path: Some(utf8(repository)?.into()),
                auto_path: Some("template".into()),
                ..TemplatePath::default()
            },
            name: Some(self.name.clone()),
            destination: project.parent().map(Into::into),
            define: answers,
            silent: !(io::stdin().is_terminal() && io::stderr().is_terminal()),
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
        git::init(&project)?;
        self.report(&project)
    }

    /// The new crate's folder.
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
            beside.display()
        );

        let project = parent.join(&self.name);
        let taken = project.symlink_metadata().is_ok();
        ensure!(!taken, "{} exists; choose another name or --destination", project.display());
        Ok(project)
    }

    /// The answers in the form `KEY=VALUE`, each one checked: cargo-generate would do so only after
    /// the folder is made.
    fn answers(&self, repository: &Path) -> Result<Vec<String>> {
        const NOTIFY_BACKEND: &str = "notify_backend_path";

        let questions = Questions::read(repository)?;
        let mut answers = vec![format!("{NOTIFY_BACKEND}={}", utf8(repository)?)];
        answers.extend(self.start.iter().map(|start| format!("start={start}")));
        answers.extend(self.define.iter().cloned());
        for answer in &answers {
            let Some((key, value)) = answer.split_once('=') else {
                bail!("-d {answer:?} is not of the form KEY=VALUE");
            };
            if key != NOTIFY_BACKEND {
                questions.check(key, value)?;
            }
        }
        Ok(answers)
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
        println!("Next:");
        println!("    cd {}", folder.display());
        println!("    cargo test");
        println!("    cargo run --example watch -- .");
        Ok(ExitCode::SUCCESS)
    }
}

/// The checkout that this program was built in.
fn repository() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the xtask folder has no parent")
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not valid UTF-8", path.display()))
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
