//! Each starting point gives a crate that is ready for work.

use std::fs;

use crate::support::{cargo, files, folder, new, passes, repository};

#[test]
fn inotify() {
    is_ready("inotify");
}

#[test]
fn skeleton() {
    is_ready("skeleton");
}

fn is_ready(start: &str) {
    let project = new("notify-backend-demo", start, &folder(start));
    insta::assert_snapshot!(start, files(&project).join("\n"));
    fs::copy(repository().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    passes(cargo(&project, &["fmt", "--check"]));
    passes(cargo(&project, &["clippy", "--all-targets", "--", "-D", "warnings"]));
}
