//! The template's questions, as `cargo-generate.toml` has them.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Questions {
    placeholders: BTreeMap<String, Question>,
}

#[derive(Deserialize)]
struct Question {
    r#type: String,
    prompt: String,
    choices: Option<Vec<String>>,
    regex: Option<String>,
}

impl Questions {
    pub(crate) fn read(checkout: &Path) -> Result<Self> {
        let path = checkout.join("cargo-generate.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot understand {}", path.display()))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.placeholders.contains_key(key)
    }

    /// Checks one answer, as cargo-generate would.
    pub(crate) fn check(&self, key: &str, value: &str) -> Result<()> {
        let Some(question) = self.placeholders.get(key) else {
            let keys: Vec<_> = self.placeholders.keys().map(String::as_str).collect();
            bail!("the template does not ask for {key:?}; it asks for {}", keys.join(", "));
        };
        if question.r#type == "bool" {
            ensure!(["false", "true"].contains(&value), "{key} is true or false, not {value:?}");
        }
        if let Some(choices) = &question.choices {
            let known = choices.iter().any(|choice| choice == value);
            ensure!(known, "{key} cannot be {value:?}; choose one of {}", choices.join(", "));
        }
        if let Some(regex) = &question.regex {
            let fits = Regex::new(regex)?.is_match(value);
            let prompt = &question.prompt;
            ensure!(
                fits,
                "{key} cannot be {value:?}; it is asked: {prompt} It has to match {regex}"
            );
        }
        Ok(())
    }
}
