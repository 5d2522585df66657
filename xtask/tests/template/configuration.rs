//! `cargo-generate.toml` and what it speaks of. cargo-generate ignores unknown keys and missing
//! files silently, and offers the wrong default where choices are not sorted.

use std::{collections::BTreeMap, fs};

use saphyr::{LoadableYamlNode, Yaml};
use serde::Deserialize;

use crate::support::{STARTS, files, read, repository};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    template: Template,
    hooks: Hooks,
    placeholders: BTreeMap<String, Placeholder>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "there to be known")]
struct Template {
    sub_templates: Vec<String>,
    cargo_generate_version: String,
    exclude: Vec<String>,
    fmt: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hooks {
    init: Vec<String>,
    pre: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placeholder {
    r#type: String,
    prompt: String,
    default: String,
    #[serde(default)]
    choices: Vec<String>,
    regex: Option<String>,
}

fn configuration() -> Configuration {
    toml::from_str(&read(&repository().join("cargo-generate.toml"))).unwrap()
}

#[test]
fn files_that_are_named_exist() {
    let Configuration { template, hooks, .. } = configuration();
    let root = repository();
    assert_eq!(template.sub_templates, ["template"]);
    for file in template.exclude.iter().chain(&hooks.init).chain(&hooks.pre) {
        assert!(root.join("template").join(file).exists(), "{file}");
        // A hook with a folder in its name would be left in the result.
        assert!(!file.contains('/'), "{file}");
    }
}

#[test]
fn questions_have_defaults_that_are_answers() {
    for (key, placeholder) in configuration().placeholders {
        let Placeholder { r#type, prompt, default, choices, regex } = placeholder;
        assert_eq!(r#type, "string", "{key}");
        assert!(!prompt.is_empty(), "{key}");
        assert!(choices.is_sorted(), "{key}: {choices:?}");
        assert!(choices.is_empty() || choices.contains(&default), "{key}: {default}");
        if let Some(regex) = regex {
            assert!(regex::Regex::new(&regex).unwrap().is_match(&default), "{key}: {default}");
            assert!(regex.starts_with('^') && regex.ends_with('$'), "{key}: {regex}");
        }
    }
}

#[test]
fn starts_have_sources_and_a_reference() {
    assert_eq!(configuration().placeholders["start"].choices, STARTS);
    for folder in ["template/src", "references"] {
        let names = fs::read_dir(repository().join(folder)).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, STARTS, "{folder}");
    }
}

#[test]
fn workflows_are_yaml() {
    for folder in [".github", "template/.github"] {
        for (path, text) in files(&repository().join(folder)) {
            let documents = Yaml::load_from_str(&text);
            assert_eq!(documents.map(|it| it.len()), Ok(1), "{folder}/{path}");
        }
    }
}
