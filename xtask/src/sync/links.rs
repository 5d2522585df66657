//! Links of the guide, which work both in the library's documentation and when its pages are read as files.
//!
//! An author writes `[the buffer](crate::Buffer)`, as for rustdoc; this becomes `[the buffer][crate::Buffer]`.
//! The end of the page defines that link for readers of the file: `[crate::Buffer]: ../parts/buffer.rs`. For
//! rustdoc, `links.md` is included before each page and defines the same link as the item; of two
//! definitions, Markdown uses the first. In rustdoc, `[a file](repository::README.md)` leads to the
//! repository, once its address is known.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    slice,
};

use anyhow::{Context, Result, ensure};
use regex::Regex;
use walkdir::WalkDir;

use crate::files::read;

const GUIDE: &str = "src/guide";
/// The folders of `src` whose modules the crate's root re-exports.
const FOLDERS: [&str; 4] = ["", "contract/", "parts/", "consumers/"];

/// The prefix of links to files of the repository.
const FILE: &str = "repository::";

/// Returns the pages of the guide with the targets of their links, and `links.md`.
pub(super) fn pages(
    pages: BTreeMap<String, String>,
    checkout: &Path,
    address: Option<&str>,
) -> Result<Vec<(String, String)>> {
    let mut files = vec![];
    let mut all = BTreeSet::new();
    let link = Regex::new(r"\]\[((?:crate|repository)::[^\]]+)\]")?;
    let inline = Regex::new(r"\]\(((?:crate|repository)::[^)]+)\)")?;
    let old = Regex::new(r"\n\[(?:crate|repository)::[^\]]+\]: .*")?;
    let sources = Sources::read(checkout)?;
    for (name, text) in pages {
        let text = old.replace_all(&text, "").replace("](super", "](crate::guide");
        let text = inline.replace_all(text.trim_end(), "][$1]");
        let items: BTreeSet<_> = link.captures_iter(&text).map(|it| it[1].to_owned()).collect();
        let mut page = format!("{text}\n");
        for (place, item) in items.iter().enumerate() {
            let file = match item.strip_prefix(FILE) {
                Some(file) => {
                    ensure!(checkout.join(file).is_file(), "{name} links to {file}");
                    format!("../../{file}")
                }
                None => sources.file(item).with_context(|| format!("{name} links to {item}"))?,
            };
            let gap = if place == 0 { "\n" } else { "" };
            page += &[gap, "[", item, "]: ", &file, "\n"].concat();
        }
        all.extend(items);
        files.push((name, page));
    }
    let mut links = String::from(
        "<!-- Written by `cargo xtask sync`: the targets of the guide's links. -->\n\n",
    );
    for item in &all {
        match (item.strip_prefix(FILE), address) {
            (None, _) => links += &["[", item, "]: ", item, "\n"].concat(),
            (Some(file), Some(address)) => {
                links += &["[", item, "]: ", address, "/blob/HEAD/", file, "\n"].concat();
            }
            (Some(_), None) => {}
        }
    }
    let distinct: BTreeSet<_> = all.iter().map(|item| item.to_lowercase()).collect();
    ensure!(distinct.len() == all.len(), "links of Markdown do not differ in case alone: {all:?}");
    files.push((format!("{GUIDE}/links.md"), links));
    Ok(files)
}

/// Returns the text of each page of the guide, by its path.
pub(super) fn read_pages(checkout: &Path) -> Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(checkout.join(GUIDE))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "md")
            && !path.ends_with("links.md")
        {
            let name = path.file_name().context("a page has a name")?.to_string_lossy();
            pages.insert(format!("{GUIDE}/{name}"), read(&path)?);
        }
    }
    Ok(pages)
}

/// An index of the library's source files, in which items are found.
#[derive(Default)]
struct Sources {
    /// The path of each file below `src`.
    files: BTreeSet<String>,
    /// The files that define a public type of this name; below, a free function.
    types: BTreeMap<String, Vec<String>>,
    functions: BTreeMap<String, Vec<String>>,
}

impl Sources {
    fn read(checkout: &Path) -> Result<Self> {
        let src = checkout.join("src");
        let mut sources = Self::default();
        for entry in WalkDir::new(&src).sort_by_file_name() {
            let entry = entry?;
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                let name = entry.path().strip_prefix(&src)?.to_string_lossy().replace('\\', "/");
                for line in read(entry.path())?.lines() {
                    sources.note(&name, line);
                }
                sources.files.insert(name);
            }
        }
        Ok(sources)
    }

    /// Records the item that a line defines, if any. Only lines without indentation count.
    fn note(&mut self, file: &str, line: &str) {
        let Some(item) = line.strip_prefix("pub ") else { return };
        let item = item.strip_prefix("const ").unwrap_or(item);
        let Some((kind, rest)) = item.split_once(' ') else { return };
        let items = match kind {
            "struct" | "enum" | "trait" => &mut self.types,
            "fn" => &mut self.functions,
            _ => return,
        };
        let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        items.entry(rest[..end].to_owned()).or_default().push(file.to_owned());
    }

    /// Returns the path of the file that defines an item, relative to the guide.
    fn file(&self, item: &str) -> Result<String> {
        let (path, heading) = item.split_once('#').unwrap_or((item, ""));
        if let Some(page) = path.strip_prefix("crate::guide") {
            let page = page.strip_prefix("::_").unwrap_or("index").replace("::", "/");
            let heading = if heading.is_empty() { String::new() } else { format!("#{heading}") };
            return Ok(format!("{page}.md{heading}"));
        }
        let parts: Vec<_> = path.split("::").skip(1).collect();
        let last = parts.last().context("an item has a name")?;
        // An associated item is in the file of its type.
        let kind = parts.iter().find(|part| part.starts_with(char::is_uppercase));
        // A module is at its path, or in a folder whose modules are re-exported.
        let module = format!("{}.rs", parts.join("/"));
        let module = FOLDERS.map(|folder| format!("{folder}{module}"));
        let module = module.iter().find(|module| self.files.contains(*module));
        let found = match kind {
            Some(name) => self.types.get(*name),
            None if module.is_some() => None,
            None => self.functions.get(*last),
        };
        let found = found.map_or(module.map_or(&[][..], slice::from_ref), Vec::as_slice);
        ensure!(found.len() == 1, "{} files of src define it: {found:?}", found.len());
        Ok(format!("../{}", found[0]))
    }
}
