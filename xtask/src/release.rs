//! `cargo xtask release`: publishes the library, then each working starting point as a crate, then
//! the choice among them.

mod choice;
mod namespace;
mod published;
mod readme;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};

use crate::{
    answers::{Answers, Origin},
    backends::is_proven,
    files::read,
    release::{
        namespace::with_namespace,
        published::{published, unpacked},
        readme::with_pictures,
    },
    start::Start,
    template::{self, address, generate, repository},
};

/// Publish the library, then each working starting point as a crate, then the choice among them.
///
/// All have the library's version. Each of these is generated from the template in this checkout, depends
/// on the published library, and has to pass its tests. A crate that is published with the same content is
/// skipped, so a release that has failed half-way is finished by another run; other content under the same
/// version is an error. Only the upload gets the token, from the variable `CARGO_REGISTRY_TOKEN`.
#[derive(clap::Args)]
pub(crate) struct Release {
    /// Package, build and compare, and publish nothing. Stops at the first crate that is not published yet,
    /// because the next ones depend on it
    #[arg(long)]
    check: bool,
    /// Generate the crates and the choice in `target/published`, where they use each other and the library
    /// of this checkout, and do nothing else
    #[arg(long, conflicts_with = "check")]
    stage: bool,
    /// Arguments for the compliance tests, such as a filter for a rehearsal
    #[arg(last = true)]
    tests: Vec<String>,
}

/// The variable with the token, which only the upload gets.
const TOKEN: &str = "CARGO_REGISTRY_TOKEN";

/// The library, and the choice among the backends.
const LIBRARY: &str = "notify-backend";
const CHOICE: &str = "notify-backend-native";

impl Release {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let checkout = &repository()?;
        let version = template::version(&checkout.join("Cargo.toml"))?;
        let starts = Start::all(checkout)?;
        let folder = folder(checkout);
        let starts = starts.iter().filter(|start| is_published(start));
        if self.stage {
            let mut sources = vec![checkout.clone()];
            for start in starts {
                let project = crate_of(checkout, start, &version, &folder)?;
                stage(checkout, &project, &sources[..1])?;
                sources.push(project);
            }
            let project = choice::staged(checkout, CHOICE, &version, &folder)?;
            sources.push(project.clone());
            stage(checkout, &project, &sources)?;
            return Ok(ExitCode::SUCCESS);
        }
        let changelog = checkout.join("CHANGELOG.md");
        ensure!(
            read(&changelog)?.lines().any(|line| heading(line) == Some(&*version)),
            "CHANGELOG.md has no heading \"## {version}\"; name the section of this release so"
        );
        let library = Package::new(LIBRARY, &version, checkout, checkout);
        if !self.publish(&library)? {
            return Ok(ExitCode::SUCCESS);
        }
        for start in starts {
            let name = crate_name(start);
            let project = crate_of(checkout, start, &version, &folder)?;
            lock(checkout, &project)?;
            let package = Package::new(&name, &version, &project, checkout);
            if start.about.systems.iter().any(|system| system.starts_with(SYSTEM)) {
                self.test(&package)?;
            } else {
                println!("{name}: not tested here: it is for {}", start.about.systems.join(", "));
            }
            if !self.publish(&package)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
        let project = choice::staged(checkout, CHOICE, &version, &folder)?;
        lock(checkout, &project)?;
        self.publish(&Package::new(CHOICE, &version, &project, checkout))?;
        Ok(ExitCode::SUCCESS)
    }

    fn test(&self, package: &Package<'_>) -> Result<()> {
        println!("{}: testing", package.name);
        let mut tests = cargo(package.project, &["test", "--target-dir"]);
        tests.arg(&package.target);
        if !self.tests.is_empty() {
            tests.args(["--test", "compliance", "--"]).args(&self.tests);
        }
        succeeds(&mut tests)
    }

    /// Publishes a package, unless its content is published already. Returns whether it is published now.
    fn publish(&self, package: &Package<'_>) -> Result<bool> {
        let Package { name, version, project, .. } = package;
        // This also builds the package. Code of others runs meanwhile, without the token.
        succeeds(
            cargo(project, &["package", "--package", name, "--target-dir"]).arg(&package.target),
        )?;
        let packed = unpacked(&package.target, name, version)?;
        if let Some(published) = published(package.checkout, name, version)? {
            let differing = packed.differing(&published);
            ensure!(
                differing.is_empty(),
                "{name} {version} is published with other content ({}); raise the version",
                differing.join(", ")
            );
            println!("{name} {version}: published already");
            return Ok(true);
        }
        if self.check {
            println!("{name} {version}: to be published");
            return Ok(false);
        }
        let mut upload =
            cargo(project, &["publish", "--no-verify", "--package", name, "--target-dir"]);
        upload.arg(&package.target);
        if let Some(token) = std::env::var_os(TOKEN) {
            upload.env(TOKEN, token);
        }
        succeeds(&mut upload)?;
        println!("{name} {version}: published");
        Ok(true)
    }
}

/// The GitHub runners of this system begin with it.
const SYSTEM: &str = if cfg!(target_os = "macos") {
    "macos"
} else if cfg!(windows) {
    "windows"
} else {
    "ubuntu"
};

/// Returns the folder for the crates that are made here.
fn folder(checkout: &Path) -> PathBuf {
    checkout.join("target/published")
}

/// A crate to publish.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    checkout: &'a Path,
    project: &'a Path,
    /// Cargo's target folder, which all share: most dependencies are the same.
    target: PathBuf,
}

impl<'a> Package<'a> {
    fn new(name: &'a str, version: &'a str, project: &'a Path, checkout: &'a Path) -> Self {
        Self { name, version, checkout, project, target: folder(checkout).join("target") }
    }
}

fn succeeds(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// Returns the version that a heading of the changelog names; a date may follow it.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("## ")?.split(' ').next()
}

/// Returns whether a starting point becomes a crate, and prints why not.
fn is_published(start: &Start) -> bool {
    if let Some(reason) = &start.about.unpublished {
        println!("{}: not published: {reason}", crate_name(start));
        return false;
    }
    !start.about.is_frame
}

/// Returns the name of the crate of a starting point.
fn crate_name(start: &Start) -> String {
    format!("{LIBRARY}-{}", start.name)
}

/// Generates the crate of a starting point. It depends on the published library, and has the library's
/// version and changelog.
fn crate_of(checkout: &Path, start: &Start, version: &str, folder: &Path) -> Result<PathBuf> {
    let name = &crate_name(start);
    let project = folder.join(name);
    if project.exists() {
        fs::remove_dir_all(&project)?;
    }
    fs::create_dir_all(folder)?;
    let origin = || Origin::Option("cargo xtask release");
    let mut answers = Answers::default();
    answers.add("start", &start.name, origin());
    answers.add("description", &description(&start.about.title), origin());
    let address = address(checkout)?;
    answers.add("repository", address.as_deref().unwrap_or_default(), origin());
    answers.add("license", "MIT OR Apache-2.0", origin());
    // The workflows of this repository test and publish it.
    answers.add("ci", "false", origin());
    let project = generate(checkout, name, folder, &answers)?;

    let edit = |file: &str, edit: &dyn Fn(&str) -> Result<String>| -> Result<()> {
        let path = project.join(file);
        let text = edit(&read(&path)?).with_context(|| format!("in {}", path.display()))?;
        Ok(fs::write(&path, text)?)
    };
    let is_proven = is_proven(checkout, name)?;
    edit("src/lib.rs", &|text| with_namespace(text, &start.name, is_proven))?;
    edit("Cargo.toml", &|text| {
        once(text, "\nversion = \"0.1.0\"\n", &format!("\nversion = \"{version}\"\n"))
    })?;
    edit("README.md", &|text| {
        let text = text.replace(&format!("{name} = \"0.1.0\""), &format!("{name} = \"{version}\""));
        match &address {
            Some(address) => with_pictures(&text, checkout, address, name, &start.name, version),
            None => Ok(text),
        }
    })?;
    fs::copy(checkout.join("CHANGELOG.md"), project.join("CHANGELOG.md"))?;
    Ok(project)
}

/// Makes cargo take our crates from these folders when it is called in the folder of a crate, whose manifest
/// stays as it will be published.
fn stage(checkout: &Path, project: &Path, sources: &[PathBuf]) -> Result<()> {
    let mut text = String::from("[patch.crates-io]\n");
    for source in sources {
        let manifest: toml::Table = toml::from_str(&read(&source.join("Cargo.toml"))?)?;
        let name = manifest["package"]["name"].as_str().context("a package has a name")?;
        let path = toml::Value::from(source.to_str().context("a path is not UTF-8")?);
        text += &[name, ".path = ", &path.to_string(), "\n"].concat();
    }
    fs::create_dir_all(project.join(".cargo"))?;
    fs::write(project.join(".cargo/config.toml"), text)?;
    lock(checkout, project)?;
    println!("{}", project.display());
    Ok(())
}

/// Locks the dependencies of a crate as in this repository.
fn lock(checkout: &Path, project: &Path) -> Result<()> {
    fs::copy(checkout.join("Cargo.lock"), project.join("Cargo.lock"))?;
    // That file has our own crates by their paths.
    succeeds(&mut cargo(project, &["update", "--quiet", "--workspace"]))
}

/// Returns a cargo command in a folder, without the token.
fn cargo(project: &Path, arguments: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(arguments).current_dir(project).env_remove(TOKEN);
    cargo
}

/// Returns the description of a crate, from the title of its starting point.
fn description(title: &str) -> String {
    match title.strip_prefix("a complete backend") {
        Some(rest) => format!("A file-system notification backend{rest}"),
        None => format!("A file-system notification backend: {title}"),
    }
}

/// Replaces the first place of `old`, which must exist.
fn once(text: &str, old: &str, new: &str) -> Result<String> {
    ensure!(text.contains(old), "there is no {:?}", old.trim());
    Ok(text.replacen(old, new, 1))
}
