//! Answers arrive in the crate as they were given.

use std::fs;

use crate::support::{folder, generate, manifest, read, repository};

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
        let project = generate("notify-backend-demo", &parent, &[&answer]);
        assert_eq!(manifest(&project)["package"]["description"].as_str(), Some(description));
        assert!(read(&project.join("README.md")).contains(&format!("\n\n{description}\n\n")));
    }
}

/// Before the library is published, a crate can be built against a checkout, which a later release
/// does not need.
#[test]
fn path_of_the_library() {
    let parent = folder("path");
    let given = |answers| {
        let project = generate("notify-backend-demo", &parent, answers);
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
