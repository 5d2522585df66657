//! The starting point `poll` is a working backend.

use crate::{
    generated::ready,
    support::{cargo, passes},
};

/// It passes what is quick of the compliance suite; its reference passes all of it.
#[test]
fn poll() {
    let project = ready("poll");
    let said = passes(&mut cargo(&project, &["test", "--", "files::"]));
    assert!(said.contains("test [FIL04] files::written_twice_in_a_moment"), "{said}");
}
