//! Where the Markdown pages of this repository link to each other. What they link to in the code,
//! rustdoc checks.
#![allow(clippy::unwrap_used, reason = "what cannot be read has to fail")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown pages below `folder`, and the Rust files, which have headings too.
fn pages(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_dir() {
            if name != "target" && name != ".git" {
                self::pages(&path, pages);
            }
        } else if path.extension().is_some_and(|kind| kind == "md" || kind == "rs") {
            pages.push(path);
        }
    }
}

/// The last part of an address that leads to each heading of `text`.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches(['/', '!']));
    let titles =
        lines.filter_map(|line| line.trim_start().trim_start_matches('#').strip_prefix(' '));
    titles.map(slug).collect()
}

fn slug(title: &str) -> String {
    let title = title.trim().to_lowercase();
    let kept = title.chars().filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The file that `page` is led to by `link`, without what follows a `#`. `None` stands for what is
/// an item of the code.
fn target(page: &Path, link: &str) -> Option<PathBuf> {
    let guide = root().join("src/guide");
    let section = link.strip_prefix("super::").unwrap_or(link).strip_prefix('_');
    match link {
        "" => Some(page.to_owned()),
        "super" => Some(guide.join("index.md")),
        _ if page.starts_with(&guide) && section.is_some() => {
            Some(guide.join(format!("{}.md", section?)))
        }
        _ if link.contains("::") => None,
        _ => Some(page.parent()?.join(link)),
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut files = vec![];
    pages(root(), &mut files);
    let all: BTreeSet<_> =
        files.iter().flat_map(|path| headings(&fs::read_to_string(path).unwrap())).collect();
    let (mut dead, mut count) = (vec![], 0);
    for page in files.iter().filter(|path| path.extension().unwrap() == "md") {
        let text = fs::read_to_string(page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        // Some are known only when the template is filled in.
        for link in links.filter(|link| !link.starts_with("https://") && !link.contains("{{")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = target(page, path);
            let known = match &target {
                None => all.clone(),
                Some(file) if file.is_file() => headings(&fs::read_to_string(file).unwrap()),
                Some(folder) if folder.exists() => BTreeSet::new(),
                Some(_) => {
                    dead.push(format!("{}: {link}", page.display()));
                    continue;
                }
            };
            if !heading.is_empty() && !known.contains(heading) {
                dead.push(format!("{}: {link}", page.display()));
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} links were found");
    assert!(dead.is_empty(), "nothing is there:\n{}", dead.join("\n"));
}
