//! `cargo-generate.toml`, and the files that it names. cargo-generate silently ignores unknown keys and
//! missing files, and offers the wrong default if the choices are not sorted.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::support::{read, repository};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    template: Template,
    hooks: Hooks,
    placeholders: BTreeMap<String, Placeholder>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "present so that the key is known")]
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
    default: toml::Value,
    #[serde(default)]
    choices: Vec<String>,
    regex: Option<String>,
}

fn configuration() -> Configuration {
    toml::from_str(&read(&repository().join("cargo-generate.toml"))).unwrap()
}

#[test]
fn named_files_exist() {
    let Configuration { template, hooks, .. } = configuration();
    let root = repository();
    assert_eq!(template.sub_templates, ["template"]);
    let hooks: Vec<_> = hooks.init.iter().chain(&hooks.pre).collect();
    for file in template.exclude.iter().chain(hooks.iter().copied()) {
        assert!(root.join("template").join(file).exists(), "{file}");
    }
    // A hook in a subfolder would be left in the generated crate.
    assert!(hooks.iter().all(|file| !file.contains('/')), "{hooks:?}");
}

#[test]
fn defaults_are_valid_answers() {
    for (key, placeholder) in configuration().placeholders {
        let Placeholder { r#type, prompt, default, choices, regex } = placeholder;
        assert!(!prompt.is_empty(), "{key}");
        let Some(default) = default.as_str() else {
            assert!(r#type == "bool" && default.is_bool(), "{key}");
            continue;
        };
        assert_eq!(r#type, "string", "{key}");
        assert!(choices.is_sorted(), "{key}: {choices:?}");
        assert!(choices.is_empty() || choices.iter().any(|it| it == default), "{key}: {default}");
        if let Some(regex) = regex {
            assert!(regex::Regex::new(&regex).unwrap().is_match(default), "{key}: {default}");
            assert!(regex.starts_with('^') && regex.ends_with('$'), "{key}: {regex}");
        }
    }
}

/// docs/template.md has each question, with its default and its choices.
#[test]
fn questions_are_documented() {
    let page = read(&repository().join("docs/template.md"));
    for (key, Placeholder { prompt, default, choices, .. }) in configuration().placeholders {
        let start = format!("\n### `{key}`\n\n> {prompt}\n\n");
        let (_, section) = page.split_once(&start).unwrap_or_else(|| panic!("no {start:?}"));
        let (section, _) = section.split_once("\n### ").unwrap();
        let default = default.as_str().map_or(default.to_string(), String::from);
        for word in choices.into_iter().chain([default]).filter(|word| !word.is_empty()) {
            assert!(section.contains(&format!("`{word}`")), "{key}: {word}");
        }
    }
}
