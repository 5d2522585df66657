//! Pages and questions that list the starting points.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use crate::start::Start;

/// The mark above a derived block, which ends at the next empty line.
const MARK: &str = "Written by `cargo xtask sync`.";

/// Brings the text of a file up to date.
type Rewrite = fn(&str, &[Start]) -> Result<String>;

/// The files with a derived part.
pub(super) const PAGES: [(&str, Rewrite); 5] = [
    ("cargo-generate.toml", questions),
    ("README.md", readme),
    ("docs/template.md", template),
    ("src/guide/1_getting_started.md", getting_started),
    ("src/guide/6_platform_notes.md", platform_notes),
];

/// Returns `text` with this address, or else `REPOSITORY`, in the commands that name the repository.
pub(super) fn with_address(text: &str, address: Option<&str>) -> String {
    const BEFORE: &str = "cargo generate --git ";
    let address = address.unwrap_or("REPOSITORY");
    let mut parts = text.split(BEFORE);
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find(' ').map_or("", |end| &part[end..]);
        result += &[BEFORE, address, rest].concat();
    }
    result
}

fn questions(text: &str, starts: &[Start]) -> Result<String> {
    let names: Vec<_> = starts.iter().map(|start| format!("\"{}\"", start.name)).collect();
    below_mark(text, &format!("choices = [{}]", names.join(", ")))
}

fn readme(text: &str, starts: &[Start]) -> Result<String> {
    table(text, ["what it is", "runs on"], starts, |start| {
        [&start.about.title, &start.about.runs_on]
    })
}

fn getting_started(text: &str, starts: &[Start]) -> Result<String> {
    table(text, ["what you get", "take it if"], starts, |start| {
        [&start.about.title, &start.about.take_it_if]
    })
}

fn table(
    text: &str,
    columns: [&str; 2],
    starts: &[Start],
    cells: impl Fn(&Start) -> [&String; 2],
) -> Result<String> {
    let [first, second] = columns;
    let mut rows = vec![format!("| `--start` | {first} | {second} |"), "|---|---|---|".into()];
    rows.extend(starts.iter().map(|start| {
        let [first, second] = cells(start);
        format!("| `{}` | {first} | {second} |", start.name)
    }));
    below_mark(text, &rows.join("\n"))
}

fn template(text: &str, starts: &[Start]) -> Result<String> {
    let items = starts.iter().map(|start| format!("- `{}`: {}", start.name, start.about.title));
    below_mark(text, &items.collect::<Vec<_>>().join("\n"))
}

/// Ends the section of each facility with its starting point, if there is one.
fn platform_notes(text: &str, starts: &[Start]) -> Result<String> {
    const START: &str = "**Start from** `--start ";
    // The last section ends where the page goes on to the next one.
    let (text, end) = text.split_at(text.find("\nNext: ").unwrap_or(text.len()));
    let mut sections = text.split("\n## ");
    let mut page = sections.next().unwrap_or_default().to_owned();
    let mut named: Vec<_> = starts.iter().filter(|it| it.about.platform_notes.is_some()).collect();
    for section in sections {
        let (heading, _) = section.split_once('\n').context("a heading without text")?;
        let body = section.trim_end();
        let body = match body.rsplit_once("\n\n") {
            Some((before, last)) if last.starts_with(START) => before,
            _ => body,
        };
        page += "\n## ";
        page += body;
        page += "\n";
        let mut here: Vec<_> = vec![];
        named.retain(|start| {
            let is_here = start.about.platform_notes.as_deref() == Some(heading);
            if is_here {
                here.push(format!("`--start {}`", start.name));
            }
            !is_here
        });
        if !here.is_empty() {
            _ = write!(page, "\n**Start from** {}.\n", here.join(" or "));
        }
    }
    match named.first() {
        None => Ok(page + end),
        Some(start) => bail!(
            "there is no heading {:?}, which the starting point {} has as `platform-notes`",
            start.about.platform_notes,
            start.name
        ),
    }
}

/// Replaces the text between the mark and the next empty line with `block`.
fn below_mark(text: &str, block: &str) -> Result<String> {
    let mark = text.find(MARK).with_context(|| format!("there is no line with {MARK:?}"))?;
    let start = text[mark..].find('\n').map_or(text.len(), |end| mark + end + 1);
    let end = text[start..].find("\n\n").map_or(text.len(), |end| start + end);
    Ok(format!("{}{block}{}", &text[..start], &text[end..]))
}
