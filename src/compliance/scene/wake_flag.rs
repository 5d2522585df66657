//! A waker that notes that it was woken: [`WakeFlag`].

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use super::sync::lock;

/// A waker that counts how often it is woken.
#[derive(Debug, Default)]
pub(crate) struct WakeFlag {
    count: AtomicUsize,
    waiting: Mutex<Option<Waker>>,
}

impl WakeFlag {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let flag = Arc::new(Self::default());
        let waker = Waker::from(flag.clone());
        (flag, waker)
    }

    /// Returns how often it was woken.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Notes a wake-up.
    pub(crate) fn note(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if let Some(waker) = lock(&self.waiting).take() {
            waker.wake();
        }
    }

    /// Returns `Ready` once it was woken.
    pub(crate) fn poll_woken(&self, cx: &mut Context<'_>) -> Poll<()> {
        *lock(&self.waiting) = Some(cx.waker().clone());
        if self.count() > 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.note();
    }
}
