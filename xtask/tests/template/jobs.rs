//! Runs the jobs of a crate's workflows on this machine, so that the shipped workflows are tested.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use saphyr::{LoadableYamlNode, Yaml};

use crate::support::{files, in_project};

/// Parses the workflows of a project; returns them with their names.
pub(crate) fn workflows(project: &Path) -> Vec<(String, Yaml<'static>)> {
    documents(&project.join(".github/workflows"))
}

/// Parses the YAML files in a folder; returns them with their names.
pub(crate) fn documents(folder: &Path) -> Vec<(String, Yaml<'static>)> {
    let all = files(folder).into_iter().filter(|(name, _)| {
        Path::new(name).extension().is_some_and(|extension| extension == "yml")
    });
    let all = all.map(|(name, text)| {
        let text: &'static str = text.leak();
        let mut documents = Yaml::load_from_str(text).unwrap();
        assert_eq!(documents.len(), 1, "{name}");
        (name, documents.remove(0))
    });
    all.collect()
}

/// A wrapper around cargo: ignores the toolchain, and builds instead of running clippy.
const CARGO: &str = r#"case $1 in +*) shift;; esac
case "$*" in "clippy --all-targets -- -D warnings") set -- build --all-targets;; esac
"#;

/// A job of a crate's workflow, and the simulated machine that runs it.
pub(crate) struct Job<'a> {
    pub(crate) project: &'a Path,
    /// The workflow's file and the job's key.
    pub(crate) place: (&'a str, &'a str),
    /// The value of each expression `${{ … }}` in the environment of a step.
    pub(crate) expressions: Vec<(&'a str, &'a str)>,
    /// Further environment variables.
    pub(crate) environment: Vec<(&'a str, &'a str)>,
}

impl<'a> Job<'a> {
    pub(crate) fn of(project: &'a Path, workflow: &'a str, job: &'a str) -> Self {
        Self { project, place: (workflow, job), expressions: vec![], environment: vec![] }
    }

    /// Returns the commands of its steps. Steps that use an action are left out.
    pub(crate) fn steps(&self) -> Vec<Command> {
        let (file, job) = self.place;
        let all = workflows(self.project);
        let (_, workflow) = all.iter().find(|(name, _)| name == file).unwrap();
        let steps = workflow["jobs"][job]["steps"].as_vec().unwrap();
        let programs = self.programs();
        let scripts = steps.iter().filter_map(|step| Some((step, step.as_mapping_get("run")?)));
        let steps: Vec<_> =
            scripts.map(|(step, run)| self.step(step, run.as_str().unwrap(), &programs)).collect();
        assert!(!steps.is_empty(), "{file} does nothing in {job}");
        steps
    }

    /// Returns a step's command, as GitHub starts it with bash.
    fn step(&self, step: &Yaml, script: &str, programs: &Path) -> Command {
        assert!(!script.contains("${{"), "an expression in a script: {script}");
        let mut command = in_project("bash", self.project);
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]);
        let path = env::var_os("PATH").unwrap();
        let path = [programs.to_owned()].into_iter().chain(env::split_paths(&path));
        command.env("PATH", env::join_paths(path).unwrap());
        command.env("GITHUB_STEP_SUMMARY", self.summary()).env("RUNNER_TEMP", self.temporary());
        let variables = step.as_mapping_get("env").and_then(Yaml::as_mapping);
        for (name, value) in variables.into_iter().flatten() {
            command.env(name.as_str().unwrap(), self.value(value.as_str().unwrap()));
        }
        command.envs(self.environment.iter().copied());
        command
    }

    /// Replaces the expressions in a value of the workflow.
    fn value(&self, text: &str) -> String {
        let Some((before, rest)) = text.split_once("${{ ") else { return text.into() };
        let (expression, after) = rest.split_once(" }}").unwrap();
        let temporary = self.temporary();
        let runner = [("runner.temp", temporary.to_str().unwrap())];
        let mut known = self.expressions.iter().chain(&runner);
        let known = known.find(|(known, _)| *known == expression);
        let (_, value) =
            known.unwrap_or_else(|| panic!("no value for the expression {expression:?}"));
        format!("{before}{value}{}", self.value(after))
    }

    /// Returns the file with the summary for the page of the run.
    pub(crate) fn summary(&self) -> PathBuf {
        self.temporary().join("summary.md")
    }

    /// Returns a temporary folder beside the project.
    fn temporary(&self) -> PathBuf {
        let folder = self.project.with_extension("runner");
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Returns a folder with `rustup` and `cargo`, which use the tests' own toolchain whatever toolchain a step
    /// asks for. Builds lint, see [`in_project`].
    fn programs(&self) -> PathBuf {
        let folder = self.temporary().join("programs");
        fs::create_dir_all(&folder).unwrap();
        let cargo = env::var("CARGO").unwrap();
        for (name, script) in
            [("rustup", String::new()), ("cargo", format!("{CARGO}exec '{cargo}' \"$@\"\n"))]
        {
            let program = folder.join(name);
            fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
            make_executable(&program);
        }
        folder
    }

    /// Runs the job, every step of which must succeed. Returns their output.
    #[track_caller]
    pub(crate) fn passes(&self) -> String {
        _ = fs::remove_file(self.summary());
        self.steps().iter_mut().map(crate::support::passes).collect()
    }
}

#[cfg(unix)]
fn make_executable(program: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Does nothing: the jobs need bash, which these systems lack.
#[cfg(not(unix))]
fn make_executable(_: &Path) {}
