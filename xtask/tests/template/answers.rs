//! Answers reach the crate as they were given.

use std::fs;

use crate::support::{files, folder, generate, manifest, new, passes, read, repository};

const NAME: &str = "notify-backend-demo";

#[test]
fn descriptions() {
    let long = "long ".repeat(200) + "end";
    let descriptions = [
        r#"Says "hello""#,
        r"Watches C:\temp\new\u0041",
        r"Ends in \",
        "Größe, 文件 and 🦀",
        "{{ project-name }} {% raw %} ${{ x }} {",
        "'''\"\"\" # [section] key = 1",
        long.as_str(),
    ];
    for description in descriptions {
        let parent = folder("descriptions");
        let answer = format!("description={description}");
        let project = generate(NAME, &parent, &[&answer]);
        assert_eq!(manifest(&project)["package"]["description"].as_str(), Some(description));
        assert!(read(&project.join("README.md")).contains(&format!("\n\n{description}\n\n")));
    }
}

/// A path to a checkout lets a crate build before the library is published. A later release does not need
/// one.
#[test]
fn path_of_the_library() {
    let parent = folder("path");
    let given = |answers| {
        let project = generate(NAME, &parent, answers);
        let dependency = manifest(&project)["dependencies"]["notify-backend"].clone();
        fs::remove_dir_all(project).unwrap();
        (dependency["version"].clone(), dependency.get("path").cloned())
    };
    let version: toml::Value = manifest(repository())["package"]["version"].clone();
    let text = |text: &str| Some(toml::Value::from(text));
    assert_eq!(given(&[]), (version.clone(), text(repository().to_str().unwrap())));
    assert_eq!(given(&["notify_backend_path="]), (version.clone(), None));
    assert_eq!(given(&[r#"notify_backend_path=C:\"a b""#]), (version, text(r#"C:\"a b""#)));
}

/// The answer to `repository` determines the address and the namespace.
#[test]
fn repositories() {
    let name = |namespace: &str| format!("\"{namespace}/demo\"");
    let given = [
        ("", None, "your-namespace"),
        ("ada", Some("https://github.com/ada/notify-backend-demo"), "ada"),
        ("Ada-L0", Some("https://github.com/Ada-L0/notify-backend-demo"), "Ada-L0"),
        ("https://github.com/ada/acme.git", Some("https://github.com/ada/acme"), "ada"),
        ("https://gitlab.com/a/b/acme_1", Some("https://gitlab.com/a/b/acme_1"), "a"),
        (
            "https://git.example.org:80/acme",
            Some("https://git.example.org:80/acme"),
            "git.example.org:80",
        ),
    ];
    for (answer, url, namespace) in given {
        let project = generate(NAME, &folder("repository"), &[&format!("repository={answer}")]);
        let package = &manifest(&project)["package"];
        assert_eq!(package.get("repository").and_then(|it| it.as_str()), url);
        assert!(read(&project.join("src/lib.rs")).contains(&name(namespace)), "{namespace}");
        let readme = read(&project.join("README.md"));
        let badge = url.map(|url| format!("]({url}/actions/workflows/ci.yml)"));
        let has_badge = badge.is_some_and(|badge| readme.contains(&badge));
        assert_eq!(has_badge, url.is_some_and(|url| url.contains("github.com")), "{answer}");
    }
}

#[test]
fn licences() {
    let given = [
        ("Apache-2.0", vec!["LICENSE-APACHE"]),
        ("MIT", vec!["LICENSE-MIT"]),
        ("MIT OR Apache-2.0", vec!["LICENSE-APACHE", "LICENSE-MIT"]),
        ("MPL-2.0", vec!["LICENSE-MPL"]),
        ("none", vec![]),
    ];
    for (license, texts) in given {
        let project = generate(NAME, &folder("licences"), &[&format!("license={license}")]);
        let manifest = manifest(&project);
        let package = manifest["package"].as_table().unwrap();
        let is_open = !texts.is_empty();
        assert_eq!(package.get("license").and_then(|it| it.as_str()), is_open.then_some(license));
        assert_eq!(package.get("publish"), (!is_open).then_some(&toml::Value::from(false)));
        let paths: Vec<_> = files(&project).into_iter().map(|(path, _)| path).collect();
        let there = |path: &str| paths.iter().any(|it| it == path);
        assert_eq!(there("PUBLISHING.md"), is_open);
        assert_eq!(there(".github/workflows/release.yml"), is_open);
        let licences = paths.iter().filter(|path| path.starts_with("LICENSE"));
        assert_eq!(licences.collect::<Vec<_>>(), texts.iter().collect::<Vec<_>>());
        let readme = read(&project.join("README.md"));
        let (_, told) = readme.split_once("\n## Licence\n\n").unwrap();
        assert_eq!(told.contains("None: all rights"), !is_open, "{told}");
        assert!(texts.iter().all(|text| told.contains(&format!("]({text})"))), "{told}");
    }
}

#[test]
fn no_workflows() {
    let project = generate(NAME, &folder("no-ci"), &["ci=false", "repository=ada"]);
    assert!(!project.join(".github").exists());
    let readme = read(&project.join("README.md"));
    assert!(!readme.contains("badge.svg"), "{readme}");
    assert!(!read(&project.join("PUBLISHING.md")).contains("release.yml"));
}

/// The documentation's example of a values file works, and `-d` takes precedence over it.
#[test]
fn values_file() {
    let parent = folder("values");
    let page = read(&repository().join("docs/template.md"));
    let (_, values) = page.split_once("```toml\n").unwrap();
    let (values, _) = values.split_once("```").unwrap();
    fs::write(parent.join("values.toml"), values).unwrap();
    let mut command = new(NAME, &parent);
    command.arg("--values-file").arg(parent.join("values.toml"));
    passes(command.args(["--silent", "-d", "description=Says more"]));
    let manifest = manifest(&parent.join(NAME));
    let mut answers = manifest["package"]["metadata"]["notify-backend-template"].clone();
    let expected = values.replace("Watches an Acme store", "Says more");
    answers.as_table_mut().unwrap().remove("version");
    assert_eq!(answers, toml::from_str::<toml::Table>(&expected).unwrap()["values"]);
}
