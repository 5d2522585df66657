//! What the library takes on the heap, measured with an allocator that counts.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to fail")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

mod adapter;
mod buffer;
#[cfg(unix)]
mod watched_folders;

/// The system's allocator, which counts what each thread asks for: the tests of this file run side
/// by side.
struct Counting;

thread_local! {
    // Below zero in a thread that frees what another one made.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it came.
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

/// The bytes that this thread holds on the heap.
fn held() -> isize {
    HELD.get()
}

/// How often this thread has allocated.
fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// The bytes that what `make` returns holds on the heap.
fn heap_bytes<T>(make: impl FnOnce() -> T) -> (usize, T) {
    let before = held();
    let value = make();
    ((held() - before).cast_unsigned(), value)
}
