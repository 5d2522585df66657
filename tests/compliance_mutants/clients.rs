//! Mistakes of a client of a daemon, whose profile excuses what it cannot do, and no more.

use std::collections::VecDeque;

use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;

use crate::{
    construction::{Canonicalises, Made},
    kills::{Entry, client_entry},
    mutant::Mutation,
    places::SixtyFour,
};

pub(crate) fn mutants() -> Vec<Entry> {
    vec![
        client_entry::<OfClient<Canonicalises>>("client_that_canonicalises", &["CON10"]),
        client_entry::<OfClient<SixtyFour>>("client_with_sixty_four", &["CON28"]),
    ]
}

/// The same mistake in a client.
#[derive(Debug, Default)]
struct OfClient<M>(M);
impl<M: Mutation> Mutation for OfClient<M> {
    fn new(watches: Vec<Watch>) -> Made<Self> {
        let (inner, mistake) = M::new(watches)?;
        Ok((inner, Self(mistake)))
    }
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        self.0.report(item, reported);
    }
    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        self.0.watch(inner, watch)
    }
}
