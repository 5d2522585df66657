//! What the compiler tells an author who makes a mistake: each file in `mistakes` makes one, and
//! the `.stderr` beside it is the message.
//!
//! `TRYBUILD=overwrite cargo test --package compiler-tests --test mistakes` writes them anew.

use std::{fs, path::Path, process::ExitCode};

fn main() -> ExitCode {
    compiler_tests::main("mistakes_name_their_remedy", mistakes_name_their_remedy)
}

fn mistakes_name_their_remedy() {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    share_builds(temporary.parent().expect("it is in the target folder"));
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}

/// Lets trybuild's builds, which have a folder of their own in `target`, take the macros and build scripts
/// that are there already: what is built for other flags or with other features is built anew.
fn share_builds(target: &Path) {
    let folder = target.join("tests/trybuild/.cargo");
    let target = target.to_str().expect("a path of UTF-8");
    // As the manifest of the workspace has it for them.
    let configuration = format!(
        "[build]\nbuild-dir = {target:?}\n\n[profile.dev.build-override]\ndebug = false\ncodegen-units = 1\n"
    );
    fs::create_dir_all(&folder).expect("the target folder can be written to");
    fs::write(folder.join("config.toml"), configuration)
        .expect("the target folder can be written to");
}
