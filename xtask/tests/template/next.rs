//! The next steps that `cargo xtask new` prints work wherever the crate is.

use std::{fs, path::Path, process::Command};

use crate::support::{clone, fails, folder, new, passes, read, xtask, xtask_of};

const NAME: &str = "notify-backend-demo";

/// Returns the path in the printed `cd` command.
fn cd(said: &str) -> &str {
    let mut lines = said.lines().skip_while(|line| *line != "Next:");
    lines.find_map(|line| line.strip_prefix("    cd ")).expect("a way into the crate")
}

/// Returns the current folder of a shell that starts in `folder` and runs the printed `cd`.
fn after_cd(folder: &Path, said: &str) -> String {
    let command = format!("cd {} && pwd -P", cd(said));
    passes(Command::new("sh").args(["-c", &command]).current_dir(folder))
}

#[test]
fn odd_places() {
    for odd in [
        "with space",
        "it's",
        "dou\"ble",
        "{{ braces }}",
        "back\\slash",
        "Привет 漢字",
        "$HOME",
        "#hash",
        "~",
        "a;b&c",
        "100%",
        "*",
        "!x",
    ] {
        let parent = folder("odd").join(odd);
        fs::create_dir(&parent).unwrap();
        let said = passes(&mut new(NAME, &parent));
        let project = parent.join(NAME);
        assert_eq!(after_cd(Path::new("/"), &said).trim_end(), project.to_str().unwrap());
    }
}

/// Below the current folder, the path is relative.
#[test]
fn relative_places() {
    let parent = folder("relative");
    for (place, way) in [("in", "in/notify-backend-demo"), ("-in", "./-in/notify-backend-demo")] {
        fs::create_dir(parent.join(place)).unwrap();
        let destination = format!("--destination={place}");
        let said = passes(xtask(["new", NAME, &destination]).current_dir(&parent));
        assert_eq!(cd(&said), way);
        let project = parent.join(place).join(NAME);
        assert_eq!(after_cd(&parent, &said).trim_end(), project.to_str().unwrap());
    }
}

/// The proposed destination can be pasted too.
#[test]
fn proposed_place() {
    let odd = folder("proposed").join("my repositories");
    fs::create_dir(&odd).unwrap();
    let clone = clone("proposed-clone");
    let moved = odd.join("clone");
    fs::rename(clone, &moved).unwrap();
    let destination = moved.to_str().unwrap();
    let said = fails(&mut xtask_of(&moved, ["new", NAME, "--destination", destination]));
    assert!(said.contains(&format!("--destination '{}'", odd.display())), "{said}");
}

#[test]
fn workspace_without_the_crate() {
    let parent = folder("no-member");
    fs::write(parent.join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
    let said = passes(&mut new(NAME, &parent));
    let (_, next) = said.split_once("Next:\n").unwrap();
    let (first, _) = next.split_once("    cd ").unwrap();
    assert!(first.starts_with("    make cargo accept the crate:\n"), "{said}");
    assert!(first.contains("`notify-backend-demo` to the `workspace.members`"), "{said}");
}

#[test]
fn workspace_with_the_crate() {
    let parent = folder("member");
    for manifest in
        ["[workspace]\nmembers = [\"*\"]\n", "[workspace]\nexclude = [\"notify-backend-demo\"]\n"]
    {
        fs::write(parent.join("Cargo.toml"), manifest).unwrap();
        let said = passes(&mut new(NAME, &parent));
        assert!(said.contains("Next:\n    cd "), "{said}");
        assert_eq!(read(&parent.join("Cargo.toml")), manifest);
        fs::remove_dir_all(parent.join(NAME)).unwrap();
    }
}
