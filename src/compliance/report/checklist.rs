//! What an author has still to do and no case can find: the template's placeholders, capabilities that are
//! declared and were not tested, and a template or library that is behind the other.

use std::{cmp::Ordering, env, fs, path::Path};

use super::{entry::Entry, verdict::Verdict};
use crate::{
    compliance::{
        case::Listed,
        cases::{self, overflow},
        scene::subject::Subject,
    },
    contract::capability::{Capabilities, Capability},
};

/// Returns the open points of the crate under test, one sentence each. Without `entries`, nothing has been
/// run.
pub(crate) fn points(subject: &Subject, entries: &[Entry]) -> Vec<String> {
    let mut points = Vec::new();
    if subject.about().name.starts_with("your-namespace/") {
        let name = subject.about().name;
        points.push(format!("the backend's name is {name}: put your account there"));
    }
    let declared = subject.about().capabilities;
    if let Some(folder) = env::var_os("CARGO_MANIFEST_DIR") {
        let folder = Path::new(&folder);
        points.extend(of_crate(folder));
        if !entries.is_empty() {
            points.extend(of_readme(folder, declared));
        }
    }
    if !entries.is_empty() {
        points.extend(untested(declared, entries));
        points.extend(loss_untested(entries));
    }
    points
}

/// Returns the point that loss is not tested, unless it could be provoked or the backend has no queue.
fn loss_untested(entries: &[Entry]) -> Option<String> {
    let is_it = |entry: &&Entry| entry.listed.case.id == overflow::ALIVE_AFTER_LOSS.id;
    match &entries.iter().find(is_it)?.verdict {
        Verdict::Ignored(reason) if reason == overflow::NOT_LOST => Some(format!(
            "loss is not tested: {reason}; make its queue smaller, or say in the documentation why \
             nothing can be lost"
        )),
        _ => None,
    }
}

/// Returns a point for each declared capability that no case has tested. If the suite has no such case, the
/// author cannot do anything about it.
fn untested(declared: Capabilities, entries: &[Entry]) -> Vec<String> {
    let untested = declared.iter().filter(|capability| {
        let is_about = |Listed { case, group }: Listed| {
            // Renames are tested without it too, and more strictly with it.
            let is_tracked = *capability == Capability::TrackRelated;
            case.needs.contains(capability) || is_tracked && group.name == "renames"
        };
        let was_run = |entry: &Entry| !matches!(entry.verdict, Verdict::Ignored(_));
        cases::all().any(is_about)
            && !entries.iter().any(|entry| is_about(entry.listed) && was_run(entry))
    });
    untested
        .map(|capability| {
            format!("{capability} is declared, but no case that tests it was run here")
        })
        .collect()
}

/// Returns the open points in the files of a crate that was made from the template.
fn of_crate(folder: &Path) -> Vec<String> {
    let (manifest, source) = (read(folder, "Cargo.toml"), read(folder, "src/lib.rs"));
    let Some(template) = template(&manifest) else { return Vec::new() };
    let mut points = Vec::new();
    if source.contains("YOUR PLATFORM") {
        points.push("src/lib.rs says YOUR PLATFORM: name it".into());
    }
    if value(&manifest, "package", "description") == Some("A file-system notification backend") {
        points
            .push("the description in Cargo.toml is the template's: say what yours is for".into());
    }
    if value(&manifest, "package", "repository").is_none() {
        points.push(
            "Cargo.toml has no `repository`: say where the source is, if it is public".into(),
        );
    }
    if let Some(path) = path_of_library(&manifest) {
        points.push(format!(
            "notify-backend comes from {path}, which no other machine has: take `path` out of \
             Cargo.toml before others build the crate"
        ));
    }
    points.extend(behind(template, env!("CARGO_PKG_VERSION")));
    points
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_default()
}

/// Returns the version of the template that a crate was made from, if it was.
fn template(manifest: &str) -> Option<&str> {
    value(manifest, "package.metadata.notify-backend-template", "version")
}

/// Returns what the README of a crate that was made from the template still lacks once the backend is
/// written.
fn of_readme(folder: &Path, declared: Capabilities) -> Vec<String> {
    if template(&read(folder, "Cargo.toml")).is_none() {
        return Vec::new();
    }
    let readme = read(folder, "README.md");
    let mut points = Vec::new();
    if readme.contains("So far it only declares this, and does nothing.") {
        points.push("README.md says that the backend does nothing: say what it does".into());
    }
    let unnamed: Vec<_> = declared
        .iter()
        .filter(|capability| !readme.contains(&format!("`{capability}`")))
        .map(|capability| capability.to_string())
        .collect();
    if !unnamed.is_empty() {
        points.push(format!(
            "README.md does not name these declared capabilities: {}",
            unnamed.join(", ")
        ));
    }
    points
}

/// Returns the folder that the crate takes this library from, as the template writes it.
fn path_of_library(manifest: &str) -> Option<&str> {
    let mut lines = manifest.lines();
    let line = lines.find(|line| line.starts_with("notify-backend = {"))?;
    let (_, path) = line.split_once(" path = \"")?;
    Some(path.split_once('"')?.0)
}

/// Returns the text of a key in a table of a manifest, as the template writes it.
fn value<'a>(manifest: &'a str, table: &str, key: &str) -> Option<&'a str> {
    let head = format!("[{table}]");
    let lines = manifest.lines().skip_while(|line| *line != head).skip(1);
    let mut lines = lines.take_while(|line| !line.starts_with('['));
    let value = lines.find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='))?;
    value.trim().strip_prefix('"')?.strip_suffix('"')
}

/// Returns which of the two is behind the other, if any.
fn behind(template: &str, library: &str) -> Option<String> {
    let number = |version: &str| -> Option<Vec<u64>> {
        let (version, _) = version.split_once(['-', '+']).unwrap_or((version, ""));
        version.split('.').map(|part| part.parse().ok()).collect()
    };
    let what_to_do = match number(template)?.cmp(&number(library)?) {
        Ordering::Equal => return None,
        Ordering::Less => "in a clone of it, `cargo xtask upgrade` brings what is new".to_owned(),
        Ordering::Greater => format!("ask for {template} in Cargo.toml"),
    };
    Some(format!(
        "the crate is made from the template of {template}, and notify-backend is {library}: \
         {what_to_do}"
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::contract::{backend::About, error::BackendError};

    fn subject(name: &'static str) -> Subject {
        let capabilities =
            Capabilities::declare(&[Capability::TrackRelated, Capability::WatchFolders]);
        Subject {
            type_name: || "Acme",
            new: |_| Err(BackendError::NoRuntime),
            with_hints: |_, _| Err(BackendError::NoRuntime),
            resume: |_, _| Err(BackendError::NoRuntime),
            forget: None,
            lose: None,
            view: None,
            spelling: None,
            declared: || unreachable!("a value has said what it is"),
            said: Some(About { name, capabilities }),
            other: None,
            is_beside_others: true,
        }
    }

    /// A run in which no case of these groups could be run.
    fn run(ignored: &[&str]) -> Vec<Entry> {
        let entry = |listed: Listed| Entry {
            listed,
            verdict: if ignored.contains(&listed.group.name) {
                Verdict::Ignored(String::new())
            } else {
                Verdict::Passed
            },
            deviation: None,
            figures: vec![],
            took: Duration::ZERO,
        };
        cases::all().map(entry).collect()
    }

    #[test]
    fn namespace_of_the_template() {
        let open = points(&subject("your-namespace/acme"), &[]);
        assert_eq!(open, ["the backend's name is your-namespace/acme: put your account there"]);
        assert!(points(&subject("acme/acme"), &[]).is_empty());
    }

    #[test]
    fn declared_and_not_tested() {
        let subject = subject("acme/acme");
        assert!(points(&subject, &run(&[])).is_empty());
        let open = points(&subject, &run(&["renames"]));
        assert_eq!(open, ["TrackRelated is declared, but no case that tests it was run here"]);
        let all: Vec<_> = cases::GROUPS.iter().map(|group| group.name).collect();
        assert_eq!(points(&subject, &run(&all)).len(), 2);
    }

    #[test]
    fn declared_and_tested_by_no_case() {
        let declared = Capabilities::declare(&[Capability::WatchNetworkedFilesystem]);
        assert!(untested(declared, &run(&[])).is_empty());
    }

    #[test]
    fn loss_that_could_not_be_provoked() {
        let ignored_for = |reason: &str| {
            let mut entries = run(&["overflow"]);
            for entry in &mut entries {
                entry.verdict = Verdict::Ignored(reason.into());
            }
            loss_untested(&entries)
        };
        assert!(ignored_for(overflow::NOT_LOST).unwrap().starts_with("loss is not tested: "));
        assert_eq!(ignored_for("the profile says that changes are merged"), None);
        assert_eq!(loss_untested(&run(&[])), None);
    }

    #[test]
    fn readme_of_the_template() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        let declared = Capabilities::declare(&[Capability::WatchFolders, Capability::WatchFiles]);
        write("README.md", "So far it only declares this, and does nothing. `WatchFolders`");
        assert!(of_readme(folder.path(), declared).is_empty(), "it was not generated");
        write("Cargo.toml", "[package.metadata.notify-backend-template]\nversion = \"0.1.0\"\n");
        assert_eq!(
            of_readme(folder.path(), declared),
            [
                "README.md says that the backend does nothing: say what it does",
                "README.md does not name these declared capabilities: WatchFiles",
            ]
        );
        write("README.md", "Watches `WatchFolders` and `WatchFiles`.");
        assert!(of_readme(folder.path(), declared).is_empty());
    }

    #[test]
    fn template_and_library_of_different_versions() {
        assert_eq!(behind("0.1.0", "0.1.0"), None);
        assert_eq!(behind("0.1.0-rc.1", "0.1.0"), None);
        assert!(behind("0.9.2", "0.10.0").unwrap().contains("`cargo xtask upgrade`"));
        assert!(behind("1.0.0", "0.10.0").unwrap().ends_with("ask for 1.0.0 in Cargo.toml"));
        assert_eq!(behind("", "0.1.0"), None);
    }

    #[test]
    fn values_of_a_manifest() {
        let manifest = "[package]\nversion = \"1\"\n\n[other]\nversion = \"2\"\ndone = true\n";
        assert_eq!(value(manifest, "package", "version"), Some("1"));
        assert_eq!(value(manifest, "other", "version"), Some("2"));
        assert_eq!(value(manifest, "package", "done"), None);
        assert_eq!(value(manifest, "other", "done"), None);
        assert_eq!(value(manifest, "none", "version"), None);
    }

    #[test]
    fn crate_that_is_no_generated_one() {
        assert!(of_crate(Path::new(env!("CARGO_MANIFEST_DIR"))).is_empty());
        assert!(of_crate(Path::new("nowhere")).is_empty());
    }

    #[test]
    fn crate_as_it_was_generated() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        write("src/lib.rs", "//! Watches YOUR PLATFORM.\n");
        let manifest = "[package]\ndescription = \"A file-system notification backend\"\n\n\
                        [package.metadata.notify-backend-template]\nversion = \"0.0.1\"\n\n\
                        [dependencies]\nnotify-backend = { version = \"0.1.0\" }\n";
        write("Cargo.toml", &manifest.replace("\"0.1.0\"", "\"0.1.0\", path = \"/clone\""));
        let points = of_crate(folder.path());
        assert_eq!(points.len(), 5, "{points:?}");
        assert!(points[2].starts_with("Cargo.toml has no `repository`"), "{points:?}");
        assert!(points[3].starts_with("notify-backend comes from /clone, which"), "{points:?}");
        write("src/lib.rs", "//! Watches Acme.\n");
        write(
            "Cargo.toml",
            &manifest
                .replace("file-system notification", "useful")
                .replace("[package]\n", "[package]\nrepository = \"https://example.org/acme\"\n"),
        );
        let points = of_crate(folder.path());
        assert_eq!(points.len(), 1, "{points:?}");
        assert!(
            points[0].starts_with("the crate is made from the template of 0.0.1"),
            "{points:?}"
        );
    }
}
