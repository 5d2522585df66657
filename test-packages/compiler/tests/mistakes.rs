//! The compiler's messages for an author's mistakes: each file in `mistakes` makes one, and the `.stderr` beside it
//! has the message.
//!
//! `TRYBUILD=overwrite cargo test --package compiler-tests --test mistakes` updates the messages.

use std::{fs, path::Path, process::ExitCode};

fn main() -> ExitCode {
    compiler_tests::main("mistakes_name_their_remedy", mistakes_name_their_remedy)
}

fn mistakes_name_their_remedy() {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    share_builds(temporary.parent().expect("it is in the target folder"));
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}

/// Lets trybuild's builds, which have their own folder in `target`, reuse the macros and build scripts that are
/// there already. Packages with other flags or features are still built again.
fn share_builds(target: &Path) {
    let folder = target.join("tests/trybuild/.cargo");
    let target = target.to_str().expect("a path of UTF-8");
    // As for dependencies in the workspace's manifest.
    let configuration = format!(
        "[build]\nbuild-dir = {target:?}\n\n[profile.dev.build-override]\ndebug = false\ncodegen-units = 1\n"
    );
    fs::create_dir_all(&folder).expect("the target folder can be written to");
    fs::write(folder.join("config.toml"), configuration)
        .expect("the target folder can be written to");
}
