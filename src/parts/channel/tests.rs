//! The promises of a channel, across threads and in every order of dropping.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use futures_core::Stream;

use super::{Receiver, Sender, channel};
use crate::{
    StreamItem,
    contract::{
        error::{BackendError, StreamError},
        event::{CreateKind, Event, EventKind},
    },
};

/// Much longer than any step here takes on the busiest machine.
const DEADLINE: Duration = Duration::from_secs(60);

fn event(id: usize) -> Event {
    Event::create(CreateKind::File, id.to_string())
}

fn id(item: &StreamItem) -> usize {
    item.as_ref().unwrap().path.to_str().unwrap().parse().unwrap()
}

fn poll(receiver: &mut Receiver, waker: &Waker) -> Poll<Option<StreamItem>> {
    Pin::new(receiver).poll_next(&mut Context::from_waker(waker))
}

/// Puts its thread to sleep between polls, so that it goes on only if it is woken.
#[derive(Default)]
struct Sleeper {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

/// Returns the next item. Fails if the task was not woken for it.
fn next(receiver: &mut Receiver) -> Option<StreamItem> {
    let sleeper = Arc::new(Sleeper::default());
    let waker = Waker::from(sleeper.clone());
    loop {
        if let Poll::Ready(item) = poll(receiver, &waker) {
            return item;
        }
        let woken = sleeper.woken.lock().unwrap();
        let (mut woken, result) =
            sleeper.changed.wait_timeout_while(woken, DEADLINE, |woken| !*woken).unwrap();
        assert!(!result.timed_out(), "the wake-up was lost");
        *woken = false;
    }
}

#[test]
fn both_ends_can_go_to_another_thread() {
    fn check<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
    check::<Sender>();
    check::<Receiver>();
}

#[test]
fn items_arrive_in_order() {
    let (sender, mut receiver) = channel(10);
    sender.send(event(1));
    sender.clone().send(event(2));
    sender.send_error(StreamError::unwatched("/a", BackendError::not_found(["/a"])));
    assert_eq!(receiver.size_hint(), (3, None));
    assert_eq!(next(&mut receiver).map(|item| id(&item)), Some(1));
    assert_eq!(next(&mut receiver).map(|item| id(&item)), Some(2));
    assert!(matches!(next(&mut receiver), Some(Err(StreamError::Unwatched { .. }))));
    assert!(poll(&mut receiver, Waker::noop()).is_pending());
}

#[test]
fn items_without_room_are_counted() {
    let (sender, mut receiver) = channel(1);
    for n in 0..3 {
        sender.send(event(n));
    }
    assert_eq!(next(&mut receiver).map(|item| id(&item)), Some(0));
    assert_eq!(next(&mut receiver).unwrap().unwrap().to_string(), "missed count=2");
}

#[test]
fn a_sender_knows_how_full_the_channel_is() {
    let (sender, mut receiver) = channel(2);
    assert!(sender.is_empty());
    sender.send(event(1));
    sender.send(event(2));
    assert_eq!((sender.len(), sender.capacity(), sender.is_empty()), (2, 2, false));
    next(&mut receiver);
    assert_eq!(sender.len(), 1);
    drop(receiver);
    assert_eq!((sender.len(), sender.capacity()), (0, 2));
}

#[test]
fn retain_removes_items_without_waking_the_task() {
    let (sender, mut receiver) = channel(10);
    let sleeper = Arc::new(Sleeper::default());
    assert!(poll(&mut receiver, &Waker::from(sleeper.clone())).is_pending());
    receiver.retain(|_| false);
    assert!(!*sleeper.woken.lock().unwrap());
    sender.send(event(1));
    assert!(*sleeper.woken.lock().unwrap());
    sender.send(event(2));
    receiver.retain(|item| id(item) != 1);
    assert_eq!(next(&mut receiver).map(|item| id(&item)), Some(2));
}

mod panicking {
    use super::*;

    fn panic_with(sender: Sender) {
        let thread = thread::spawn(move || {
            let _held = (sender.clone(), sender);
            // Bypasses the hook, which would print the panic.
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(thread.join().is_err());
    }

    /// Returns the message of the next item, which must be an error.
    fn read_error(receiver: &mut Receiver) -> String {
        match next(receiver) {
            Some(Err(error @ StreamError::Read { .. })) => error.to_string(),
            item => panic!("{item:?} is not a read error"),
        }
    }

    #[test]
    fn a_thread_that_panics_ends_the_stream_with_one_error() {
        let (sender, mut receiver) = channel(10);
        sender.send(event(1));
        panic_with(sender);
        assert_eq!(next(&mut receiver).map(|item| id(&item)), Some(1));
        assert!(read_error(&mut receiver).contains("a thread that sends events has panicked"));
        assert!(next(&mut receiver).is_none());
    }

    #[test]
    fn the_error_has_room_in_a_full_channel() {
        let (sender, mut receiver) = channel(0);
        sender.send(event(1));
        panic_with(sender);
        assert_eq!(next(&mut receiver).unwrap().unwrap().to_string(), "missed count=1");
        read_error(&mut receiver);
        assert!(next(&mut receiver).is_none());
    }

    #[test]
    fn the_other_senders_are_closed() {
        let (sender, mut receiver) = channel(10);
        panic_with(sender.clone());
        assert!(sender.is_closed());
        sender.send(event(1));
        read_error(&mut receiver);
        assert!(next(&mut receiver).is_none());
    }

    #[test]
    fn a_waiting_task_is_woken() {
        let (sender, mut receiver) = channel(10);
        let sleeper = Arc::new(Sleeper::default());
        assert!(poll(&mut receiver, &Waker::from(sleeper.clone())).is_pending());
        let other = sender.clone();
        panic_with(sender);
        assert!(*sleeper.woken.lock().unwrap());
        drop(other);
    }
}

mod dropping {
    use super::*;

    #[test]
    fn the_last_sender_ends_the_stream_after_remaining_items() {
        let (sender, mut receiver) = channel(10);
        let other = sender.clone();
        sender.send(event(1));
        drop(sender);
        assert_eq!(next(&mut receiver).map(|item| id(&item)), Some(1));
        assert!(poll(&mut receiver, Waker::noop()).is_pending());
        other.send(event(2));
        drop(other);
        assert_eq!(next(&mut receiver).map(|item| id(&item)), Some(2));
        assert!(next(&mut receiver).is_none());
        assert!(next(&mut receiver).is_none());
    }

    #[test]
    fn the_last_sender_wakes_the_receiver() {
        let (sender, mut receiver) = channel(10);
        let sleeper = Arc::new(Sleeper::default());
        assert!(poll(&mut receiver, &Waker::from(sleeper.clone())).is_pending());
        let other = sender.clone();
        drop(sender);
        assert!(!*sleeper.woken.lock().unwrap());
        drop(other);
        assert!(*sleeper.woken.lock().unwrap());
    }

    #[test]
    fn the_receiver_closes_all_senders() {
        let (sender, receiver) = channel(10);
        let other = sender.clone();
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed() && other.is_closed());
        sender.send(event(1));
        drop(sender);
        assert!(other.is_closed());
    }

    #[test]
    fn the_receiver_drops_remaining_items_and_its_waker() {
        let (sender, mut receiver) = channel(10);
        let sleeper = Arc::new(Sleeper::default());
        assert!(poll(&mut receiver, &Waker::from(sleeper.clone())).is_pending());
        drop(receiver);
        assert_eq!(Arc::strong_count(&sleeper), 1);
        sender.send(event(1));
        assert!(!*sleeper.woken.lock().unwrap());
    }

    /// Some executors drop a task, and the receiver with it, while waking it.
    #[test]
    fn a_waker_may_drop_the_receiver() {
        struct Dropper(Mutex<Option<Receiver>>);

        impl Wake for Dropper {
            fn wake(self: Arc<Self>) {
                self.0.lock().unwrap().take();
            }
        }

        let (done, finished) = mpsc::channel();
        thread::spawn(move || {
            let (sender, receiver) = channel(10);
            let dropper = Arc::new(Dropper(Mutex::new(Some(receiver))));
            let waker = Waker::from(dropper.clone());
            assert!(poll(dropper.0.lock().unwrap().as_mut().unwrap(), &waker).is_pending());
            sender.send(event(1));
            done.send(sender.is_closed()).unwrap();
        });
        assert_eq!(finished.recv_timeout(DEADLINE), Ok(true), "the sender waits for itself");
    }
}

mod threads {
    use super::*;

    /// The receiver sleeps before nearly every event, so that each one has to wake it.
    #[test]
    fn no_wake_up_is_lost_in_lockstep() {
        let (sender, mut receiver) = channel(1);
        let (taken, wait_until_taken) = mpsc::channel();
        let platform = thread::spawn(move || {
            for n in 0..10_000 {
                sender.send(event(n));
                assert_eq!(wait_until_taken.recv_timeout(DEADLINE), Ok(n));
            }
        });
        for n in 0..10_000 {
            assert_eq!(next(&mut receiver).map(|item| id(&item)), Some(n));
            taken.send(n).unwrap();
        }
        assert!(next(&mut receiver).is_none());
        platform.join().unwrap();
    }

    /// Four threads send as fast as they can into a queue that is far too small.
    #[test]
    fn a_flood_is_delivered_or_counted_in_order() {
        const EACH: usize = 20_000;
        let (sender, mut receiver) = channel(16);
        let platform = [0, 1, 2, 3].map(|thread| {
            let sender = sender.clone();
            thread::spawn(move || (0..EACH).for_each(|n| sender.send(event(thread * EACH + n))))
        });
        drop(sender);
        let mut arrived = 0;
        let mut last = HashMap::new();
        while let Some(item) = next(&mut receiver) {
            if let Ok(Event { kind: EventKind::Missed(count), .. }) = item {
                arrived += usize::try_from(count.unwrap().get()).unwrap();
            } else {
                let id = id(&item);
                assert!(last.insert(id / EACH, id).is_none_or(|before| before < id));
                arrived += 1;
            }
        }
        assert_eq!(arrived, 4 * EACH);
        for thread in platform {
            thread.join().unwrap();
        }
    }

    #[test]
    fn tokio_is_woken_from_outside() {
        let (sender, mut receiver) = channel(16);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let platform = thread::spawn(move || (0..1_000).for_each(|n| sender.send(event(n))));
        let mut items = 0;
        runtime.block_on(async {
            while poll_fn(|cx| Pin::new(&mut receiver).poll_next(cx)).await.is_some() {
                items += 1;
            }
        });
        assert!(items > 0);
        platform.join().unwrap();
    }
}
