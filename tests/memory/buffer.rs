//! The memory of a `Buffer`, including its events' paths.

use notify_backend::prelude::*;

use crate::heap_bytes;

fn buffer_of(capacity: usize, events: usize) -> Buffer {
    let path = "/".to_owned() + &"a".repeat(79);
    let mut buffer = Buffer::new(capacity);
    for _ in 0..events {
        buffer.add(Event::create(CreateKind::File, &path));
    }
    buffer
}

/// The figures in the documentation of `Buffer`, on 64-bit targets.
#[cfg(target_pointer_width = "64")]
mod buffer_figures {
    use super::*;

    /// On Windows, a path also stores whether it is valid text, which takes 8 more bytes.
    const ITEM: usize = if cfg!(windows) { 56 } else { 48 };
    const DEFAULT: usize = if cfg!(windows) { 292 } else { 341 };
    const DEFAULT_KIB: usize = if cfg!(windows) { 39 } else { 43 };

    #[test]
    fn an_item_takes_48_bytes_or_56_on_windows() {
        assert_eq!(size_of::<StreamItem>(), ITEM);
    }

    #[test]
    fn a_full_default_buffer_takes_43_kib() {
        let events = Buffer::DEFAULT_CAPACITY;
        let (bytes, _buffer) = heap_bytes(|| buffer_of(events, events));
        assert_eq!(events, DEFAULT);
        assert!(bytes.abs_diff(DEFAULT_KIB * 1024) < 512, "{bytes}");
        assert!((bytes - events * 80).abs_diff(16 * 1024) < 64, "{bytes}");
    }

    #[test]
    fn ten_thousand_events_take_1_3_mb() {
        let (bytes, _buffer) = heap_bytes(|| buffer_of(10_000, 10_000));
        let documented = if cfg!(windows) { 1_400_000 } else { 1_300_000 };
        assert!(bytes.abs_diff(documented) < 50_000, "{bytes}");
    }
}

#[test]
fn a_buffer_knows_its_size_to_the_byte() {
    let (bytes, buffer) = heap_bytes(|| {
        let mut buffer = buffer_of(100, 60);
        buffer.add(Event::other("unmount", "/mnt").with_source("replica-2"));
        for (path, kind) in [
            ("/root", std::io::ErrorKind::PermissionDenied),
            ("/gone", std::io::ErrorKind::NotFound),
        ] {
            let cause = BackendError::from_io(path, kind.into());
            buffer.add_error(StreamError::unwatched(path, cause));
        }
        buffer
    });
    assert_eq!(buffer.bytes(), size_of::<Buffer>() + bytes);
}

#[test]
fn a_flood_costs_no_more_than_a_full_buffer() {
    let (full, _buffer) = heap_bytes(|| buffer_of(100, 101));
    let (flooded, _buffer) = heap_bytes(|| buffer_of(100, 100_000));
    assert_eq!(flooded, full);
}
