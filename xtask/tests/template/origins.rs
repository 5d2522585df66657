//! Answers that nobody gave to this command: personal defaults for all templates, and the environment.
//! One that does not fit is refused with where it comes from.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path, process::Command};

use crate::{
    bad_input::refuses,
    support::{fails, folder, manifest, new, passes},
};

const NAME: &str = "notify-backend-demo";

/// `cargo xtask new`, for a user with these defaults for all templates.
fn with_defaults(parent: &Path, defaults: &str) -> Command {
    let home = folder(&format!("{}-home", parent.file_name().unwrap().display()));
    fs::write(home.join("cargo-generate.toml"), defaults).unwrap();
    let mut command = new(NAME, parent);
    command.env("CARGO_HOME", home);
    command
}

/// The licence and the description of the crate, which is removed again.
fn made(mut command: Command, parent: &Path) -> [String; 2] {
    passes(&mut command);
    let project = parent.join(NAME);
    let package = manifest(&project)["package"].clone();
    fs::remove_dir_all(project).unwrap();
    ["license", "description"].map(|key| package[key].as_str().unwrap().into())
}

/// What is more for this crate counts more.
#[test]
fn order() {
    let parent = folder("origins-order");
    let file = parent.join("values.toml");
    fs::write(&file, "[values]\nlicense = 'MIT'\ndescription = 'File'\n").unwrap();
    let defaults = "[values]\nlicense = 'MPL-2.0'\ndescription = 'Default'\nother = 3\n";

    let command = with_defaults(&parent, defaults);
    assert_eq!(made(command, &parent), ["MPL-2.0", "Default"]);
    let mut command = with_defaults(&parent, defaults);
    command.env("CARGO_GENERATE_TEMPLATE_VALUES_FILE", &file);
    assert_eq!(made(command, &parent), ["MIT", "File"]);
    let mut command = with_defaults(&parent, defaults);
    command.env("CARGO_GENERATE_TEMPLATE_VALUES_FILE", &file);
    command.env("CARGO_GENERATE_VALUE_DESCRIPTION", "Variable");
    assert_eq!(made(command, &parent), ["MIT", "Variable"]);
    let mut command = with_defaults(&parent, defaults);
    command.env("CARGO_GENERATE_VALUE_DESCRIPTION", "Variable").arg("--values-file").arg(&file);
    assert_eq!(made(command, &parent), ["MIT", "File"]);
    let mut command = with_defaults(&parent, defaults);
    command.arg("--values-file").arg(&file).args(["-d", "description=Option"]);
    assert_eq!(made(command, &parent), ["MIT", "Option"]);
}

#[test]
fn defaults_that_do_not_fit() {
    let parent = folder("origins-defaults");
    for (defaults, part) in [
        (
            "[values]\nlicense = 'GPL-3.0-only'\n",
            "license cannot be \"GPL-3.0-only\", as [values] in ",
        ),
        ("[values]\nci = 1\n", "ci cannot be 1, as [values] in "),
    ] {
        let parts =
            [part, "origins-defaults-home/cargo-generate.toml says: ", "=ANSWER counts more"];
        refuses(with_defaults(&parent, defaults), &parent, &parts);
        let mut command = with_defaults(&parent, defaults);
        passes(command.args(["-d", "license=MIT", "-d", "ci=true"]));
        fs::remove_dir_all(parent.join(NAME)).unwrap();
    }
    let mut command = with_defaults(&parent, "no [TOML");
    let said = fails(&mut command);
    assert!(said.contains("origins-defaults-home/cargo-generate.toml"), "{said}");
}

#[test]
fn environment_that_does_not_fit() {
    let parent = folder("origins-environment");
    for (variable, value, parts) in [
        ("LICENSE", "GPL-3.0-only", ["variable CARGO_GENERATE_VALUE_LICENSE says: choose one of "]),
        ("DESCRIPTION", "two\nlines", ["variable CARGO_GENERATE_VALUE_DESCRIPTION says: it is "]),
    ] {
        let mut command = new(NAME, &parent);
        command.env(format!("CARGO_GENERATE_VALUE_{variable}"), value);
        refuses(command, &parent, &parts);
    }
    let mut command = new(NAME, &parent);
    command.env("CARGO_GENERATE_TEMPLATE_VALUES_FILE", "/no/such/file");
    let parts = ["variable CARGO_GENERATE_TEMPLATE_VALUES_FILE", "cannot read /no/such/file"];
    refuses(command, &parent, &parts);
}

/// What is for this command alone is refused likewise.
#[test]
fn options_that_do_not_fit() {
    let parent = folder("origins-options");
    let file = parent.join("values.toml");
    fs::write(&file, "[values]\nlicense = 'GPL-3.0-only'\n").unwrap();
    let mut command = new(NAME, &parent);
    command.arg("--values-file").arg(&file);
    refuses(command, &parent, &[&format!("as {} says: choose one of ", file.display())]);
    let mut command = new(NAME, &parent);
    command.args(["--start", "kqueue"]);
    refuses(command, &parent, &["start cannot be \"kqueue\", as --start says: choose one of "]);
}

#[test]
fn variables_that_are_not_unicode() {
    let parent = folder("origins-odd");
    let mut command = new(NAME, &parent);
    command.env("ODD", OsStr::from_bytes(b"\xff")).env(OsStr::from_bytes(b"O\xff"), "odd");
    passes(&mut command);
}
