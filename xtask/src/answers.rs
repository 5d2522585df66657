//! Answers to the template's questions: from options, a file, or a crate that was made with them.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use toml::Value;

use crate::{questions::Questions, template::utf8};

/// Not asked for: where the library's checkout is.
const NOTIFY_BACKEND: &str = "notify_backend_path";

/// The answer to each question by its key; what is given later counts.
#[derive(Default)]
pub(crate) struct Answers(BTreeMap<String, String>);

impl Answers {
    /// The library is that of a checkout, or the published one where `path` is empty.
    pub(crate) fn with_library(path: &Path) -> Result<Self> {
        Ok(Self([(NOTIFY_BACKEND.into(), utf8(path)?.into())].into()))
    }

    pub(crate) fn add(&mut self, key: &str, value: &str) {
        self.0.insert(key.into(), value.into());
    }

    /// Adds answers of the form `KEY=VALUE`.
    pub(crate) fn add_defined(&mut self, defined: &[String]) -> Result<()> {
        for answer in defined {
            let Some((key, value)) = answer.split_once('=') else {
                bail!("-d {answer:?} is not of the form KEY=VALUE");
            };
            self.add(key, value);
        }
        Ok(())
    }

    /// Adds the answers of a file as cargo-generate has them, below `[values]`.
    pub(crate) fn add_file(&mut self, file: &Path) -> Result<()> {
        #[derive(Deserialize)]
        struct Values {
            values: toml::Table,
        }
        let shown = file.display();
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let Values { values } = toml::from_str(&text).map_err(|error| {
            let error = error.message();
            anyhow!("{shown} has to be TOML with the answers below [values]: {error}")
        })?;
        self.add_table(&values).with_context(|| format!("in {shown}"))
    }

    pub(crate) fn add_table(&mut self, table: &toml::Table) -> Result<()> {
        for (key, value) in table {
            match value {
                Value::String(text) => self.add(key, text),
                Value::Boolean(yes) => self.add(key, &yes.to_string()),
                _ => bail!("{key} is neither a text nor true or false, but {value}"),
            }
        }
        Ok(())
    }

    /// Checks each one: cargo-generate would do so only after the folder is made.
    pub(crate) fn check(&self, questions: &Questions) -> Result<()> {
        let asked = self.0.iter().filter(|(key, _)| *key != NOTIFY_BACKEND);
        asked.into_iter().try_for_each(|(key, value)| questions.check(key, value))
    }

    /// Those that a template asks for; another version of it may ask for less.
    pub(crate) fn known_to(&self, questions: &Questions) -> Self {
        let known = self.0.iter().filter(|(key, _)| *key == NOTIFY_BACKEND || questions.has(key));
        Self(known.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// All of them in the form `KEY=VALUE`.
    pub(crate) fn defined(&self) -> Vec<String> {
        self.0.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }
}
