//! `template/starts.rhai`: the data of each starting point for the template's hook, which cannot read
//! `start.toml`.

use std::fmt::Write as _;

use super::manifest;
use crate::start::Start;

/// Returns the text of the file.
pub(super) fn text(starts: &[Start]) -> String {
    let mut text = String::from(
        "// Written by `cargo xtask sync`: the variables that each starting point sets.\n\n\
         fn variables(start) {\n    switch start {\n",
    );
    for start in starts {
        let about = &start.about;
        let lines = |lines: Vec<String>| -> String {
            lines.into_iter().flat_map(|line| ["\n".into(), line]).collect()
        };
        let variables = [
            ("runners", format!("[{}]", about.runners().join(", "))),
            // Only a text: in Liquid, even the empty one is true.
            ("tests_freebsd", if about.is_for_freebsd() { "yes" } else { "no" }.into()),
            ("test_command", test_command(about.needs_root)),
            ("docs_targets", quoted_list(&about.targets)),
            ("library_features", manifest::features_of_library(&about.dependencies)),
            ("dependencies", lines(manifest::others(&about.dependencies))),
            ("dev_dependencies", lines(manifest::others(&about.dev_dependencies))),
            ("target_dependencies", manifest::targets(&about.target)),
            ("capabilities", start.capability_rows()),
            ("about", about.readme.trim().into()),
        ];
        _ = writeln!(text, "        {} => #{{", quoted(&start.name));
        for (name, value) in variables {
            _ = writeln!(text, "            {name}: {},", quoted(&value));
        }
        text += "        },\n";
    }
    text + "    }\n}\n"
}

/// Returns the command that runs the tests in GitHub workflows. Only the tests run as root; the build does
/// not, so its files belong to the user.
fn test_command(needs_root: bool) -> String {
    let as_root = r#" --config "target.'cfg(unix)'.runner='sudo --preserve-env'""#;
    format!("cargo +stable test{}", if needs_root { as_root } else { "" })
}

/// Returns a string literal of Rhai, which has the escapes of Rust.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{text}\"")
}

/// Returns a TOML array, or an empty text for an empty list.
fn quoted_list(texts: &[String]) -> String {
    if texts.is_empty() {
        return String::new();
    }
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}
