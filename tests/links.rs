//! The links in this repository's Markdown pages lead to existing files and headings. rustdoc checks the guide's
//! links to items of the code.
#![allow(clippy::unwrap_used, reason = "an unreadable file has to fail the test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Collects the Markdown pages below `folder`, and the Rust files, which have headings too.
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

/// Returns the fragment of a link to each heading of `text`.
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

/// Returns the targets of a page's links: in the text, and in the definitions below it. `cargo xtask sync` writes
/// those of the guide, and rustdoc checks that the items exist.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let inline = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    let below = text.lines().filter_map(|line| Some(line.strip_prefix('[')?.split_once("]: ")?.1));
    inline.chain(below.filter(|target| !target.contains(' ')))
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut files = vec![];
    pages(root(), &mut files);
    let (mut dead, mut count) = (vec![], 0);
    // `links.md` is for rustdoc.
    let is_page = |path: &&PathBuf| {
        path.extension().unwrap() == "md" && !path.ends_with("src/guide/links.md")
    };
    for page in files.iter().filter(is_page) {
        let text = fs::read_to_string(page).unwrap();
        // Some targets are known only in a generated crate.
        for link in
            links(&text).filter(|link| !link.starts_with("https://") && !link.contains("{{"))
        {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                _ => page.parent().unwrap().join(path),
            };
            let is_there = target.exists();
            let has_heading = || headings(&fs::read_to_string(&target).unwrap()).contains(heading);
            if !is_there || !(heading.is_empty() || has_heading()) {
                dead.push(format!("{}: {link}", page.display()));
            }
            count += 1;
        }
    }
    assert!(count > 100, "only {count} links were found");
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}
