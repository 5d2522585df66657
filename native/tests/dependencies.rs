//! A program compiles only the backends of its platform.
#![cfg(unix)] // The cargo of the machine cannot be run from Wine; it asks for all targets anyway.
#![allow(clippy::unwrap_used, reason = "a command that cannot be run has to fail")]

use std::{collections::BTreeSet, env, process::Command};

/// Returns the backends among the packages that a program for `target` compiles, by what follows `notify-backend-`.
fn backends(target: &str) -> BTreeSet<String> {
    let mut tree = Command::new(env::var_os("CARGO").unwrap());
    tree.args(["tree", "--locked", "--package", "notify-backend-native", "--edges", "normal"]);
    tree.args(["--features", "notify", "--prefix", "none", "--format", "{p}", "--target", target]);
    let output = tree.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\nnotify-backend "), "{text}");
    let names = text.lines().filter_map(|line| line.strip_prefix("notify-backend-"));
    let names = names.map(|rest| rest.split(' ').next().unwrap().to_owned());
    names.filter(|name| name != "native").collect()
}

#[test]
fn only_those_of_the_platform() {
    let rows: [(&str, &[&str]); 5] = [
        ("x86_64-unknown-linux-gnu", &["fanotify", "inotify", "poll"]),
        ("x86_64-pc-windows-msvc", &["poll", "windows"]),
        ("aarch64-apple-darwin", &["kqueue", "poll"]),
        ("x86_64-unknown-freebsd", &["kqueue", "poll"]),
        ("wasm32-wasip1", &["poll"]),
    ];
    for (target, expected) in rows {
        let expected = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(backends(target), expected, "{target}");
    }
}
