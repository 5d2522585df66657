//! The template's questions: read from `cargo-generate.toml`, and asked on a terminal.
//!
//! cargo-generate creates the crate's folder before it asks. Here all questions come first, so that a user
//! who presses Ctrl-C leaves nothing behind.

use std::{fs, io, path::Path};

use anyhow::{Context, Result};
use dialoguer::{Confirm, Input, Select, theme::ColorfulTheme};
use regex::Regex;
use serde::Deserialize;

use crate::interruption;

#[derive(Deserialize)]
pub(crate) struct Questions {
    /// In the order in which they are asked.
    placeholders: toml::Table,
}

#[derive(Deserialize)]
struct Question {
    prompt: String,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Kind {
    Bool { default: bool },
    String { default: String, choices: Option<Vec<String>>, regex: Option<String> },
}

impl Questions {
    pub(crate) fn read(checkout: &Path) -> Result<Self> {
        let path = checkout.join("cargo-generate.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.placeholders.contains_key(key)
    }

    fn get(&self, key: &str) -> Result<Option<Question>> {
        let question = self.placeholders.get(key).map(|question| question.clone().try_into());
        question.transpose().with_context(|| format!("cannot parse the question {key}"))
    }

    /// Returns why an answer is not valid, by the rules of cargo-generate.
    pub(crate) fn complaint(&self, key: &str, value: &str) -> Result<Option<String>> {
        if let Some(question) = self.get(key)? {
            return question.complaint(value);
        }
        let keys: Vec<_> = self.placeholders.keys().map(String::as_str).collect();
        Ok(Some(format!("there is no such question; the template asks for {}", keys.join(", "))))
    }

    /// Asks the questions that are not answered yet; returns the answers with their keys.
    pub(crate) fn ask(&self, is_answered: impl Fn(&str) -> bool) -> Result<Vec<(&str, String)>> {
        let mut answers = vec![];
        for key in self.placeholders.keys().filter(|key| !is_answered(key)) {
            let Some(question) = self.get(key)? else { continue };
            match question.ask() {
                Ok(answer) => answers.push((key.as_str(), answer)),
                // Ctrl-C also sends a signal, whose handler ends the process.
                Err(dialoguer::Error::IO(error)) if error.kind() == io::ErrorKind::Interrupted => {
                    interruption::wait()
                }
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot ask for {key}"));
                }
            }
        }
        Ok(answers)
    }
}

impl Question {
    fn complaint(&self, value: &str) -> Result<Option<String>> {
        let (fits, complaint) = match &self.kind {
            Kind::Bool { .. } => {
                (["false", "true"].contains(&value), "it must be true or false".into())
            }
            Kind::String { choices: Some(choices), .. } => {
                let fits = choices.iter().any(|choice| choice == value);
                (fits, format!("choose one of {}", choices.join(", ")))
            }
            Kind::String { regex: Some(regex), .. } => {
                let prompt = &self.prompt;
                let complaint = format!("the question is: {prompt} The answer must match {regex}");
                (Regex::new(regex)?.is_match(value), complaint)
            }
            Kind::String { .. } => (true, String::new()),
        };
        Ok((!fits).then_some(complaint))
    }

    fn ask(&self) -> dialoguer::Result<String> {
        let theme = ColorfulTheme::default();
        match &self.kind {
            Kind::Bool { default } => {
                let confirm = Confirm::with_theme(&theme).with_prompt(&self.prompt);
                Ok(confirm.default(*default).interact()?.to_string())
            }
            Kind::String { default, choices: Some(choices), .. } => {
                let default = choices.iter().position(|choice| choice == default);
                let select = Select::with_theme(&theme).with_prompt(&self.prompt).items(choices);
                Ok(choices[select.default(default.unwrap_or(0)).interact()?].clone())
            }
            Kind::String { default, choices: None, .. } => Input::with_theme(&theme)
                .with_prompt(&self.prompt)
                .default(default.clone())
                .show_default(!default.is_empty())
                .allow_empty(true)
                .validate_with(|answer: &String| match self.complaint(answer) {
                    Ok(None) => Ok(()),
                    Ok(Some(complaint)) => Err(complaint),
                    Err(error) => Err(error.to_string()),
                })
                .interact_text(),
        }
    }
}
