//! Reading from sockets, and from inotify itself.

use std::{
    future::poll_fn,
    io::Write,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    task::{Wake, Waker},
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use super::*;

/// How long a step may take that takes no time unless a wake-up is lost.
const DEADLINE: Duration = Duration::from_secs(60);

/// Creates a runtime that does not poll for news while a test is not waiting.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Returns a descriptor and the other end of its socket. Must be called inside a runtime.
fn pair() -> (Descriptor, UnixStream) {
    let (reader, writer) = UnixStream::pair().unwrap();
    reader.set_nonblocking(true).unwrap();
    (Descriptor::new(reader.into()).unwrap(), writer)
}

fn reading(bytes: usize, is_drained: bool) -> Reading {
    Reading { bytes, is_drained }
}

/// Waits for the result of a read.
async fn read(descriptor: &Descriptor, buffer: &mut [u8], largest: usize) -> Reading {
    let read = poll_fn(|cx| descriptor.poll_read(cx, buffer, largest));
    timeout(DEADLINE, read).await.expect("something to read").unwrap()
}

/// Reads at once, without asking the poller for news, and counts the system calls.
fn reads_at_once(
    descriptor: &Descriptor,
    buffer: &mut [u8],
    largest: usize,
) -> (Poll<Reading>, usize) {
    let mut calls = 0;
    let mut cx = Context::from_waker(Waker::noop());
    let read = descriptor.poll_read_by(&mut cx, buffer, largest, |mut file, buffer| {
        calls += 1;
        file.read(buffer)
    });
    (read.map(Result::unwrap), calls)
}

#[test]
fn a_short_read_saves_another() {
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let mut buffer = [0; 64];
        writer.write_all(&[0; 10]).unwrap();
        assert_eq!(read(&descriptor, &mut buffer, 1).await, reading(10, true));
        // It did not try: a read would have returned these.
        writer.write_all(&[0; 5]).unwrap();
        assert_eq!(reads_at_once(&descriptor, &mut buffer, 1), (Poll::Pending, 0));
        assert_eq!(read(&descriptor, &mut buffer, 1).await, reading(5, true));
    });
}

#[test]
fn after_a_full_read_it_reads_again() {
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let mut buffer = [0; 32];
        writer.write_all(&[0; 64]).unwrap();
        assert_eq!(read(&descriptor, &mut buffer, 1).await, reading(32, false));
        let again = reads_at_once(&descriptor, &mut buffer, 1);
        assert_eq!(again, (Poll::Ready(reading(32, false)), 1));
        assert_eq!(reads_at_once(&descriptor, &mut buffer, 1), (Poll::Pending, 1));
        // Now it is known that there is nothing to read.
        assert_eq!(reads_at_once(&descriptor, &mut buffer, 1), (Poll::Pending, 0));
    });
}

#[test]
fn a_read_is_short_if_the_largest_record_had_room() {
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let mut buffer = [0; 300];
        for (bytes, is_drained) in [(16, true), (28, true), (29, false), (272, false), (300, false)]
        {
            writer.write_all(&vec![0; bytes]).unwrap();
            assert_eq!(read(&descriptor, &mut buffer, 272).await, reading(bytes, is_drained));
        }
    });
}

#[test]
fn no_size_of_records_makes_a_full_read_short() {
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let mut buffer = [0; 8];
        for largest in [0, 1, 9, usize::MAX] {
            writer.write_all(&[0; 16]).unwrap();
            assert_eq!(read(&descriptor, &mut buffer, largest).await, reading(8, false));
            assert_eq!(read(&descriptor, &mut buffer, largest).await, reading(8, false));
        }
    });
}

#[test]
fn an_interrupted_read_is_repeated() {
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let mut buffer = [0; 8];
        writer.write_all(&[0; 3]).unwrap();
        let mut calls = 0;
        let read = poll_fn(|cx| {
            descriptor.poll_read_by(cx, &mut buffer, 1, |mut file, buffer| {
                calls += 1;
                if calls < 3 { Err(io::ErrorKind::Interrupted.into()) } else { file.read(buffer) }
            })
        });
        assert_eq!(read.await.unwrap(), reading(3, true));
        assert_eq!(calls, 3);
    });
}

#[test]
fn after_an_error_it_reads_again() {
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let mut buffer = [0; 8];
        writer.write_all(&[0; 3]).unwrap();
        let failing = poll_fn(|cx| {
            let error = |_: &File, _: &mut [u8]| Err(io::ErrorKind::PermissionDenied.into());
            descriptor.poll_read_by(cx, &mut buffer, 1, error)
        });
        assert_eq!(failing.await.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(read(&descriptor, &mut buffer, 1).await, reading(3, true));
    });
}

#[test]
fn every_read_at_the_end_returns_0() {
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let mut buffer = [0; 8];
        writer.write_all(&[0; 3]).unwrap();
        drop(writer);
        assert_eq!(read(&descriptor, &mut buffer, 1).await, reading(3, true));
        for _ in 0..3 {
            assert_eq!(read(&descriptor, &mut buffer, 1).await.bytes, 0);
        }
    });
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    struct Sender(mpsc::Sender<&'static str>, &'static str);

    impl Wake for Sender {
        fn wake(self: Arc<Self>) {
            self.0.send(self.1).unwrap();
        }
    }

    // This runtime's poller has its own thread.
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build().unwrap();
    let _inside = runtime.enter();
    let (descriptor, mut writer) = pair();
    let (sender, woken) = mpsc::channel();
    let poll = |name| {
        let waker = Waker::from(Arc::new(Sender(sender.clone(), name)));
        let mut cx = Context::from_waker(&waker);
        descriptor.poll_read(&mut cx, &mut [0; 8], 1).map(Result::unwrap)
    };
    assert_eq!([poll("first"), poll("second")], [Poll::Pending; 2]);
    writer.write_all(&[0; 3]).unwrap();
    assert_eq!(woken.recv_timeout(DEADLINE), Ok("second"));
    assert_eq!(poll("third"), Poll::Ready(reading(3, true)));
    assert_eq!(woken.try_recv(), Err(mpsc::TryRecvError::Empty));
}

/// The other side writes at the very moment when everything was read, thousands of times: before the task
/// waits, while it begins to wait, and once it waits.
#[test]
fn no_wake_up_is_lost_while_a_task_begins_to_wait() {
    const ROUNDS: usize = 20_000;
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let seen = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&seen);
        let other = thread::spawn(move || {
            let mut expected = 0;
            for round in 0..ROUNDS {
                while written.load(Ordering::Acquire) < expected {
                    thread::yield_now();
                }
                // From one byte to more than a buffer.
                let record = [0; 20];
                let length = 1 + round % record.len();
                expected += length;
                writer.write_all(&record[..length]).unwrap();
            }
            expected
        });
        let mut buffer = [0; 16];
        let mut total = 0;
        loop {
            let Reading { bytes, .. } = read(&descriptor, &mut buffer, 1).await;
            if bytes == 0 {
                break;
            }
            total += bytes;
            seen.store(total, Ordering::Release);
        }
        assert_eq!(total, other.join().unwrap());
    });
}

/// The same with another side that writes at any time.
#[test]
fn everything_that_is_written_is_read() {
    runtime().block_on(async {
        let (descriptor, mut writer) = pair();
        let other = thread::spawn(move || {
            let record = [0; 400];
            let lengths = (0..20_000_usize).map(|i| 1 + i * 7919 % record.len());
            lengths.inspect(|&length| writer.write_all(&record[..length]).unwrap()).sum::<usize>()
        });
        let mut buffer = [0; 1024];
        let mut total = 0;
        loop {
            let Reading { bytes, .. } = read(&descriptor, &mut buffer, 1).await;
            if bytes == 0 {
                break;
            }
            total += bytes;
        }
        assert_eq!(total, other.join().unwrap());
    });
}

#[cfg(target_os = "linux")]
mod inotify {
    use std::collections::BTreeSet;

    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

    use super::*;

    /// The longest event: its head, and a name of 255 bytes with its end mark.
    const LARGEST: usize = 16 + 256;

    /// Returns the names in the events of a read.
    fn names(mut events: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        while let [_, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d, rest @ ..] = events {
            let (name, rest) = rest.split_at(u32::from_ne_bytes([*a, *b, *c, *d]) as usize);
            names.push(String::from_utf8(name.to_vec()).unwrap().trim_end_matches('\0').into());
            events = rest;
        }
        names
    }

    #[test]
    fn each_of_many_events_is_read() {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let instance = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
            add_watch(&instance, folder.path(), WatchFlags::CREATE).unwrap();
            let descriptor = Descriptor::new(instance).unwrap();
            // Names of all lengths, in mixed order.
            let expected: BTreeSet<String> =
                (0..3000).map(|i| format!("{i:00$}", 4 + i * 101 % 250)).collect();
            let path = folder.path().to_owned();
            let files = expected.clone();
            let other = thread::spawn(move || {
                for file in files {
                    File::create(path.join(file)).unwrap();
                }
            });
            let mut buffer = [0; 4 * LARGEST];
            let mut found = BTreeSet::new();
            while found.len() < expected.len() {
                let Reading { bytes, .. } = read(&descriptor, &mut buffer, LARGEST).await;
                for name in names(&buffer[..bytes]) {
                    assert!(found.insert(name));
                }
            }
            assert_eq!(found, expected);
            other.join().unwrap();
        });
    }
}
