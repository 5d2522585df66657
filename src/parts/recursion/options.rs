//! The options of a watch: [`Options`].

/// The options of a watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) recursive: bool,
    pub(super) access: bool,
    pub(super) follow_links: bool,
}
