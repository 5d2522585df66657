//! The names of the published backends: [`with_namespace`].

use anyhow::{Context, Result, bail};

/// The namespace of a backend whose score cards meet the guide's first criterion.
const OFFICIAL: &str = "official";

/// The namespace of the others that this project publishes.
const OURS: &str = "notify-backend";

/// Replaces the namespace in the backend's name, which ends in `/` and the name of the starting point.
pub(super) fn with_namespace(text: &str, start: &str, is_proven: bool) -> Result<String> {
    let end = format!("/{start}\"\n");
    let mut places = text.match_indices(&end);
    let (Some((place, _)), None) = (places.next(), places.next()) else {
        bail!("there is not exactly one name that ends in \"/{start}\"");
    };
    let quote = text[..place].rfind('"').context("the name has a beginning")?;
    let namespace = if is_proven { OFFICIAL } else { OURS };
    Ok(format!("{}\"{namespace}{}", &text[..quote], &text[place..]))
}
