//! A correct backend with one mistake: [`Mutant`].

use std::{collections::VecDeque, fmt::Debug};

use notify_backend::{About, Cursor, prelude::*, settings::Hints};
use notify_backend_inotify::InotifyBackend;

/// One mistake. The default methods are correct.
pub(crate) trait Mutation: Default + Debug + Send + Unpin + 'static {
    fn capabilities(right: Capabilities) -> Capabilities {
        right
    }

    fn name() -> &'static str {
        "mutants/inotify"
    }

    fn about(right: About) -> About {
        right
    }

    /// Changes the watches, or the result.
    fn new(watches: Vec<Watch>) -> Result<(InotifyBackend, Self), BackendError> {
        Ok((InotifyBackend::new(watches)?, Self::default()))
    }

    /// Changes what is made of hints.
    fn with_hints(
        watches: Vec<Watch>,
        _hints: &Hints,
    ) -> Result<(InotifyBackend, Self), BackendError> {
        Self::new(watches)
    }

    /// Changes the reported items.
    fn report(&mut self, item: StreamItem, reported: &mut VecDeque<StreamItem>) {
        reported.push_back(item);
    }

    /// Changes how the backend is polled.
    fn poll(
        &mut self,
        inner: &mut InotifyBackend,
        cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        Pin::new(inner).poll_next(cx)
    }

    /// Changes the result of a poll.
    fn answer(
        &mut self,
        answer: Poll<Option<StreamItem>>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<StreamItem>> {
        answer
    }

    fn watch(&mut self, inner: &mut InotifyBackend, watch: Watch) -> Result<(), BackendError> {
        inner.watch(watch)
    }

    fn watch_all(
        &mut self,
        inner: &mut InotifyBackend,
        watches: Vec<Watch>,
    ) -> Result<(), BackendError> {
        inner.watch_all(watches)
    }

    fn unwatch(&mut self, inner: &mut InotifyBackend, path: &Path) -> Result<(), BackendError> {
        inner.unwatch(path)
    }

    fn cursor(&self) -> Option<Cursor> {
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

/// The inotify backend with a mistake.
#[derive(Debug)]
pub(crate) struct Mutant<M: Mutation> {
    inner: InotifyBackend,
    mutation: M,
    reported: VecDeque<StreamItem>,
}

impl<M: Mutation> Backend for Mutant<M> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        let (inner, mutation) = M::new(watches)?;
        Ok(Self { inner, mutation, reported: VecDeque::new() })
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        let (inner, mutation) = M::with_hints(watches, hints)?;
        Ok(Self { inner, mutation, reported: VecDeque::new() })
    }

    fn capabilities() -> Capabilities {
        M::capabilities(InotifyBackend::capabilities())
    }

    fn name() -> &'static str {
        M::name()
    }

    fn about(&self) -> About {
        M::about(About::of::<Self>())
    }

    fn cursor(&self) -> Option<Cursor> {
        self.mutation.cursor()
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.mutation.watch(&mut self.inner, watch)
    }

    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        self.mutation.watch_all(&mut self.inner, watches)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.mutation.unwatch(&mut self.inner, path)
    }
}

impl<M: Mutation> Stream for Mutant<M> {
    type Item = StreamItem;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        let Self { inner, mutation, reported } = self.get_mut();
        let answer = loop {
            if let Some(item) = reported.pop_front() {
                break Poll::Ready(Some(item));
            }
            match mutation.poll(inner, cx) {
                Poll::Ready(Some(item)) => mutation.report(item, reported),
                other => break other,
            }
        };
        mutation.answer(answer, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.mutation.size_hint()
    }
}

/// Returns whether this file is one of the suite's barriers.
pub(crate) fn is_sentinel(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("suite-sentinel"))
}

/// Reads all that there is now. Returns why there is no more.
pub(crate) fn read_all(
    inner: &mut InotifyBackend,
    cx: &mut Context<'_>,
    read: &mut VecDeque<StreamItem>,
) -> Poll<Option<StreamItem>> {
    loop {
        match Pin::new(&mut *inner).poll_next(cx) {
            Poll::Ready(Some(item)) => read.push_back(item),
            end => return end,
        }
    }
}
