//! What the compiler tells an author who makes a mistake: each file in `mistakes` makes one, and
//! the `.stderr` beside it is the message.
//!
//! `TRYBUILD=overwrite cargo test --package compiler-tests --test mistakes` writes them anew.

use std::process::ExitCode;

fn main() -> ExitCode {
    compiler_tests::main("mistakes_name_their_remedy", mistakes_name_their_remedy)
}

fn mistakes_name_their_remedy() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
