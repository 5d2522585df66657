//! What the README of a published crate shows of this repository: [`with_pictures`].

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::{backends, recordings};

/// Adds the badge of the score card and the recording of the starting point, as far as there are any. They are those of
/// the release: the address has them under its tag.
pub(super) fn with_pictures(
    text: &str,
    checkout: &Path,
    address: &str,
    name: &str,
    start: &str,
    version: &str,
) -> Result<String> {
    let tag = format!("v{version}");
    let mut text = text.to_owned();
    if let Some(badge) = backends::badge_of_listed(checkout, name)? {
        let badge = format!(
            "[![compliance]({address}/raw/{tag}/{badge})]({address}/blob/{tag}/{})\n",
            backends::PAGE
        );
        let end = text.find("\n\n").context("a README has a heading")? + 2;
        // The other badges are a paragraph.
        let end = if text[end..].starts_with("[![") {
            end + text[end..].find("\n\n").context("badges are not all of a README")? + 1
        } else {
            text.insert(end, '\n');
            end
        };
        text.insert_str(end, &badge);
    }
    if let Some((title, picture)) = recordings::of_start(checkout, start)? {
        const NEXT: &str = "\n## Use it\n";
        let picture = format!("\n![A terminal: {title}]({address}/raw/{tag}/{picture})\n{NEXT}");
        ensure!(text.contains(NEXT), "there is no heading {:?}", NEXT.trim());
        text = text.replacen(NEXT, &picture, 1);
    }
    Ok(text)
}
