//! The library's public items, so that no change to them goes unnoticed: a removed or changed line breaks users'
//! builds.

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
};

use public_api::Builder;

/// Marker traits that only unstable code can require.
const UNNAMEABLE: [&str; 3] = [
    "impl core::marker::Freeze for",
    "impl core::marker::StructuralPartialEq for",
    "impl core::marker::UnsafeUnpin for",
];

fn main() -> ExitCode {
    compiler_tests::main("public_api_is_as_recorded", public_api_is_as_recorded)
}

fn public_api_is_as_recorded() {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let target = temporary.join("public-api");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["rustdoc", "--locked", "--quiet", "--package", "notify-backend", "--lib"])
        .args(["--all-features", "--", "-Zunstable-options", "--output-format=json"])
        .env("CARGO_TARGET_DIR", &target)
        // Macros and build scripts are built already.
        .env("CARGO_BUILD_BUILD_DIR", temporary.parent().expect("it is in the target folder"))
        .env("RUSTDOC", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rustdoc"))
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "cargo rustdoc failed: {status}");

    let items = Builder::from_rustdoc_json(target.join("doc/notify_backend.json"))
        .omit_blanket_impls(true)
        .build()
        .expect("public-api reads what this rustdoc writes")
        .items()
        .map(ToString::to_string)
        .filter(|item| !UNNAMEABLE.iter().any(|name| item.starts_with(name)))
        // The guide has no items.
        .filter(|item| !item.starts_with("pub mod notify_backend::guide"))
        .collect::<Vec<_>>();
    let items = without_prelude(items);
    assert_eq!(in_several_places(&items), [""; 0], "each type has one path, beside the prelude's");
    let api = items.into_iter().fold(String::new(), |all, item| all + &item + "\n");
    let accept = "INSTA_UPDATE=always cargo test --package compiler-tests --test public_api";
    insta::with_settings!({ omit_expression => true, description => accept }, {
        insta::assert_snapshot!("public_api", api);
    });
}

/// Returns the items, with only the names of the prelude, which re-exports them.
fn without_prelude(items: Vec<String>) -> Vec<String> {
    let mut is_prelude = false;
    let short = |item: String| {
        if item.starts_with("pub mod ") {
            is_prelude = item == "pub mod notify_backend::prelude";
        } else if is_prelude && !item.starts_with("pub use ") {
            return Some(format!("pub use {}", definition(&item)?));
        }
        Some(item)
    };
    items.into_iter().filter_map(short).collect()
}

/// Returns the path of the type, trait or free function that the item defines.
fn definition(item: &str) -> Option<&str> {
    let rest = item.trim_start_matches("#[non_exhaustive] ").strip_prefix("pub ")?;
    let (kind, rest) = rest.split_once(' ')?;
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let path = rest.split(|c| !is_path(c)).next()?;
    let (parent, name) = path.trim_end_matches(':').rsplit_once("::")?;
    let is_type = |name: &str| name.rsplit("::").next()?.chars().next().map(char::is_uppercase);
    let is_defined = match kind {
        "struct" | "enum" | "trait" => true,
        // Other functions belong to a type.
        "fn" => is_type(name) == Some(false) && is_type(parent) == Some(false),
        "type" => is_type(parent) == Some(false) && !rest[path.len()..].starts_with('<'),
        _ => false,
    };
    is_defined.then(|| path.trim_end_matches(':'))
}

/// Returns the names in which more than one path ends.
fn in_several_places(items: &[String]) -> Vec<&str> {
    let mut names: Vec<_> = items
        .iter()
        .filter_map(|item| definition(item)?.rsplit("::").next())
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect();
    names.sort_unstable();
    names
        .chunk_by(|one, other| one == other)
        .filter(|same| same.len() > 1)
        .map(|same| same[0])
        .collect()
}
