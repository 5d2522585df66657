//! Answers to the template's questions: from options, files, the environment, personal defaults, or the
//! manifest of a generated crate.

use std::{
    collections::BTreeMap,
    env, fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use cargo_generate::{AppConfig, app_config_path};
use serde::Deserialize;
use toml::Value;

use crate::{files::utf8, questions::Questions};

/// The key of the path to a checkout of the library. It is not a question.
const NOTIFY_BACKEND: &str = "notify_backend_path";

/// Where an answer comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    Option(&'static str),
    /// The user, on a terminal.
    Asked,
    File(PathBuf),
    Variable(String),
    /// The table `[values]` in cargo-generate's own configuration.
    Defaults(PathBuf),
}

impl Origin {
    /// Returns whether the answer applies to all templates.
    fn is_for_all_templates(&self) -> bool {
        matches!(self, Self::Variable(_) | Self::Defaults(_))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => f.write_str(name),
            Self::Asked => f.write_str("you"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::Defaults(path) => write!(f, "[values] in {}", path.display()),
        }
    }
}

/// The answer to each question by its key, and its origin. A later answer replaces an earlier one.
#[derive(Default)]
pub(crate) struct Answers(BTreeMap<String, (Value, Origin)>);

impl Answers {
    /// Returns the answers from the environment and from the user's configuration of cargo-generate, which
    /// has the same rules. They apply to all templates, so keys of other templates are not an error.
    pub(crate) fn personal(questions: &Questions) -> Result<Self> {
        let mut answers = Self::default();
        let path = app_config_path(&None)?;
        if path.exists() {
            let shown = path.display();
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
            let configuration: AppConfig =
                toml::from_str(&text).with_context(|| format!("cannot parse {shown}"))?;
            let values = configuration.values.unwrap_or_default();
            answers.add_values(&values, &Origin::Defaults(path), questions);
        }
        if let Some(file) = env::var_os("CARGO_GENERATE_TEMPLATE_VALUES_FILE") {
            let file = Path::new(&file);
            let values = values_of(file)
                .context("the environment variable CARGO_GENERATE_TEMPLATE_VALUES_FILE")?;
            answers.add_values(&values, &Origin::File(file.into()), questions);
        }
        for (name, value) in env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            let key = name.strip_prefix("CARGO_GENERATE_VALUE_").map(str::to_lowercase);
            if let Some(key) = key.filter(|key| questions.has(key)) {
                let origin = Origin::Variable(name.into());
                let value = value.to_str().with_context(|| format!("{origin} is not UTF-8"))?;
                answers.add(&key, value, origin);
            }
        }
        Ok(answers)
    }

    fn add_values<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a String, &'a Value)>,
        origin: &Origin,
        questions: &Questions,
    ) {
        let known = values.into_iter().filter(|(key, _)| questions.has(key));
        let known = known.map(|(key, value)| (key.clone(), (value.clone(), origin.clone())));
        self.0.extend(known);
    }

    /// Adds the path of the library's checkout; an empty path stands for the published library.
    pub(crate) fn add_library(&mut self, path: &Path, origin: Origin) -> Result<()> {
        self.add(NOTIFY_BACKEND, utf8(path)?, origin);
        Ok(())
    }

    pub(crate) fn add(&mut self, key: &str, value: &str, origin: Origin) {
        self.0.insert(key.into(), (value.into(), origin));
    }

    /// Adds answers of the form `KEY=VALUE`.
    pub(crate) fn add_defined(&mut self, defined: &[String]) -> Result<()> {
        for answer in defined {
            let Some((key, value)) = answer.split_once('=') else {
                bail!("-d {answer:?} is not of the form KEY=VALUE");
            };
            self.add(key, value, Origin::Option("-d"));
        }
        Ok(())
    }

    /// Adds the answers of a file in cargo-generate's format: a table `[values]`.
    pub(crate) fn add_file(&mut self, file: &Path) -> Result<()> {
        self.add_table(&values_of(file)?, &Origin::File(file.into()));
        Ok(())
    }

    pub(crate) fn add_table(&mut self, table: &toml::Table, origin: &Origin) {
        let answers =
            table.iter().map(|(key, value)| (key.clone(), (value.clone(), origin.clone())));
        self.0.extend(answers);
    }

    pub(crate) fn add_all(&mut self, others: &Self) {
        self.0.extend(others.0.clone());
    }

    /// Checks every answer. cargo-generate would do so only after it has created the folder.
    pub(crate) fn check(&self, questions: &Questions) -> Result<()> {
        for (key, (value, origin)) in self.0.iter().filter(|(key, _)| *key != NOTIFY_BACKEND) {
            let (shown, complaint) = match text(value) {
                Some(text) => (format!("{text:?}"), questions.complaint(key, &text)?),
                None => (value.to_string(), Some("it must be a string, true or false".into())),
            };
            if let Some(complaint) = complaint {
                let remedy = remedy(key, origin);
                bail!("{shown} is not valid for {key} (from {origin}): {complaint}{remedy}");
            }
        }
        Ok(())
    }

    /// Returns the answers that a template asks for; another version of it may ask for fewer.
    pub(crate) fn known_to(&self, questions: &Questions) -> Self {
        let known = self.0.iter().filter(|(key, _)| *key == NOTIFY_BACKEND || questions.has(key));
        Self(known.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Returns all answers of a valid type, in the form `KEY=VALUE`.
    pub(crate) fn defined(&self) -> Vec<String> {
        let known = self.0.iter().filter_map(|(key, (value, _))| Some((key, text(value)?)));
        known.map(|(key, value)| format!("{key}={value}")).collect()
    }
}

/// Returns an answer as cargo-generate expects it, or `None` if no question takes its type.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Boolean(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// Returns how to override a wrong answer that applies to all templates.
fn remedy(key: &str, origin: &Origin) -> String {
    if origin.is_for_all_templates() {
        format!("; -d {key}=ANSWER takes precedence")
    } else {
        String::new()
    }
}

/// Returns the table `[values]` of a file.
fn values_of(file: &Path) -> Result<toml::Table> {
    #[derive(Deserialize)]
    struct Values {
        values: toml::Table,
    }
    let shown = file.display();
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let Values { values } = toml::from_str(&text).map_err(|error| {
        let error = error.message();
        anyhow!("{shown} must be TOML with the answers in the table [values]: {error}")
    })?;
    Ok(values)
}
