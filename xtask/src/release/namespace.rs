//! The names of the published backends: [`with_namespace`].

use anyhow::{Context, Result, bail};

/// The first half of the names of the published backends.
const NAMESPACE: &str = "official";

/// Replaces the namespace in the backend's name, which ends in `/` and the name of the starting point.
pub(super) fn with_namespace(text: &str, start: &str) -> Result<String> {
    let end = format!("/{start}\"\n");
    let mut places = text.match_indices(&end);
    let (Some((place, _)), None) = (places.next(), places.next()) else {
        bail!("there is not exactly one name that ends in \"/{start}\"");
    };
    let quote = text[..place].rfind('"').context("the name has a beginning")?;
    Ok(format!("{}\"{NAMESPACE}{}", &text[..quote], &text[place..]))
}
