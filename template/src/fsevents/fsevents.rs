//! The system's FSEvents: [`FsEvents`].
//!
//! The bindings are those of `objc2-core-services`, which are generated from Apple's headers, kept, and those that the
//! `notify` crate itself has taken. `fsevent-stream` is safe, but wakes up every second for each stream, can neither
//! flush one nor name a volume's history, and has had no release since 2023; `fsevent-sys` binds no dispatch
//! queues, which Apple requests in the place of run loops since macOS 13. So there is `unsafe` in this file, and nowhere
//! else.

#[cfg(not(target_os = "macos"))]
pub use self::none::FsEvents;
#[cfg(target_os = "macos")]
pub use self::system::FsEvents;

#[cfg(target_os = "macos")]
mod system {
    use std::{
        ffi::{CStr, OsStr, c_char, c_void},
        fmt, fs, io,
        os::unix::{ffi::OsStrExt, fs::MetadataExt},
        path::{Path, PathBuf},
        ptr::NonNull,
        slice,
        sync::Arc,
    };

    use dispatch2::{DispatchQueue, DispatchRetained};
    use objc2_core_foundation::{CFArray, CFString};
    use objc2_core_services::{
        ConstFSEventStreamRef, FSEventStreamContext, FSEventStreamCreate, FSEventStreamFlushSync,
        FSEventStreamInvalidate, FSEventStreamRef, FSEventStreamRelease,
        FSEventStreamSetDispatchQueue, FSEventStreamStart, FSEventStreamStop,
        FSEventsCopyUUIDForDevice, FSEventsGetCurrentEventId, kFSEventStreamCreateFlagFileEvents,
        kFSEventStreamCreateFlagNoDefer, kFSEventStreamCreateFlagWatchRoot,
    };

    use crate::streams::{Deliver, EventId, Flags, FsEvent, History, Request, Streams};

    /// What every stream is asked for: the first event after a while comes without the latency.
    const DEMANDS: u32 = kFSEventStreamCreateFlagNoDefer
        | kFSEventStreamCreateFlagWatchRoot
        | kFSEventStreamCreateFlagFileEvents;

    /// The system's service.
    #[derive(Debug)]
    pub struct FsEvents(());

    /// A running stream, and the queue on which it delivers.
    pub struct Running {
        stream: FSEventStreamRef,
        queue: DispatchRetained<DispatchQueue>,
    }

    // SAFETY: it owns the stream, and the calls on it may come from any thread, one at a time.
    unsafe impl Send for Running {}

    impl Streams for FsEvents {
        type Stream = Running;

        fn new() -> io::Result<Self> {
            Ok(Self(()))
        }

        fn current(&self) -> EventId {
            // SAFETY: it has no arguments.
            unsafe { FSEventsGetCurrentEventId() }
        }

        fn history(&self, path: &Path) -> Option<History> {
            let device = fs::metadata(path).ok()?.dev();
            // The type of devices is narrower in C than in Rust's metadata, which was made from it.
            let device = device.try_into().ok()?;
            // SAFETY: it takes any number.
            let history = unsafe { FSEventsCopyUUIDForDevice(device) }?.uuid_bytes();
            Some([
                history.byte0,
                history.byte1,
                history.byte2,
                history.byte3,
                history.byte4,
                history.byte5,
                history.byte6,
                history.byte7,
                history.byte8,
                history.byte9,
                history.byte10,
                history.byte11,
                history.byte12,
                history.byte13,
                history.byte14,
                history.byte15,
            ])
        }

        fn start(&self, request: &Request, deliver: Deliver) -> io::Result<Running> {
            let paths = request.paths.iter().map(|path| path.to_str().map(CFString::from_str));
            let paths: Vec<_> = paths.collect::<Option<_>>().ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8")
            })?;
            let paths = CFArray::from_retained_objects(&paths);
            let info = Arc::new(deliver);
            let mut context = FSEventStreamContext {
                version: 0,
                info: Arc::as_ptr(&info).cast_mut().cast(),
                retain: Some(retain),
                release: Some(release),
                copyDescription: None,
            };
            let latency = request.latency.as_secs_f64();
            // SAFETY: the array is of strings. The context is copied, and its `info` counted, before it returns.
            let stream = unsafe {
                FSEventStreamCreate(
                    None,
                    Some(take),
                    &raw mut context,
                    paths.as_opaque(),
                    request.since,
                    latency,
                    DEMANDS,
                )
            };
            if stream.is_null() {
                return Err(io::Error::other("FSEventStreamCreate has failed"));
            }
            let queue = DispatchQueue::new("FSEvents backend", None);
            let running = Running { stream, queue };
            // SAFETY: the stream is valid, and keeps the queue.
            unsafe { FSEventStreamSetDispatchQueue(stream, Some(&running.queue)) };
            // SAFETY: it is valid, and has a queue.
            if !unsafe { FSEventStreamStart(stream) } {
                return Err(io::Error::other("FSEventStreamStart has failed"));
            }
            Ok(running)
        }

        fn flush(&self, running: &Running) {
            // SAFETY: it is valid and was started.
            unsafe { FSEventStreamFlushSync(running.stream) };
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            // SAFETY: it is valid. To stop one that was not started does nothing.
            unsafe { FSEventStreamStop(self.stream) };
            // SAFETY: it has a queue.
            unsafe { FSEventStreamInvalidate(self.stream) };
            // A delivery that had begun still uses it. None is made from within one.
            self.queue.exec_sync(|| {});
            // SAFETY: this is the last use.
            unsafe { FSEventStreamRelease(self.stream) };
        }
    }

    impl fmt::Debug for Running {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_tuple("FSEventStream").field(&self.stream).finish()
        }
    }

    /// Counts a further owner of the context's `info`.
    unsafe extern "C-unwind" fn retain(info: *const c_void) -> *const c_void {
        // SAFETY: it is that of an `Arc` which exists.
        unsafe { Arc::increment_strong_count(info.cast::<Deliver>()) };
        info
    }

    /// Counts an owner less.
    unsafe extern "C-unwind" fn release(info: *const c_void) {
        // SAFETY: it was counted by `retain`.
        unsafe { Arc::decrement_strong_count(info.cast::<Deliver>()) };
    }

    /// Takes some events from the service: three arrays of this length. It does not panic.
    unsafe extern "C-unwind" fn take(
        _: ConstFSEventStreamRef,
        info: *mut c_void,
        length: usize,
        paths: NonNull<c_void>,
        flags: NonNull<u32>,
        ids: NonNull<EventId>,
    ) {
        // SAFETY: it belongs to the stream, which exists during the call.
        let deliver = unsafe { &*info.cast::<Deliver>() };
        // SAFETY: without `UseCFTypes`, they are C strings.
        let paths =
            unsafe { slice::from_raw_parts(paths.as_ptr().cast::<*const c_char>(), length) };
        // SAFETY: it has this length.
        let flags = unsafe { slice::from_raw_parts(flags.as_ptr(), length) };
        // SAFETY: it has this length.
        let ids = unsafe { slice::from_raw_parts(ids.as_ptr(), length) };
        let events = paths.iter().zip(flags).zip(ids).map(|((&path, &flags), &id)| {
            // SAFETY: it ends with a zero, and is valid during the call.
            let path = unsafe { CStr::from_ptr(path) };
            FsEvent {
                path: PathBuf::from(OsStr::from_bytes(path.to_bytes())),
                flags: Flags(flags),
                id,
            }
        });
        deliver(events.collect());
    }
}

#[cfg(not(target_os = "macos"))]
mod none {
    use std::{io, path::Path};

    use crate::streams::{Deliver, EventId, History, Request, Streams};

    /// This system has no FSEvents, so there is no value of this type.
    #[derive(Debug)]
    pub enum FsEvents {}

    impl Streams for FsEvents {
        type Stream = Self;

        fn new() -> io::Result<Self> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no FSEvents"))
        }

        fn current(&self) -> EventId {
            match *self {}
        }

        fn history(&self, _: &Path) -> Option<History> {
            match *self {}
        }

        fn start(&self, _: &Request, _: Deliver) -> io::Result<Self> {
            match *self {}
        }

        fn flush(&self, _: &Self) {
            match *self {}
        }
    }
}
