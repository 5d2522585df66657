//! Answers from personal defaults for all templates, and from the environment. An invalid one is refused with
//! a message that says where it comes from.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path, process::Command};

use crate::{
    bad_input::refuses,
    support::{fails, folder, manifest, new, passes},
};

const NAME: &str = "notify-backend-demo";

/// Returns `cargo xtask new` for a user with these defaults for all templates.
fn with_defaults(parent: &Path, defaults: &str) -> Command {
    let home = folder(&format!("{}-home", parent.file_name().unwrap().display()));
    fs::write(home.join("cargo-generate.toml"), defaults).unwrap();
    let mut command = new(NAME, parent);
    command.env("CARGO_HOME", home);
    command
}

/// Returns the licence and the description of the created crate, and removes it.
fn made(mut command: Command, parent: &Path) -> [String; 2] {
    passes(&mut command);
    let project = parent.join(NAME);
    let package = manifest(&project)["package"].clone();
    fs::remove_dir_all(project).unwrap();
    ["license", "description"].map(|key| package[key].as_str().unwrap().into())
}

/// The more specific answer takes precedence.
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
fn invalid_defaults() {
    let parent = folder("origins-defaults");
    for (defaults, part) in [
        (
            "[values]\nlicense = 'GPL-3.0-only'\n",
            "\"GPL-3.0-only\" is not valid for license (from [values] in ",
        ),
        ("[values]\nci = 1\n", "1 is not valid for ci (from [values] in "),
    ] {
        let parts =
            [part, "origins-defaults-home/cargo-generate.toml): ", "=ANSWER takes precedence"];
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
fn invalid_environment() {
    let parent = folder("origins-environment");
    for (variable, value, parts) in [
        ("LICENSE", "GPL-3.0-only", ["variable CARGO_GENERATE_VALUE_LICENSE): choose one of "]),
        (
            "DESCRIPTION",
            "two\nlines",
            ["variable CARGO_GENERATE_VALUE_DESCRIPTION): the question is: "],
        ),
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

/// Invalid answers for this command alone are refused in the same way.
#[test]
fn invalid_options() {
    let parent = folder("origins-options");
    let file = parent.join("values.toml");
    fs::write(&file, "[values]\nlicense = 'GPL-3.0-only'\n").unwrap();
    let mut command = new(NAME, &parent);
    command.arg("--values-file").arg(&file);
    refuses(command, &parent, &[&format!("(from {}): choose one of ", file.display())]);
    let mut command = new(NAME, &parent);
    command.args(["--start", "dnotify"]);
    refuses(
        command,
        &parent,
        &["\"dnotify\" is not valid for start (from --start): choose one of "],
    );
}

#[test]
fn variables_that_are_not_unicode() {
    let parent = folder("origins-odd");
    let mut command = new(NAME, &parent);
    command.env("ODD", OsStr::from_bytes(b"\xff")).env(OsStr::from_bytes(b"O\xff"), "odd");
    passes(&mut command);
}
