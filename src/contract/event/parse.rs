//! Parsing the name of a kind: `FromStr` for [`EventKind`].

use std::str::FromStr;

use super::EventKind;

/// A text that is not the name of an [`EventKind`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown event kind {text:?}; kinds are spelled as in `EventKind::ALL`, e.g. `create/file`"
)]
pub struct UnknownKind {
    text: String,
}

/// Parses the text that `Display` writes: the [name](EventKind::name) of a kind, or `missed count=3`.
///
/// ```
/// use notify_backend::{EventKind, event::CreateKind};
///
/// assert_eq!("create/file".parse(), Ok(EventKind::Create(CreateKind::File)));
/// assert!("create/fil".parse::<EventKind>().is_err());
/// ```
impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let found = match text.strip_prefix("missed count=") {
            Some(count) => count.parse().ok().map(|count| Self::Missed(Some(count))),
            None => Self::ALL.iter().copied().find(|kind| kind.name() == text),
        };
        found.ok_or_else(|| UnknownKind { text: text.into() })
    }
}
