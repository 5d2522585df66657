//! The promises of a looker: when its thread works, how it ends, and which task it wakes.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use super::{Demand, Looker};
use crate::{
    StreamItem,
    contract::{
        error::BackendError,
        event::{CreateKind, Event},
    },
};

/// Much longer than any step here takes on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A consumer's task, with a channel that receives its wake-ups.
struct Task(mpsc::Receiver<()>, Waker);

struct Tell(Mutex<mpsc::Sender<()>>);

impl Wake for Tell {
    fn wake(self: Arc<Self>) {
        // The task may be gone.
        _ = self.0.lock().unwrap().send(());
    }
}

impl Task {
    fn new() -> Self {
        let (tell, told) = mpsc::channel();
        Self(told, Arc::new(Tell(Mutex::new(tell))).into())
    }

    fn poll(&self, looker: &Looker, item: Option<StreamItem>) -> Poll<Option<StreamItem>> {
        looker.poll_next(&mut Context::from_waker(&self.1), || item)
    }

    /// Polls until the stream returns something, as a task does: again when it was woken.
    fn next(&self, looker: &Looker) -> Option<StreamItem> {
        loop {
            match self.poll(looker, None) {
                Poll::Ready(item) => return item,
                Poll::Pending => self.0.recv_timeout(PATIENCE).unwrap(),
            }
        }
    }
}

fn start(run: impl FnOnce(&Demand) -> io::Result<()> + Send + 'static) -> Looker {
    Looker::start("test", || (), run).unwrap()
}

/// Starts a thread that waits for a consumer and wakes it, again and again.
fn start_waking() -> Looker {
    start(|demand| {
        while demand.wait_until(Instant::now()) {
            demand.wake_if(|| true);
        }
        Ok(())
    })
}

#[test]
fn it_can_go_to_another_thread() {
    fn check<T: Send + Sync + std::fmt::Debug + 'static>() {}
    check::<Looker>();
}

#[test]
fn the_thread_works_only_while_a_consumer_waits() {
    let (tell, worked) = mpsc::channel();
    let looker = start(move |demand| {
        while demand.wait_until(Instant::now()) {
            tell.send(()).unwrap();
            demand.wake_if(|| true);
        }
        Ok(())
    });
    let task = Task::new();
    for _ in 0..3 {
        assert!(worked.try_recv().is_err(), "no task has polled");
        assert!(task.poll(&looker, None).is_pending());
        worked.recv_timeout(PATIENCE).unwrap();
        task.0.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn the_thread_waits_until_its_time_has_come() {
    let (tell, told) = mpsc::channel();
    let time = Instant::now() + Duration::from_millis(30);
    let looker = start(move |demand| {
        demand.wait_until(time);
        tell.send(Instant::now()).unwrap();
        Ok(())
    });
    assert!(Task::new().poll(&looker, None).is_pending());
    assert!(told.recv_timeout(PATIENCE).unwrap() >= time);
}

#[test]
fn an_item_comes_before_the_end() {
    let looker = start(|_| Ok(()));
    let task = Task::new();
    assert!(task.next(&looker).is_none());
    let event = Event::create(CreateKind::File, "/srv/page");
    let Poll::Ready(Some(Ok(item))) = task.poll(&looker, Some(Ok(event.clone()))) else { panic!() };
    assert_eq!(item, event);
}

#[test]
fn the_task_is_not_woken_for_nothing() {
    let looker = start_waking();
    let task = Task::new();
    assert!(task.poll(&looker, None).is_pending());
    task.0.recv_timeout(PATIENCE).unwrap();
    looker.wake_if(|| true);
    assert!(task.0.try_recv().is_err(), "it was woken, and has not polled since");
}

#[test]
fn an_error_of_the_thread_ends_the_stream() {
    let looker = start(|_| Err(io::Error::other("the queue is closed")));
    let task = Task::new();
    let error = task.next(&looker).unwrap().unwrap_err();
    assert!(error.to_string().contains("the queue is closed"), "{error}");
    assert!(task.next(&looker).is_none());
    assert!(task.next(&looker).is_none());
    assert!(matches!(looker.check(), Err(BackendError::Ended)));
}

#[test]
fn a_panic_of_the_thread_is_an_error() {
    // Bypasses the hook, which would print the panic.
    let looker = start(|_| std::panic::resume_unwind(Box::new(())));
    let task = Task::new();
    let error = task.next(&looker).unwrap().unwrap_err();
    assert!(error.to_string().contains("has panicked"), "{error}");
    assert!(task.next(&looker).is_none());
}

#[test]
fn the_drop_ends_a_thread_that_waits_for_a_consumer() {
    let (alive, ended) = mpsc::channel::<()>();
    let looker = start(move |demand| {
        let _alive = alive;
        assert!(!demand.wait_until(Instant::now()));
        Ok(())
    });
    assert!(looker.check().is_ok());
    drop(looker);
    assert_eq!(ended.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

#[test]
fn the_drop_interrupts_what_the_thread_waits_for() {
    let (interrupt, interrupted) = mpsc::channel();
    let interrupt = Mutex::new(interrupt);
    let has_ended = Arc::new(AtomicBool::new(false));
    let ended = has_ended.clone();
    let stop = move || interrupt.lock().unwrap().send(()).unwrap();
    let looker = Looker::start("test", stop, move |demand| {
        interrupted.recv_timeout(PATIENCE).unwrap();
        // By now it is known that there is no consumer any more.
        assert!(!demand.wait_until(Instant::now()));
        ended.store(true, SeqCst);
        Ok(())
    });
    drop(looker.unwrap());
    assert!(has_ended.load(SeqCst));
}

/// A waker may run the task at once, and a task may drop its backend.
#[test]
fn the_thread_itself_may_drop_the_looker() {
    struct Dropping(Mutex<Option<Looker>>, Mutex<mpsc::Sender<()>>);

    impl Wake for Dropping {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
            self.1.lock().unwrap().send(()).unwrap();
        }
    }

    let (tell, dropped) = mpsc::channel();
    let dropping = Arc::new(Dropping(Mutex::default(), Mutex::new(tell)));
    let waker = dropping.clone().into();
    let (go, going) = mpsc::channel();
    let looker = start(move |demand| {
        going.recv_timeout(PATIENCE).unwrap();
        demand.wake_if(|| true);
        Ok(())
    });
    assert!(looker.poll_next(&mut Context::from_waker(&waker), || None).is_pending());
    *dropping.0.lock().unwrap() = Some(looker);
    go.send(()).unwrap();
    dropped.recv_timeout(PATIENCE).unwrap();
}
