//! The promises of a worker: when it starts, how it ends, and that nothing is left of it.

use std::{
    future::{pending, poll_fn},
    io,
    net::TcpListener,
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use futures_core::Stream;
use tokio::runtime::Builder;

use super::{LAST_CALL, Worker};
use crate::{
    StreamItem,
    contract::{
        error::{BackendError, StreamError},
        event::{CreateKind, Event},
    },
};

/// Much longer than any step here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Short, for a work that is never ready.
const NO_PATIENCE: Duration = Duration::from_millis(20);

/// Tells, by a closed channel, that it was dropped.
type DropSignal = mpsc::Sender<()>;

fn is_dropped(signal: &mpsc::Receiver<()>) -> bool {
    signal.try_recv() == Err(mpsc::TryRecvError::Disconnected)
}

fn event() -> Event {
    Event::create(CreateKind::File, "/srv/page")
}

fn next(worker: &mut Worker) -> Option<StreamItem> {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(poll_fn(|cx| Pin::new(&mut *worker).poll_next(cx)))
}

/// Starts a worker that is ready and holds `signal` until it is canceled.
fn start_holding(signal: DropSignal) -> Worker {
    let started = Worker::start("test", 10, PATIENCE, |_events, ready| async move {
        let _held = signal;
        ready.ok();
        pending::<()>().await;
    });
    started.unwrap()
}

/// Bypasses the hook, which would print the panic.
fn panic() -> ! {
    std::panic::resume_unwind(Box::new(()))
}

#[test]
fn it_can_go_to_another_thread() {
    fn check<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
    check::<Worker>();
}

mod starting {
    use super::*;

    #[test]
    fn returns_when_the_work_is_ready() {
        let (tell, told) = mpsc::channel();
        let worker = Worker::start("test", 10, PATIENCE, |_events, ready| async move {
            tell.send("set up").unwrap();
            ready.ok();
            pending::<()>().await;
        });
        assert_eq!(told.try_recv(), Ok("set up"));
        assert!(worker.is_ok());
    }

    #[test]
    fn returns_the_error_of_the_work() {
        let error = Worker::start("test", 10, PATIENCE, |_events, ready| async {
            ready.fail(BackendError::not_found(["/srv"]));
            // Its thread is not waited for in vain.
            pending::<()>().await;
        });
        assert!(matches!(error, Err(BackendError::NotFound { .. })));
    }

    #[test]
    fn fails_if_the_work_ends_before_it_is_ready() {
        let error = Worker::start("test", 10, PATIENCE, |_events, _ready| async {}).unwrap_err();
        insta::assert_snapshot!(error, @"not available here: test ended before it was ready");
    }

    #[test]
    fn fails_if_the_work_panics_before_it_is_ready() {
        let error = Worker::start("test", 10, PATIENCE, |_events, ready| async move {
            let _held = ready;
            panic()
        });
        insta::assert_snapshot!(error.unwrap_err(), @"not available here: test panicked before it was ready; see what it printed");
    }

    #[test]
    fn fails_if_the_work_gives_ready_away() {
        let error = Worker::start("test", 10, PATIENCE, |_events, ready| async {
            drop(ready);
            pending::<()>().await;
        });
        assert!(error.unwrap_err().to_string().contains("ended before it was ready"));
    }

    #[test]
    fn does_not_wait_longer_than_the_patience() {
        let (signal, dropped) = mpsc::channel();
        let error = Worker::start("test", 10, NO_PATIENCE, |_events, ready| async move {
            let _held = (signal, ready);
            pending::<()>().await;
        });
        insta::assert_snapshot!(error.unwrap_err(), @"not available here: test was not ready within 20ms");
        assert!(is_dropped(&dropped), "the work goes on");
    }

    #[test]
    fn works_inside_a_runtime() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (signal, dropped) = mpsc::channel();
            drop(start_holding(signal));
            assert!(is_dropped(&dropped));
        });
    }

    #[test]
    fn accepts_any_name() {
        for name in ["", "a\0b", "much longer than the sixteen bytes that Linux keeps"] {
            let worker = Worker::start(name, 10, PATIENCE, |_events, ready| async { ready.ok() });
            assert!(worker.is_ok());
        }
    }

    #[test]
    fn the_runtime_has_the_drivers_for_io_and_time() {
        let worker = Worker::start("test", 10, PATIENCE, |_events, ready| async {
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            server.set_nonblocking(true).unwrap();
            let server = tokio::net::TcpListener::from_std(server).unwrap();
            let waited = tokio::time::timeout(NO_PATIENCE, server.accept()).await;
            assert!(waited.is_err());
            ready.ok();
        });
        assert!(worker.is_ok());
    }
}

mod streaming {
    use super::*;

    #[test]
    fn yields_what_the_work_sends_and_ends_with_it() {
        let mut worker = Worker::start("test", 10, PATIENCE, |events, ready| async move {
            ready.ok();
            events.send(event());
        })
        .unwrap();
        assert_eq!(next(&mut worker).unwrap().unwrap(), event());
        assert!(next(&mut worker).is_none());
        assert!(next(&mut worker).is_none());
    }

    #[test]
    fn a_panic_of_the_work_is_the_last_item() {
        let mut worker = Worker::start("test", 10, PATIENCE, |events, ready| async move {
            ready.ok();
            events.send(event());
            drop(events);
            panic()
        })
        .unwrap();
        assert_eq!(next(&mut worker).unwrap().unwrap(), event());
        assert!(matches!(next(&mut worker), Some(Err(StreamError::Read { .. }))));
        assert!(next(&mut worker).is_none());
    }

    #[test]
    fn a_panic_of_a_spawned_task_that_sends_is_the_last_item() {
        let mut worker = Worker::start("test", 10, PATIENCE, |events, ready| async move {
            ready.ok();
            let spawned = tokio::spawn(async move {
                let _held = events;
                panic()
            });
            _ = spawned.await;
            pending::<()>().await;
        })
        .unwrap();
        assert!(matches!(next(&mut worker), Some(Err(StreamError::Read { .. }))));
        assert!(next(&mut worker).is_none());
    }

    #[test]
    fn retain_removes_waiting_items() {
        let mut worker = Worker::start("test", 10, PATIENCE, |events, ready| async move {
            events.send(event());
            ready.ok();
        })
        .unwrap();
        worker.retain(|_| false);
        assert!(next(&mut worker).is_none());
    }
}

mod dropping {
    use super::*;

    #[test]
    fn cancels_the_work() {
        let (signal, dropped) = mpsc::channel();
        let worker = start_holding(signal);
        assert!(!is_dropped(&dropped));
        drop(worker);
        assert!(is_dropped(&dropped));
    }

    #[test]
    fn cancels_what_was_spawned() {
        let (signal, dropped) = mpsc::channel();
        let worker = Worker::start("test", 10, PATIENCE, |_events, ready| async move {
            tokio::spawn(async move {
                let _held = signal;
                pending::<()>().await;
            });
            ready.ok();
            pending::<()>().await;
        });
        drop(worker.unwrap());
        assert!(is_dropped(&dropped));
    }

    /// Blocks in the work or beside it until the test ends.
    fn drop_while_blocked(block_in: fn(mpsc::Receiver<()>)) {
        let (release, blocked) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let worker = Worker::start("test", 10, PATIENCE, move |_events, ready| async move {
            ready.ok();
            tell.send(()).unwrap();
            block_in(blocked);
            pending::<()>().await;
        });
        told.recv_timeout(PATIENCE).unwrap();
        let start = Instant::now();
        drop(worker.unwrap());
        assert!(start.elapsed() < LAST_CALL + PATIENCE / 2);
        release.send(()).ok();
    }

    #[test]
    fn is_bounded_if_the_thread_is_blocked() {
        drop_while_blocked(|blocked| {
            blocked.recv().ok();
        });
    }

    #[test]
    fn is_bounded_if_a_blocking_call_goes_on() {
        drop_while_blocked(|blocked| drop(tokio::task::spawn_blocking(move || blocked.recv())));
    }

    #[test]
    fn wakes_no_task() {
        struct Panicking;

        impl Wake for Panicking {
            fn wake(self: Arc<Self>) {
                panic!("woken by a dropped worker");
            }
        }

        let (signal, dropped) = mpsc::channel::<()>();
        let mut worker = Worker::start("test", 10, PATIENCE, |events, ready| async move {
            struct SendsAtTheEnd(
                crate::channel::Sender,
                #[expect(dead_code, reason = "its drop tells")] DropSignal,
            );

            impl Drop for SendsAtTheEnd {
                fn drop(&mut self) {
                    self.0.send(event());
                }
            }

            let _held = SendsAtTheEnd(events, signal);
            ready.ok();
            pending::<()>().await;
        })
        .unwrap();
        let waker = Waker::from(Arc::new(Panicking));
        let polled = Pin::new(&mut worker).poll_next(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        drop(worker);
        assert!(is_dropped(&dropped));
    }

    /// A waker runs on the thread of the worker that it drops.
    #[test]
    fn is_possible_on_its_own_thread() {
        struct Dropping(Mutex<Option<Worker>>, mpsc::Sender<thread::ThreadId>);

        impl Wake for Dropping {
            fn wake(self: Arc<Self>) {
                drop(self.0.lock().unwrap().take());
                self.1.send(thread::current().id()).unwrap();
            }
        }

        let (go, is_polled) = tokio::sync::oneshot::channel();
        let worker = Worker::start("test", 10, PATIENCE, |events, ready| async move {
            ready.ok();
            is_polled.await.unwrap();
            events.send(event());
        });
        let (tell, told) = mpsc::channel();
        let waker = Arc::new(Dropping(Mutex::new(None), tell));
        let mut worker = worker.unwrap();
        let polled =
            Pin::new(&mut worker).poll_next(&mut Context::from_waker(&Waker::from(waker.clone())));
        assert!(matches!(polled, Poll::Pending));
        *waker.0.lock().unwrap() = Some(worker);
        go.send(()).unwrap();
        assert_ne!(told.recv_timeout(PATIENCE).unwrap(), thread::current().id());
    }
}

mod waiting {
    use super::*;

    fn reason<T: std::fmt::Debug>(result: Result<T, BackendError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn runs_the_request_on_the_thread_of_the_work() {
        let (signal, _dropped) = mpsc::channel();
        let worker = start_holding(signal);
        let name = async { thread::current().name().map(String::from) };
        assert_eq!(worker.wait_for(PATIENCE, name).unwrap().as_deref(), Some("test"));
    }

    #[test]
    fn cancels_a_request_that_takes_too_long() {
        let (signal, _dropped) = mpsc::channel();
        let worker = start_holding(signal);
        let (signal, dropped) = mpsc::channel::<()>();
        let error = worker.wait_for(NO_PATIENCE, async move {
            let _held = signal;
            pending::<()>().await;
        });
        insta::assert_snapshot!(reason(error), @"not available here: test did not respond within 20ms");
        assert_eq!(dropped.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_panic_of_the_request_is_an_error_and_leaves_the_worker() {
        let (signal, _dropped) = mpsc::channel();
        let worker = start_holding(signal);
        let error: Result<(), _> = worker.wait_for(PATIENCE, async { panic() });
        assert!(reason(error).contains("test has ended, or has panicked"));
        assert_eq!(worker.wait_for(PATIENCE, async { 1 }).unwrap(), 1);
    }

    #[test]
    fn fails_after_the_end_of_the_work() {
        let mut worker = Worker::start("test", 10, PATIENCE, |events, ready| async move {
            ready.ok();
            events.send_error(StreamError::read(io::ErrorKind::ConnectionAborted.into()));
        })
        .unwrap();
        assert!(next(&mut worker).unwrap().is_err());
        assert!(next(&mut worker).is_none());
        assert!(reason(worker.wait_for(PATIENCE, async {})).contains("has ended"));
    }
}
