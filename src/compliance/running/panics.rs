//! Takes note of panics, in whatever thread: [`Panics`].

use std::{
    panic,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

/// The first panic of any thread of this process.
pub(crate) struct Panics(Arc<Mutex<Option<String>>>);

impl Panics {
    pub(crate) fn install() -> Self {
        let first = Arc::new(Mutex::new(None));
        let seen = first.clone();
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let name = thread::current().name().unwrap_or("without a name").to_owned();
            let text = format!("thread {name} {info}");
            seen.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
            print(info);
        }));
        Self(first)
    }

    pub(crate) fn first(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
