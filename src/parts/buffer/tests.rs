//! The promises of a buffer: scenarios by hand, and random ones compared with a plain model.

use std::{
    io,
    num::NonZeroU32,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_core::Stream;
use proptest::prelude::*;

use super::Buffer;
use crate::{
    StreamItem,
    contract::{
        error::{BackendError, StreamError},
        event::{CreateKind, Event, EventKind},
    },
};

/// Counts how often a task was woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Counter {
    fn new() -> (Arc<Self>, Waker) {
        let counter = Arc::new(Self::default());
        (counter.clone(), Waker::from(counter))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn event(id: u32) -> Event {
    Event::create(CreateKind::File, id.to_string())
}

fn error(id: u32) -> StreamError {
    let cause = BackendError::from_io(id.to_string(), io::ErrorKind::PermissionDenied.into());
    StreamError::unwatched(id.to_string(), cause)
}

fn poll(buffer: &mut Buffer, waker: &Waker) -> Poll<Option<StreamItem>> {
    Pin::new(buffer).poll_next(&mut Context::from_waker(waker))
}

/// Returns the path of a part of the watched paths. Each digit is a folder in the one before: 12 is in 1.
fn place(part: u32) -> String {
    part.to_string().chars().map(String::from).collect::<Vec<_>>().join("/")
}

/// An item, reduced to the differences that the tests look at.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Item {
    Event(u32),
    Error(u32),
    Missed(Option<u32>),
    /// In a part of the watched paths.
    MissedBelow(u32, Option<u32>),
}

impl Item {
    fn missed(part: Option<u32>, count: Option<u32>) -> Self {
        part.map_or(Self::Missed(count), |part| Self::MissedBelow(part, count))
    }

    /// Returns the part and the count of a loss.
    fn loss(self) -> Option<(Option<u32>, Option<u32>)> {
        match self {
            Self::Missed(count) => Some((None, count)),
            Self::MissedBelow(part, count) => Some((Some(part), count)),
            Self::Event(_) | Self::Error(_) => None,
        }
    }
}

impl From<StreamItem> for Item {
    fn from(item: StreamItem) -> Self {
        let id = |path: &std::path::Path| path.to_str().unwrap().replace('/', "").parse().unwrap();
        match item {
            Ok(Event { kind: EventKind::Missed(count), path, .. }) => {
                let part = (!path.as_os_str().is_empty()).then(|| id(&path));
                Self::missed(part, count.map(NonZeroU32::get))
            }
            Ok(event) => Self::Event(id(&event.path)),
            Err(error) => Self::Error(id(error.path().unwrap())),
        }
    }
}

fn drain(buffer: &mut Buffer) -> Vec<Item> {
    std::iter::from_fn(|| buffer.take().map(Item::from)).collect()
}

mod capacity {
    use super::*;

    #[test]
    fn default_is_16_kib_of_events() {
        let buffer = Buffer::default();
        assert_eq!(buffer.capacity(), 16 * 1024 / size_of::<Event>());
    }

    #[test]
    fn a_missed_takes_the_place_of_items_beyond_it() {
        let mut buffer = Buffer::new(2);
        for id in 0..5 {
            buffer.add(event(id));
        }
        assert_eq!(buffer.take().map(Item::from), Some(Item::Event(0)));
        assert_eq!(buffer.take().map(Item::from), Some(Item::Event(1)));
        buffer.add(event(5));
        assert_eq!(drain(&mut buffer), [Item::Missed(Some(3)), Item::Event(5)]);
    }

    #[test]
    fn zero_still_counts_the_missed_items() {
        let mut buffer = Buffer::new(0);
        assert!(buffer.is_full() && buffer.is_empty());
        buffer.add(event(0));
        buffer.add_error(error(1));
        assert_eq!(drain(&mut buffer), [Item::Missed(Some(2))]);
    }

    #[test]
    fn one_holds_one() {
        let mut buffer = Buffer::new(1);
        buffer.add(event(0));
        buffer.add(event(1));
        assert_eq!(drain(&mut buffer), [Item::Event(0), Item::Missed(Some(1))]);
    }

    #[test]
    fn errors_that_find_no_room_are_counted() {
        let mut buffer = Buffer::new(1);
        buffer.add_error(error(0));
        buffer.add_error(error(1));
        assert_eq!(drain(&mut buffer), [Item::Error(0), Item::Missed(Some(1))]);
    }

    #[test]
    fn the_largest_is_not_allocated_at_once() {
        let mut buffer = Buffer::new(usize::MAX);
        buffer.add(event(0));
        assert!(!buffer.is_full());
    }
}

mod missed {
    use super::*;

    fn missed(count: u32) -> Event {
        Event::missed(NonZeroU32::new(count))
    }

    fn missed_below(part: u32, count: u32) -> Event {
        Event::missed_below(place(part), NonZeroU32::new(count))
    }

    #[test]
    fn a_platform_overflow_is_kept_in_a_full_buffer() {
        let mut buffer = Buffer::new(1);
        buffer.add(event(0));
        buffer.add(missed(7));
        assert_eq!(drain(&mut buffer), [Item::Event(0), Item::Missed(Some(7))]);
    }

    #[test]
    fn counts_add_up() {
        let mut buffer = Buffer::new(1);
        buffer.add(event(0));
        buffer.add(missed(7));
        buffer.add(event(1));
        buffer.add(missed(2));
        assert_eq!(drain(&mut buffer), [Item::Event(0), Item::Missed(Some(10))]);
    }

    #[test]
    fn losses_in_one_part_are_a_loss_in_that_part() {
        let mut buffer = Buffer::new(4);
        buffer.add(missed_below(8, 1));
        buffer.add(missed_below(8, 2));
        assert_eq!(drain(&mut buffer), [Item::MissedBelow(8, Some(3))]);
    }

    #[test]
    fn losses_in_two_parts_stay_two() {
        let mut buffer = Buffer::new(3);
        buffer.add(missed_below(8, 1));
        buffer.add(missed_below(9, 2));
        buffer.add(event(0));
        let expected =
            [Item::MissedBelow(8, Some(1)), Item::MissedBelow(9, Some(2)), Item::Event(0)];
        assert_eq!(drain(&mut buffer), expected);
    }

    #[test]
    fn a_loss_within_another_is_part_of_it() {
        for both in [[8, 89], [89, 8]] {
            let mut buffer = Buffer::new(4);
            for part in both {
                buffer.add(missed_below(part, 1));
            }
            assert_eq!(drain(&mut buffer), [Item::MissedBelow(8, Some(2))]);
        }
        for both in [[missed_below(8, 1), missed(2)], [missed(2), missed_below(8, 1)]] {
            let mut buffer = Buffer::new(4);
            for event in both {
                buffer.add(event);
            }
            assert_eq!(drain(&mut buffer), [Item::Missed(Some(3))]);
        }
    }

    /// Spellings are compared by their bytes, as they identify watches: `a` is not in `ab`, and `a/.` is in
    /// `a`, but not the same.
    #[test]
    fn spellings_decide_which_loss_contains_another() {
        let joined = |first: &str, second: &str| {
            let mut buffer = Buffer::new(4);
            buffer.add(Event::missed_below(first, None));
            buffer.add(Event::missed_below(second, None));
            let first = buffer.take().unwrap().unwrap().path;
            buffer.is_empty().then(|| first.into_os_string().into_string().unwrap())
        };
        assert_eq!(joined("/a", "/ab"), None);
        assert_eq!(joined("/ab", "/a"), None);
        assert_eq!(joined("/a", "/a/.").as_deref(), Some("/a"));
        assert_eq!(joined("/a/.", "/a/b"), None);
        assert_eq!(joined("/a/", "/a/b").as_deref(), Some("/a/"));
        assert_eq!(joined("/b", "/").as_deref(), Some("/"));
    }

    #[test]
    fn a_full_buffer_merges_losses_in_two_parts_into_one() {
        let mut buffer = Buffer::new(1);
        buffer.add(missed_below(8, 1));
        buffer.add(missed_below(9, 2));
        assert_eq!(drain(&mut buffer), [Item::Missed(Some(3))]);
    }

    #[test]
    fn a_full_buffer_names_the_part_of_the_one_loss_behind_it() {
        let mut buffer = Buffer::new(1);
        buffer.add(event(0));
        buffer.add(missed_below(8, 1));
        buffer.add(missed_below(89, 2));
        assert_eq!(drain(&mut buffer), [Item::Event(0), Item::MissedBelow(8, Some(3))]);
    }

    /// It does not matter which paths the discarded items have.
    #[test]
    fn a_full_buffer_misses_everywhere() {
        let mut buffer = Buffer::new(0);
        buffer.add(missed_below(8, 1));
        buffer.add(event(8));
        assert_eq!(drain(&mut buffer), [Item::Missed(Some(2))]);
    }

    #[test]
    fn an_unknown_count_stays_unknown() {
        for (first, second) in [(0, 7), (7, 0), (0, 0)] {
            let mut buffer = Buffer::new(4);
            buffer.add(missed(first));
            buffer.add(missed(second));
            assert_eq!(drain(&mut buffer), [Item::Missed(None)]);
        }
    }

    #[test]
    fn counts_do_not_overflow() {
        let mut buffer = Buffer::new(0);
        buffer.add(missed(u32::MAX - 1));
        buffer.add(event(0));
        buffer.add(event(1));
        assert_eq!(drain(&mut buffer), [Item::Missed(Some(u32::MAX))]);
    }

    #[test]
    fn losses_in_different_places_stay_apart() {
        let mut buffer = Buffer::new(4);
        buffer.add(missed(1));
        buffer.add(event(0));
        buffer.add(missed(2));
        assert_eq!(
            drain(&mut buffer),
            [Item::Missed(Some(1)), Item::Event(0), Item::Missed(Some(2))]
        );
    }

    #[test]
    fn the_attributes_of_a_loss_are_kept() {
        let overflow = Event::missed(None).with_info("queue overflow");
        for capacity in [0, 1] {
            let mut buffer = Buffer::new(capacity);
            buffer.add(overflow.clone());
            buffer.add(event(0));
            assert_eq!(buffer.take().unwrap().unwrap(), overflow);
        }
    }
}

mod waking {
    use super::*;

    #[test]
    fn the_first_item_after_pending_wakes_once() {
        let happen: [fn(&mut Buffer); 4] = [
            |buffer| buffer.add(event(0)),
            |buffer| buffer.add(Event::missed(None)),
            |buffer| buffer.add_error(error(0)),
            Buffer::close,
        ];
        for capacity in [0, 1] {
            for happen in happen {
                let mut buffer = Buffer::new(capacity);
                let (counter, waker) = Counter::new();
                assert!(poll(&mut buffer, &waker).is_pending());
                assert_eq!(counter.count(), 0);
                happen(&mut buffer);
                assert_eq!(counter.count(), 1);
                happen(&mut buffer);
                assert_eq!(counter.count(), 1);
                assert!(poll(&mut buffer, &waker).is_ready());
            }
        }
    }

    #[test]
    fn only_the_last_task_is_woken() {
        let mut buffer = Buffer::default();
        let (first, first_waker) = Counter::new();
        let (second, second_waker) = Counter::new();
        assert!(poll(&mut buffer, &first_waker).is_pending());
        assert!(poll(&mut buffer, &second_waker).is_pending());
        buffer.add(event(0));
        assert_eq!((first.count(), second.count()), (0, 1));
    }

    #[test]
    fn a_task_that_got_an_item_is_not_woken() {
        let mut buffer = Buffer::default();
        let (counter, waker) = Counter::new();
        buffer.add(event(0));
        assert!(poll(&mut buffer, &waker).is_ready());
        buffer.add(event(1));
        buffer.close();
        assert_eq!(counter.count(), 0);
    }

    #[test]
    fn a_waker_is_dropped_once_used() {
        let mut buffer = Buffer::default();
        let (counter, waker) = Counter::new();
        assert!(poll(&mut buffer, &waker).is_pending());
        drop(waker);
        buffer.add(event(0));
        assert_eq!(Arc::strong_count(&counter), 1);
    }
}

mod retaining {
    use super::*;

    fn is_first(item: &StreamItem) -> bool {
        item.as_ref().is_ok_and(|event| event.path.to_str().unwrap().parse() == Ok(0))
    }

    #[test]
    fn removed_items_make_room() {
        let mut buffer = Buffer::new(2);
        (0..4).for_each(|id| buffer.add(event(id)));
        buffer.retain(is_first);
        buffer.add(event(4));
        buffer.add(event(5));
        assert_eq!(drain(&mut buffer), [Item::Event(0), Item::Event(4), Item::Missed(Some(1))]);
    }

    #[test]
    fn a_waiting_task_is_woken_only_by_the_next_item() {
        let mut buffer = Buffer::default();
        let (counter, waker) = Counter::new();
        assert!(poll(&mut buffer, &waker).is_pending());
        buffer.retain(|_| false);
        assert_eq!(counter.count(), 0);
        buffer.add(event(0));
        assert_eq!(counter.count(), 1);
    }

    #[test]
    fn the_end_stays_the_end() {
        let mut buffer = Buffer::default();
        buffer.add(event(0));
        buffer.close();
        buffer.retain(|_| false);
        assert!(matches!(poll(&mut buffer, Waker::noop()), Poll::Ready(None)));
    }
}

mod closing {
    use super::*;

    #[test]
    fn there_is_room_for_the_error_that_ends_it() {
        let mut buffer = Buffer::new(1);
        buffer.add(event(0));
        buffer.add(event(1));
        buffer.fail(error(2));
        buffer.fail(error(3));
        buffer.add(event(4));
        let expected = [Item::Event(0), Item::Missed(Some(1)), Item::Error(2)];
        assert_eq!(drain(&mut buffer), expected);
        assert!(matches!(poll(&mut buffer, Waker::noop()), Poll::Ready(None)));
    }

    #[test]
    fn remaining_items_are_yielded_and_then_the_end() {
        let mut buffer = Buffer::new(1);
        buffer.add(event(0));
        buffer.add(event(1));
        buffer.close();
        buffer.add(event(2));
        buffer.add_error(error(3));
        buffer.add(Event::missed(None));
        let waker = Waker::noop();
        let polled = |buffer: &mut Buffer| poll(buffer, waker).map(|item| item.map(Item::from));
        assert_eq!(buffer.size_hint(), (2, Some(2)));
        assert_eq!(polled(&mut buffer), Poll::Ready(Some(Item::Event(0))));
        assert_eq!(polled(&mut buffer), Poll::Ready(Some(Item::Missed(Some(1)))));
        for _ in 0..3 {
            assert_eq!(polled(&mut buffer), Poll::Ready(None));
        }
        assert!(buffer.is_closed());
    }

    #[test]
    fn open_and_empty_is_not_the_end() {
        let mut buffer = Buffer::default();
        assert!(poll(&mut buffer, Waker::noop()).is_pending());
        assert_eq!(buffer.size_hint(), (0, None));
    }
}

/// A buffer has every trait that a backend needs, since a backend contains it.
#[test]
fn has_the_traits_of_a_backend() {
    fn check<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
    check::<Buffer>();
}

/// The behaviour of a buffer, implemented without regard to cost: it keeps every loss, and merges those
/// that are yielded as one only when they are looked at.
struct Model {
    capacity: usize,
    log: Vec<Vec<Item>>,
    closed: bool,
    waiting: bool,
    woken: usize,
}

impl Model {
    /// Returns the items as they will be yielded.
    fn items(&self) -> Vec<Item> {
        self.log.iter().map(|run| Self::merged(run)).collect()
    }

    fn merged(run: &[Item]) -> Item {
        let losses: Vec<_> = run.iter().filter_map(|item| item.loss()).collect();
        if losses.is_empty() {
            return run[0];
        }
        // Once for everything, always for everything, even if a later part contains all the earlier ones.
        let joined = |one, other| match (covers(one, other), covers(other, one)) {
            (true, _) => one,
            (_, true) => other,
            _ => None,
        };
        let part = losses.iter().map(|(part, _)| *part).reduce(joined);
        let sum = losses.iter().map(|(_, count)| count.map(u64::from)).sum::<Option<u64>>();
        let sum = sum.map(|sum| u32::try_from(sum).unwrap_or(u32::MAX));
        Item::missed(part.flatten(), sum)
    }

    fn wake(&mut self) {
        self.woken += usize::from(self.waiting);
        self.waiting = false;
    }

    fn add(&mut self, item: Item) {
        if self.closed {
            return;
        }
        let is_full = self.log.len() >= self.capacity;
        let item = if is_full && item.loss().is_none() { Item::Missed(Some(1)) } else { item };
        let last = self.log.last().and_then(|run| Self::merged(run).loss());
        match (last, item.loss()) {
            (Some((last, _)), Some((part, _)))
                if is_full || covers(last, part) || covers(part, last) =>
            {
                self.log.last_mut().unwrap().push(item);
            }
            _ => self.log.push(vec![item]),
        }
        self.wake();
    }

    fn close(&mut self) {
        self.closed = true;
        self.wake();
    }

    fn take(&mut self) -> Option<Item> {
        let first = self.items().first().copied()?;
        self.log.remove(0);
        Some(first)
    }

    fn retain(&mut self, keep: impl Fn(Item) -> bool) {
        self.log.retain(|run| keep(Self::merged(run)));
    }

    fn poll(&mut self) -> Poll<Option<Item>> {
        match self.take() {
            Some(item) => Poll::Ready(Some(item)),
            None if self.closed => Poll::Ready(None),
            None => {
                self.waiting = true;
                Poll::Pending
            }
        }
    }
}

/// Returns whether a part, or everything, contains another one.
fn covers(outer: Option<u32>, inner: Option<u32>) -> bool {
    let digits = |part: Option<u32>| part.map_or(String::new(), |part| part.to_string());
    digits(inner).starts_with(&digits(outer))
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add,
    AddError,
    AddMissed(Option<u32>, Option<NonZeroU32>),
    Take,
    Poll,
    Retain,
    Close,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let count = prop_oneof![1..5_u32, Just(u32::MAX - 1)];
    let count = proptest::option::of(count.prop_map(|count| NonZeroU32::new(count).unwrap()));
    let missed = (proptest::option::of(prop_oneof![Just(1), Just(2), Just(11), Just(12)]), count);
    let step = prop_oneof![
        12 => Just(Step::Add),
        2 => Just(Step::AddError),
        4 => missed.prop_map(|(part, count)| Step::AddMissed(part, count)),
        4 => Just(Step::Take),
        8 => Just(Step::Poll),
        2 => Just(Step::Retain),
        1 => Just(Step::Close),
    ];
    proptest::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn behaves_as_the_model(
        capacity in prop_oneof![Just(0), Just(1), Just(2), 3..20_usize],
        steps in steps(),
    ) {
        let mut buffer = Buffer::new(capacity);
        let mut model = Model { capacity, log: vec![], closed: false, waiting: false, woken: 0 };
        let (counter, waker) = Counter::new();
        for (id, step) in (0..).zip(steps) {
            match step {
                Step::Add => {
                    buffer.add(event(id));
                    model.add(Item::Event(id));
                }
                Step::AddError => {
                    buffer.add_error(error(id));
                    model.add(Item::Error(id));
                }
                Step::AddMissed(part, count) => {
                    let path = part.map_or(String::new(), place);
                    buffer.add(Event::missed_below(path, count));
                    model.add(Item::missed(part, count.map(NonZeroU32::get)));
                }
                Step::Take => prop_assert_eq!(buffer.take().map(Item::from), model.take()),
                Step::Poll => {
                    let polled = poll(&mut buffer, &waker).map(|item| item.map(Item::from));
                    prop_assert_eq!(polled, model.poll());
                }
                Step::Retain => {
                    let is_kept = |item| match item {
                        Item::Event(id) => id % 2 == 0,
                        Item::MissedBelow(part, _) => part == 11,
                        Item::Error(_) | Item::Missed(_) => true,
                    };
                    buffer.retain(|item| is_kept(match item {
                        Ok(event) => Ok(event.clone()).into(),
                        Err(of) => Item::Error(of.path().unwrap().to_str().unwrap().parse().unwrap()),
                    }));
                    model.retain(is_kept);
                }
                Step::Close => {
                    buffer.close();
                    model.close();
                }
            }
            let items = model.items();
            prop_assert_eq!(counter.count(), model.woken);
            prop_assert_eq!(buffer.len(), items.len());
            prop_assert_eq!(buffer.is_empty(), items.is_empty());
            prop_assert_eq!(buffer.is_full(), items.len() >= capacity);
            prop_assert_eq!(buffer.is_closed(), model.closed);
            // The one property that the model does not have.
            prop_assert!(buffer.len() <= capacity + 1);
        }
        prop_assert_eq!(drain(&mut buffer), model.items());
    }

    /// Each item that is added is yielded or counted, and the yielded ones are in order.
    #[test]
    fn nothing_is_lost_silently(capacity in 0..10_usize, takes in proptest::collection::vec(0..4_usize, 1..60)) {
        let mut buffer = Buffer::new(capacity);
        let mut out = vec![];
        let added = u32::try_from(takes.len()).unwrap() * 2;
        for (id, takes) in (0..added).step_by(2).zip(takes) {
            buffer.add(event(id));
            buffer.add_error(error(id + 1));
            out.extend(std::iter::from_fn(|| buffer.take()).take(takes).map(Item::from));
        }
        out.extend(drain(&mut buffer));
        let mut next = 0;
        for item in out {
            match item {
                Item::Event(id) | Item::Error(id) => {
                    prop_assert_eq!(id, next);
                    next += 1;
                }
                Item::Missed(count) | Item::MissedBelow(_, count) => next += count.unwrap(),
            }
        }
        prop_assert_eq!(next, added);
    }
}
