//! Recordings of a terminal: transcripts in `docs/recordings`, of which pictures are drawn. The template's tests run
//! their commands and compare the output.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result};

use crate::files::read;

const FOLDER: &str = "docs/recordings";

/// A placeholder for any lines.
const LEFT_OUT: &str = "…";

const FONT_SIZE: usize = 14;
const LINE: usize = 20;
const MARGIN: usize = 18;

/// A transcript, whose first line is its title.
struct Recording {
    title: String,
    text: String,
}

/// Returns the picture of each recording: its path in the checkout, and its text.
pub(crate) fn pictures(checkout: &Path) -> Result<Vec<(String, String)>> {
    let mut pictures = vec![];
    for entry in fs::read_dir(checkout.join(FOLDER))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().context("a file has a name")?.to_string_lossy();
            pictures.push((format!("{FOLDER}/{name}.svg"), draw(&Recording::read(&path)?)));
        }
    }
    Ok(pictures)
}

/// Returns the recording of a starting point as an image of Markdown: its title, and its path in the checkout.
pub(crate) fn of_start(checkout: &Path, start: &str) -> Result<Option<(String, String)>> {
    let transcript = checkout.join(FOLDER).join(format!("{start}.txt"));
    if !transcript.exists() {
        return Ok(None);
    }
    Ok(Some((Recording::read(&transcript)?.title, format!("{FOLDER}/{start}.svg"))))
}

impl Recording {
    fn read(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let parts = text.strip_prefix("# ").and_then(|text| text.split_once('\n'));
        let (title, text) = parts.with_context(|| format!("{} has no title", path.display()))?;
        Ok(Self { title: title.into(), text: text.into() })
    }
}

/// Returns the width of a text: in monospaced fonts, a character is six tenths of its height wide.
fn width_of(text: &str) -> usize {
    text.chars().count() * FONT_SIZE * 6 / 10
}

/// Draws a terminal. `textLength` fixes the width of each line, whatever the font.
fn draw(recording: &Recording) -> String {
    let Recording { title, text } = recording;
    let width = text.lines().map(width_of).max().unwrap_or_default() + 2 * MARGIN;
    let height = text.lines().count() * LINE + 2 * MARGIN;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="{FONT_SIZE}">
<title>{}</title>
<style>text {{ fill: #b9c1cc }} .typed {{ fill: #fff; font-weight: bold }} .left-out {{ fill: #7d8794 }}</style>
<rect width="{width}" height="{height}" rx="8" fill="#1f242c"/>
"##,
        escaped(title)
    );
    for (number, line) in text.lines().enumerate() {
        let class = match line {
            LEFT_OUT => r#" class="left-out""#,
            _ if line.starts_with("$ # ") => r#" class="left-out""#,
            _ if line.starts_with("$ ") => r#" class="typed""#,
            _ => "",
        };
        let (y, length) = (MARGIN + number * LINE + FONT_SIZE, width_of(line));
        // SVG collapses several spaces into one.
        let line = escaped(line).replace(' ', "\u{a0}");
        _ = writeln!(
            svg,
            r#"<text x="{MARGIN}" y="{y}" textLength="{length}"{class}>{line}</text>"#
        );
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
