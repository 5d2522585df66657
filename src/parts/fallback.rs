//! The best backend that works here: [`FirstOf`] several.

#[cfg(test)]
mod tests;

use std::{
    fmt::Debug,
    marker::PhantomData,
    path::Path,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_core::Stream;

use crate::contract::{
    backend::{About, Backend, StreamItem, Watch},
    capability::{Capabilities, Capability},
    cursor::Cursor,
    error::BackendError,
    settings::Hints,
};

/// The first of several backends that is available on this machine.
///
/// `C` is a tuple of backends, the best one first. [`new`](Backend::new) tries them in this order. It skips a
/// backend that is unavailable or at a limit (whose error [may suit
/// another](BackendError::may_suit_another) backend); any other result is final. [`about`](Backend::about)
/// names the chosen one. If all are skipped, the error is the last one about a limit, or else one with the
/// reasons of all of them.
///
/// Once a backend is chosen, it is never replaced by another, neither when the stream ends nor when
/// [`watch`](Backend::watch) fails: the gap between two backends cannot be closed honestly. If its stream has
/// ended, a program makes a new `FirstOf`, and rescans everything. If it cannot add a path, such as one on a
/// network mount beside local ones, the program makes a second one for that path;
/// `NotifyWatcher` of the feature `notify` does so itself.
///
/// [Hints](Backend::with_hints) reach the chosen backend. For a backend with settings, use
/// [`Made`](crate::settings::Made) with a maker: `FirstOf<(Daemon, Made<SlowPolling>)>`.
///
/// [`resume`](Backend::resume) chooses in the same way, among those that take the
/// [cursor](Backend::cursor): the one that made it, as a rule. If that one is unavailable, so is the `FirstOf`,
/// and a program makes a new one.
///
/// The type promises the [capabilities](Backend::capabilities) that all of them have, since it cannot
/// know which one will be chosen. [`about`](Backend::about) returns those of the chosen one.
///
/// ```
/// # use notify_backend::prelude::*;
/// # macro_rules! backend {
/// #     ($name:ident, $answer:expr) => {
/// #         #[derive(Debug)]
/// #         struct $name;
/// #         impl Backend for $name {
/// #             fn new(_: Vec<Watch>) -> Result<Self, BackendError> { $answer }
/// #             fn capabilities() -> Capabilities { Capabilities::NONE }
/// #             fn name() -> &'static str { concat!("acme/", stringify!($name)) }
/// #         }
/// #         impl Stream for $name {
/// #             type Item = StreamItem;
/// #             fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<StreamItem>> {
/// #                 Poll::Ready(None)
/// #             }
/// #         }
/// #     };
/// # }
/// # backend!(Daemon, Err(BackendError::unavailable("it does not run")));
/// # backend!(Polling, Ok(Self));
/// use notify_backend::fallback::FirstOf;
///
/// type Best = FirstOf<(Daemon, Polling)>;
///
/// let changes = Best::new(vec![Watch::recursive("/srv")])?;
/// assert_eq!(changes.about().name, "acme/Polling");
/// # Ok::<_, BackendError>(())
/// ```
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct FirstOf<C: Candidates> {
    // The lock makes the type `Sync`. It is held for an instant at most.
    backend: Mutex<Box<dyn Backend>>,
    candidates: PhantomData<fn() -> C>,
}

impl<C: Candidates> FirstOf<C> {
    /// Takes the first backend that `make` can make.
    fn choose(make: impl Fn(&Candidate) -> Taken) -> Result<Self, BackendError> {
        let (mut reasons, mut unavailable_at) = (vec![], vec![]);
        let (mut limit, mut of_another) = (None, None);
        for candidate in C::list() {
            match make(&candidate) {
                Ok(backend) => {
                    let backend = Mutex::new(backend);
                    return Ok(Self { backend, candidates: PhantomData });
                }
                Err(BackendError::Unavailable { reason, paths }) => {
                    reasons.push(format!("{}: {reason}", candidate.name));
                    unavailable_at.extend(paths);
                }
                Err(error) if error.may_suit_another() => limit = Some(error),
                Err(error @ BackendError::InvalidCursor) => of_another = Some(error),
                Err(error @ BackendError::NotSupported { capability: Capability::Resume, .. }) => {
                    of_another = of_another.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        unavailable_at.sort();
        unavailable_at.dedup();
        let unavailable = || BackendError::unavailable_at(reasons.join("; "), unavailable_at);
        let of_another = of_another.filter(|_| reasons.is_empty());
        Err(limit.or(of_another).unwrap_or_else(unavailable))
    }

    fn inner_mut(&mut self) -> &mut Box<dyn Backend> {
        // A panic of the backend leaves the box intact.
        self.backend.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Candidates> Backend for FirstOf<C> {
    fn new(watches: Vec<Watch>) -> Result<Self, BackendError> {
        Self::with_hints(watches, &Hints::default())
    }

    fn with_hints(watches: Vec<Watch>, hints: &Hints) -> Result<Self, BackendError> {
        Self::choose(|candidate| (candidate.new)(watches.clone(), hints))
    }

    fn resume(watches: Vec<Watch>, from: &Cursor) -> Result<Self, BackendError> {
        Self::choose(|candidate| (candidate.resume)(watches.clone(), from))
    }

    fn capabilities() -> Capabilities {
        let sets = C::list().into_iter().map(|candidate| candidate.capabilities);
        sets.fold(Capabilities::ALL, Capabilities::intersection)
    }

    fn name() -> &'static str {
        "notify-backend/first-of"
    }

    fn candidates() -> Vec<About> {
        C::list().into_iter().flat_map(|candidate| (candidate.candidates)()).collect()
    }

    fn about(&self) -> About {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner).about()
    }

    fn cursor(&self) -> Option<Cursor> {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner).cursor()
    }

    fn watch(&mut self, watch: Watch) -> Result<(), BackendError> {
        self.inner_mut().watch(watch)
    }

    fn watch_all(&mut self, watches: Vec<Watch>) -> Result<(), BackendError> {
        self.inner_mut().watch_all(watches)
    }

    fn unwatch(&mut self, path: &Path) -> Result<(), BackendError> {
        self.inner_mut().unwatch(path)
    }
}

impl<C: Candidates> Stream for FirstOf<C> {
    type Item = StreamItem;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StreamItem>> {
        Pin::new(&mut **self.inner_mut()).poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.backend.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// The tuples of backends, of one to six.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no choice of backends",
    label = "not a tuple of one to six backends",
    note = "write `FirstOf<(Best, Next)>`, or `FirstOf<(Only,)>`; one that a maker makes is `Made<Maker>`"
)]
pub trait Candidates: sealed::List + Debug + 'static {}

type Taken = Result<Box<dyn Backend>, BackendError>;

/// Everything about a backend that is known before a value of it exists.
#[derive(Debug)]
pub(crate) struct Candidate {
    name: &'static str,
    capabilities: Capabilities,
    candidates: fn() -> Vec<About>,
    new: fn(Vec<Watch>, &Hints) -> Taken,
    resume: fn(Vec<Watch>, &Cursor) -> Taken,
}

impl Candidate {
    fn of<B: Backend>() -> Self {
        fn new<B: Backend>(watches: Vec<Watch>, hints: &Hints) -> Taken {
            Ok(Box::new(B::with_hints(watches, hints)?))
        }

        fn resume<B: Backend>(watches: Vec<Watch>, from: &Cursor) -> Taken {
            Ok(Box::new(B::resume(watches, from)?))
        }

        let About { name, capabilities } = About::of::<B>();
        Self { name, capabilities, candidates: B::candidates, new: new::<B>, resume: resume::<B> }
    }
}

mod sealed {
    pub trait List {
        #[expect(private_interfaces, reason = "it cannot be called from outside")]
        fn list() -> Vec<super::Candidate>;
    }
}

macro_rules! candidates {
    ($($backend:ident)+) => {
        impl<$($backend: Backend),+> sealed::List for ($($backend,)+) {
            #[expect(private_interfaces, reason = "it cannot be called from outside")]
            fn list() -> Vec<Candidate> {
                vec![$(Candidate::of::<$backend>()),+]
            }
        }

        impl<$($backend: Backend),+> Candidates for ($($backend,)+) {}
    };
}

candidates!(A);
candidates!(A B);
candidates!(A B C);
candidates!(A B C D);
candidates!(A B C D E);
candidates!(A B C D E F);
