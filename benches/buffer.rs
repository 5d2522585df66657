//! The overhead of the [`Buffer`] over a bare `VecDeque<Event>`: `cargo bench --bench buffer`.
//!
//! Both do the same work on the same events alternately, round by round, so that other load on the machine
//! affects both. Benchmark libraries measure one after the other, which makes the ratio too unsteady. The ratio
//! is that of the medians.

use std::{
    collections::VecDeque,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use futures_core::Stream;
use notify_backend::{Buffer, Event, event::CreateKind};

/// The limit of the ratio.
const TARGET: f64 = 1.2;
const ROUNDS: usize = 301;
const EVENTS_PER_ROUND: u32 = 20_000;

/// A queue of events, as a backend uses one.
trait Queue {
    fn push(&mut self, event: Event);
    fn pop(&mut self) -> Event;
}

impl Queue for VecDeque<Event> {
    fn push(&mut self, event: Event) {
        self.push_back(event);
    }

    fn pop(&mut self) -> Event {
        black_box(self.pop_front()).expect("something was pushed")
    }
}

impl Queue for Buffer {
    fn push(&mut self, event: Event) {
        self.add(event);
    }

    fn pop(&mut self) -> Event {
        let polled = Pin::new(self).poll_next(&mut Context::from_waker(Waker::noop()));
        match black_box(polled) {
            Poll::Ready(Some(Ok(event))) => event,
            other => panic!("something was pushed, not {other:?}"),
        }
    }
}

/// Passes events through a queue that always holds `depth` of them, and returns the time. With `fresh`, each
/// event is created before and dropped after, as in real use; otherwise, only the queue is measured.
fn round(queue: &mut impl Queue, depth: usize, fresh: bool) -> Duration {
    let event = || Event::create(CreateKind::File, "/srv/www/static/images/2024/holiday.jpeg");
    for _ in 0..depth {
        queue.push(event());
    }
    let mut spare = event();
    let start = Instant::now();
    for _ in 0..EVENTS_PER_ROUND {
        if fresh {
            spare = event();
        }
        queue.push(black_box(spare));
        spare = queue.pop();
    }
    let elapsed = start.elapsed();
    for _ in 0..depth {
        queue.pop();
    }
    elapsed
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e9 / f64::from(EVENTS_PER_ROUND)
}

fn compare(rounds: usize, what: &str, depth: usize, fresh: bool) -> f64 {
    let mut deque = VecDeque::new();
    let mut buffer = Buffer::default();
    let (mut bare, mut buffered) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.push(round(&mut deque, depth, fresh));
        buffered.push(round(&mut buffer, depth, fresh));
    }
    let (bare, buffered) = (median(bare), median(buffered));
    let ratio = buffered / bare;
    println!("{what:<34} VecDeque {bare:>6.1} ns   Buffer {buffered:>6.1} ns   ratio {ratio:.2}");
    ratio
}

fn main() {
    // `cargo test --all-targets` only checks that it runs.
    let rounds = if std::env::args().any(|arg| arg == "--bench") { ROUNDS } else { 1 };
    let ratios = [
        compare(rounds, "one at a time", 0, false),
        compare(rounds, "256 queued", 256, false),
        compare(rounds, "one at a time, made and dropped", 0, true),
        compare(rounds, "256 queued, made and dropped", 256, true),
    ];
    let worst = ratios.into_iter().fold(0.0, f64::max);
    println!("worst ratio {worst:.2}, target {TARGET:.1}");
}
