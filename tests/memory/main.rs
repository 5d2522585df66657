//! The library's heap memory, measured with a counting allocator.
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has to fail")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

mod adapter;
mod buffer;
#[cfg(unix)]
mod watched_folders;

/// The system's allocator, with counters per thread, since the tests of this program run in parallel.
struct Counting;

thread_local! {
    // Negative in a thread that frees another thread's memory.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get() + layout.size().cast_signed());
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Returns the bytes that this thread holds on the heap.
fn held() -> isize {
    HELD.get()
}

/// Returns how often this thread has allocated.
fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// Returns the bytes on the heap that the result of `make` holds.
fn heap_bytes<T>(make: impl FnOnce() -> T) -> (usize, T) {
    let before = held();
    let value = make();
    ((held() - before).cast_unsigned(), value)
}
