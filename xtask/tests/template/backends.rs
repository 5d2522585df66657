//! `cargo xtask backends`: rows of the list of backends from score cards.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{copy_files, fails, folder, passes, read, xtask_of};

/// Creates a checkout without backends in its list.
fn checkout(name: &str) -> PathBuf {
    let checkout = folder(name);
    copy_files(&["."], &checkout);
    _ = fs::remove_file(checkout.join("docs/backends.toml"));
    checkout
}

/// Writes a score card with one case of each level.
fn card(checkout: &Path, name: &str, user: &str, must: &str, open: &str) -> String {
    let path = checkout.join(name);
    let text = format!(
        r#"{{"backend": "official/acme", "capabilities": ["WatchFolders"],
            "machine": {{"platform": "linux x86_64", "file system": "ext4", "user": "{user}"}},
            "cases": [
                {{"id": "CON01", "level": "MUST", "verdict": "{must}", "deviation": null}},
                {{"id": "CON02", "level": "MUST", "verdict": "ignored", "deviation": null}},
                {{"id": "REC09", "level": "SHOULD", "verdict": "passed", "deviation": null}}],
            "advice": [], "open": [{open}]}}"#
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().into()
}

/// Runs the command for these cards; returns what it prints.
fn add(checkout: &Path, cards: &[String]) -> String {
    let arguments = ["backends", "notify-backend-acme", "--runs-on", "Linux"];
    let arguments = arguments.into_iter().chain(cards.iter().map(String::as_str));
    passes(&mut xtask_of(checkout, arguments))
}

#[test]
fn ten_runs_as_each_user_show_the_criteria() {
    let checkout = checkout("backends-ten");
    let users = ["root", "ordinary"];
    let cards = users.map(|user| vec![card(&checkout, user, user, "passed", ""); 10]).concat();
    let said = add(&checkout, &cards);
    assert!(!said.contains("not shown"), "{said}");
    passes(&mut xtask_of(&checkout, ["sync"]));
    let page = read(&checkout.join("BACKENDS.md"));
    let row = "| `notify-backend-acme` | Linux | ![1 of 1](docs/badges/notify-backend-acme.svg) | 1 of 1 | linux x86_64, ext4, as ordinary: 10×; linux x86_64, ext4, as root: 10× |";
    assert!(page.contains(row), "{page}");
    assert!(page.contains("`official/acme`): `WatchFolders`"), "{page}");
    assert!(!page.contains("do not show"), "{page}");
    let badge = read(&checkout.join("docs/badges/notify-backend-acme.svg"));
    assert!(badge.contains("1 of 1 MUST"), "{badge}");
}

#[test]
fn criteria_that_are_not_shown_are_named() {
    let checkout = checkout("backends-lacking");
    let bad = card(&checkout, "bad", "root", "failed", "\"README.md has no limits\"");
    let said = add(&checkout, &[bad]);
    passes(&mut xtask_of(&checkout, ["sync"]));
    let page = read(&checkout.join("BACKENDS.md"));
    for lack in [
        "1: the MUST cases CON01 do not pass",
        "1: 1 of 10 runs in a row as root",
        "1: 0 of 10 runs in a row as ordinary user",
        "3: README.md has no limits",
    ] {
        assert!(said.contains(lack), "{said}");
        assert!(page.contains(lack), "{page}");
    }
    assert!(page.contains("| ![0 of 1](docs/badges/notify-backend-acme.svg) | 1 of 1 |"), "{page}");
}

/// One has more failures, although more of its cases ran.
#[test]
fn figures_are_those_of_the_worst_run() {
    let checkout = checkout("backends-worst");
    let cards = ["worse", "bad"].map(|name| card(&checkout, name, "root", "failed", ""));
    let ran = r#""id": "CON02", "level": "MUST", "verdict": "ignored""#;
    let text = read(Path::new(&cards[0])).replace(ran, &ran.replace("ignored", "failed"));
    fs::write(&cards[0], text).unwrap();
    add(&checkout, &cards);
    let data = read(&checkout.join("docs/backends.toml"));
    assert!(data.contains("must = [0, 2]"), "{data}");
}

#[test]
fn cards_of_different_backends_are_refused() {
    let checkout = checkout("backends-different");
    let one = card(&checkout, "one", "root", "passed", "");
    let other = card(&checkout, "other", "root", "passed", "");
    fs::write(&other, read(Path::new(&other)).replace("official/acme", "ada/other")).unwrap();
    let arguments = ["backends", "notify-backend-acme", "--runs-on", "Linux", &one, &other];
    let said = fails(&mut xtask_of(&checkout, arguments));
    assert!(said.contains("of different backends: official/acme and ada/other"), "{said}");
}
