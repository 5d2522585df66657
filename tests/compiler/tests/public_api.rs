//! The library's public items, so that no change to them goes unseen: each line that goes away or
//! changes breaks somebody's build.

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
};

use public_api::Builder;

/// Marker traits that are the compiler's own: nobody can ask for them on a stable one.
const UNNAMEABLE: [&str; 3] = [
    "impl core::marker::Freeze for",
    "impl core::marker::StructuralPartialEq for",
    "impl core::marker::UnsafeUnpin for",
];

fn main() -> ExitCode {
    compiler_tests::main("public_api_is_as_recorded", public_api_is_as_recorded)
}

fn public_api_is_as_recorded() {
    // Of its own, since other builds do not have the environment variable below.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("public-api");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["rustdoc", "--locked", "--quiet", "--package", "notify-backend", "--lib"])
        .args(["--all-features", "--", "-Zunstable-options", "--output-format=json"])
        .env("CARGO_TARGET_DIR", &target)
        // The output as JSON is for nightly compilers, unless one insists.
        .env("RUSTC_BOOTSTRAP", "1")
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "cargo rustdoc failed: {status}");

    let api = Builder::from_rustdoc_json(target.join("doc/notify_backend.json"))
        .omit_blanket_impls(true)
        .build()
        .expect("public-api reads what this rustdoc writes")
        .items()
        .map(ToString::to_string)
        .filter(|item| !UNNAMEABLE.iter().any(|name| item.starts_with(name)))
        // The guide is there for readers only.
        .filter(|item| !item.starts_with("pub mod notify_backend::guide"))
        .fold(String::new(), |all, item| all + &item + "\n");
    let accept = "INSTA_UPDATE=always cargo test --package compiler-tests --test public_api";
    insta::with_settings!({ omit_expression => true, description => accept }, {
        insta::assert_snapshot!("public_api", api);
    });
}
