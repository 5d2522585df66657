//! The other side: publishes what a backend reports.
//!
//! A message is published, and stored by the server, before the next one is made. If that takes long, because the
//! server is away or its store is full, the daemon tries again and does not read its backend meanwhile, which
//! reports the loss itself when its queue is full. Its heartbeats then say why it cannot publish.

use std::{
    collections::VecDeque,
    fmt::Display,
    future::{pending, poll_fn},
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake},
    time::{Duration, Instant, SystemTime},
};

use async_nats::{
    Client, HeaderMap, RequestErrorKind,
    jetstream::{
        self, ErrorCode,
        context::{
            CreateStreamError, CreateStreamErrorKind, GetStreamByNameError,
            GetStreamByNameErrorKind, PublishErrorKind,
        },
    },
};
use futures_util::{FutureExt as _, StreamExt as _};
use notify_backend::{StreamError, Watch, prelude::*};
use tokio::{
    sync::oneshot,
    task::yield_now,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    gaps::Gaps,
    looking::LookingBackend,
    message::{
        Batch, Beat, Cause, Item, LARGEST, MOST_PARTS, Message as _, Number, Place, Question,
        Reply, Unwatched, WirePath,
    },
    settings::{Address, Publishing},
};

/// How long to wait before something that has failed is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the server may take to store a message, or to say whether there is a stream. Meanwhile, the heart does not
/// beat.
const STORING: Duration = Duration::from_secs(2);

/// How long to try to make the stream, and to store the first message: a server that accepts connections may still be
/// reading its store, or be one of a cluster that chooses its leader.
const STARTING: Duration = Duration::from_secs(30);

/// How long to listen whether there is another daemon. By default, its heart beats once per second.
const LISTENING: Duration = Duration::from_millis(2500);

/// The number of heartbeats between two looks whether the stream is there.
const LOOKS: u32 = 10;

/// Watches `roots` with all that is below by a backend of the type `B`, and publishes what it reports. Calls
/// `ready` when clients can come. Goes on until the backend's stream ends, or until it is dropped.
///
/// It makes the stream in which the server stores the events, unless there is one with their subject.
///
/// # Errors
///
/// The error of the backend when it is made. [`BackendError::Unavailable`] if the server cannot be reached, if the
/// stream cannot be made, if `B` does not watch folders that come later, if an earlier daemon has the same subject, or
/// when the backend's stream has ended.
///
/// # Backends that look
///
/// A client only gets what happens after its watch has begun. Of a backend that looks from time to time, the daemon does
/// not know when it has seen all that was before, so clients also get changes that were made shortly before.
/// [`publish_by_looking`] has no such limit.
pub async fn publish<B: Backend>(
    settings: Publishing,
    roots: Vec<PathBuf>,
    ready: impl FnOnce(),
) -> Result<(), BackendError> {
    // What the system has told so far is in the stream.
    let told = |_: &mut B| oneshot::channel().1;
    publish_made(settings, roots, ready, B::new, told).await
}

/// As [`publish`], but looks at the files as often as `interval` says, by a [`LookingBackend`], and whenever a client
/// comes.
///
/// # Errors
///
/// As [`publish`].
pub async fn publish_by_looking(
    settings: Publishing,
    interval: Duration,
    roots: Vec<PathBuf>,
    ready: impl FnOnce(),
) -> Result<(), BackendError> {
    let make = |watches| LookingBackend::with_interval(interval, watches);
    publish_made(settings, roots, ready, make, LookingBackend::look).await
}

async fn publish_made<B: Backend>(
    settings: Publishing,
    roots: Vec<PathBuf>,
    ready: impl FnOnce(),
    make: impl FnOnce(Vec<Watch>) -> Result<B, BackendError>,
    catch_up: CatchUp<B>,
) -> Result<(), BackendError> {
    if !B::capabilities().contains(Capability::WatchNewFolders) {
        return Err(BackendError::not_supported(Capability::WatchNewFolders, roots));
    }
    let mut daemon = Daemon::start(settings, roots, make, catch_up).await?;
    ready();
    daemon.run().await
}

/// Makes a backend notice what has happened. The receiver returns something, or an error, when all of it is in the stream.
type CatchUp<B> = fn(&mut B) -> oneshot::Receiver<()>;

struct Daemon<B> {
    backend: B,
    catch_up: CatchUp<B>,
    settings: Publishing,
    roots: Vec<PathBuf>,
    client: Client,
    context: jetstream::Context,
    questions: async_nats::Subscriber,
    /// The heartbeats on this subject, also of another daemon that was given the same one.
    beats: async_nats::Subscriber,
    /// The last message.
    beat: Beat,
    gaps: Gaps,
    /// What the backend has reported, and is not published yet.
    waiting: VecDeque<Item>,
    has_ended: bool,
}

impl<B: Backend> Daemon<B> {
    async fn start(
        settings: Publishing,
        roots: Vec<PathBuf>,
        make: impl FnOnce(Vec<Watch>) -> Result<B, BackendError>,
        catch_up: CatchUp<B>,
    ) -> Result<Self, BackendError> {
        let Publishing { address, .. } = &settings;
        address.check()?;
        let unavailable = |what: &str, error: &dyn Display| {
            let reason = format!("{what} at {}: {error}", address.server);
            BackendError::unavailable(reason)
        };
        // The paths of the events, whatever links lead to the folders.
        let real = |root: &PathBuf| {
            root.canonicalize().map_err(|error| BackendError::from_io(root, error))
        };
        let roots = roots.iter().map(real).collect::<Result<Vec<_>, _>>()?;
        let client = address.connect(address.options.clone().no_echo()).await;
        let client = client.map_err(|error| {
            let advice = format!("{error}; start the server, or check the address");
            unavailable("there is no server", &advice)
        })?;
        let beats = client.subscribe(address.beats()).await;
        let mut beats = beats.map_err(|error| unavailable("no subscription", &error))?;
        if has_daemon(&client, &mut beats, address).await {
            return Err(another_daemon(address));
        }
        let context = jetstream::ContextBuilder::new().ack_timeout(STORING).build(client.clone());
        let found = find_stream(&context, &settings).await;
        found.map_err(|error| match error.kind() {
            CreateStreamErrorKind::JetStreamUnavailable => unavailable(
                "there is no stream",
                &"the server has no JetStream; start it with `nats-server --jetstream`",
            ),
            _ => unavailable("the stream cannot be made", &error),
        })?;
        let questions = client.subscribe(address.questions()).await;
        let questions = questions.map_err(|error| unavailable("no subscription", &error))?;
        let backend = make(roots.iter().map(Watch::recursive).collect())?;
        // Differs from that of all earlier runs, and is no secret.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let run = u64::try_from(since.as_nanos()).unwrap_or_default();
        let beat = Beat { last: Number { run, number: 0 }, sequence: 0, unpublished: None };
        let mut daemon = Self {
            backend,
            catch_up,
            settings,
            roots,
            client,
            context,
            questions,
            beats,
            beat,
            gaps: Gaps::default(),
            waiting: VecDeque::new(),
            has_ended: false,
        };
        // Clients that know an earlier run learn of this one. It also has a place in the stream.
        let stored = timeout(STARTING, daemon.store(vec![])).await;
        stored.map_err(|_| {
            let reason = daemon.beat.unpublished.clone().unwrap_or_default();
            let address = &daemon.settings.address;
            let reason = format!("the stream at {} stores nothing: {reason}", address.server);
            BackendError::unavailable(reason)
        })?;
        Ok(daemon)
    }

    async fn run(&mut self) -> Result<(), BackendError> {
        let mut beats = interval(self.settings.beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = interval(self.settings.beat * LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.has_ended {
            let Self { backend, questions, beats: heard, .. } = self;
            let mut first = None;
            tokio::select! {
                biased;
                Some(question) = questions.next() => self.reply(question).await,
                Some(heard) = heard.next() => self.check_alone(&heard)?,
                _ = beats.tick() => self.beat().await,
                _ = looks.tick() => self.keep_stream().await,
                item = poll_fn(|cx| Pin::new(&mut *backend).poll_next(cx)) => first = Some(item),
            }
            if let Some(item) = first {
                self.publish(item).await;
            }
        }
        Err(BackendError::unavailable("the stream of the daemon's backend has ended"))
    }

    /// Returns an error if this is the heartbeat of another daemon, which was there first: clients would take each of
    /// its messages for a loss.
    fn check_alone(&self, heard: &async_nats::Message) -> Result<(), BackendError> {
        match Beat::decoded(&heard.payload) {
            Ok(other) if other.last.run < self.beat.last.run => {
                Err(another_daemon(&self.settings.address))
            }
            _ => Ok(()),
        }
    }

    /// Tells clients that the daemon lives. If they do not hear it, they say so.
    async fn beat(&self) {
        let beat = self.beat.encoded();
        _ = self.client.publish(self.settings.address.beats(), beat.into()).await;
    }

    /// Publishes an item of the backend, and those that are ready.
    async fn publish(&mut self, first: Option<StreamItem>) {
        self.take(first);
        while !self.waiting.is_empty() {
            let items = self.batch().await;
            self.store(items).await;
        }
    }

    /// Returns what waits, and what the backend has ready, up to what one message holds.
    async fn batch(&mut self) -> Vec<Item> {
        let most = (LARGEST / 2).min(self.client.max_payload().saturating_sub(1024));
        let (mut items, mut bytes) = (vec![], 0);
        // The largest item is less than a twentieth of a message.
        while items.len() < MOST_PARTS && bytes <= most - most / 10 {
            if let Some(item) = self.waiting.pop_front() {
                bytes += size(&item);
                items.push(item);
                continue;
            }
            if self.has_ended {
                break;
            }
            let Self { backend, .. } = self;
            match poll_fn(|cx| Poll::Ready(Pin::new(&mut *backend).poll_next(cx))).await {
                Poll::Ready(item) => self.take(item),
                Poll::Pending => break,
            }
        }
        items
    }

    /// Turns an item of the backend into those of a message, and remembers what it says about folders.
    fn take(&mut self, item: Option<StreamItem>) {
        match item {
            None => {
                self.has_ended = true;
                let reason = "the stream of the daemon's backend has ended";
                self.waiting.push_back(Item::Failed(reason.into()));
            }
            Some(Ok(event)) => {
                let moved = self.gaps.after(&event);
                self.waiting.push_back(Item::Event(event));
                self.waiting.extend(moved.into_iter().map(Item::Unwatched));
            }
            Some(Err(StreamError::Unwatched { path, cause, .. })) => {
                let found = self.gaps.found(path, Cause::of(&cause));
                self.waiting.extend(found.map(Item::Unwatched));
            }
            Some(Err(error)) => self.waiting.push_back(Item::Failed(error.to_string())),
        }
    }

    /// Publishes items as the next message, as often as it takes until the server has stored it.
    async fn store(&mut self, items: Vec<Item>) {
        let number = self.beat.last.next();
        let batch = Batch { number, items }.encoded();
        loop {
            // By this, the server recognises a message that it already has.
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("{:x}-{:x}", number.run, number.number));
            let subject = self.settings.address.events();
            let published = async {
                let published =
                    self.context.publish_with_headers(subject, headers, batch.clone().into());
                published.await?.await
            };
            let error = match published.await {
                Ok(stored) => {
                    let sequence = stored.sequence;
                    self.beat = Beat { last: number, sequence, unpublished: None };
                    return;
                }
                Err(error) => error,
            };
            if error.kind() == PublishErrorKind::StreamNotFound {
                // If that fails, the next attempt does, too.
                _ = timeout(STORING, make_stream(&self.context, &self.settings)).await;
            }
            self.beat.unpublished = Some(error.to_string());
            self.beat().await;
            sleep(PAUSE).await;
        }
    }

    /// Makes the stream again if it was deleted. Clients learn from its first message that it begins anew.
    async fn keep_stream(&mut self) {
        let events = self.settings.address.events();
        let found = timeout(STORING, self.context.stream_by_subject(events)).await;
        let is_none =
            |error: GetStreamByNameError| error.kind() == GetStreamByNameErrorKind::NotFound;
        if found.is_ok_and(|found| found.is_err_and(is_none)) {
            self.store(vec![]).await;
        }
    }

    /// Publishes what has happened so far, and replies to the clients that have asked.
    async fn reply(&mut self, first: async_nats::Message) {
        let mut questions = vec![first];
        while let Some(Some(question)) = self.questions.next().now_or_never() {
            questions.push(question);
        }
        self.catch_up().await;
        self.keep_stream().await;
        for question in &questions {
            self.reply_to(question).await;
        }
    }

    /// Lets the backend notice what has happened so far, and publishes it.
    async fn catch_up(&mut self) {
        let mut caught_up = (self.catch_up)(&mut self.backend);
        let mut beats = interval(self.settings.beat);
        while !self.has_ended {
            let Self { backend, .. } = self;
            let mut first = None;
            tokio::select! {
                biased;
                _ = &mut caught_up => break,
                _ = beats.tick() => self.beat().await,
                item = poll_fn(|cx| Pin::new(&mut *backend).poll_next(cx)) => first = Some(item),
            }
            if let Some(item) = first {
                self.publish(item).await;
            }
        }
        self.drain().await;
    }

    /// Replies to a client. Everything that has happened before the question has been published.
    async fn reply_to(&self, question: &async_nats::Message) {
        let Some(to) = question.reply.clone() else { return };
        let Ok(Question { paths }) = Question::decoded(&question.payload) else { return };
        let places = paths.iter().map(|path| self.place(path.path())).collect();
        let reply = Reply {
            beat: self.beat.clone(),
            tracks_renames: self.backend.about().capabilities.contains(Capability::TrackRelated),
            places,
            unwatched: self.gaps.all().collect(),
        };
        // A client that gets no reply says so.
        _ = self.client.publish(to, reply.encoded().into()).await;
    }

    /// Publishes everything that the backend has to report at this moment.
    async fn drain(&mut self) {
        let mut quiet = 0;
        while quiet < 2 && !self.has_ended {
            let woken = Arc::new(Woken::default());
            let waker = woken.clone().into();
            match Pin::new(&mut self.backend).poll_next(&mut Context::from_waker(&waker)) {
                Poll::Ready(item) => {
                    quiet = 0;
                    self.publish(item).await;
                }
                Poll::Pending => {
                    // The runtime looks for new events of the system.
                    yield_now().await;
                    quiet = if woken.0.load(Ordering::Relaxed) { 0 } else { quiet + 1 };
                }
            }
        }
    }

    /// Returns where a path of a client is, if it is below a root.
    fn place(&self, path: &Path) -> Place {
        let is_inside = |path: &Path| self.roots.iter().any(|root| path.starts_with(root));
        let real = match real(path) {
            Ok(real) => real,
            Err(error) => {
                // The client learns nothing about what is outside.
                let above = path.ancestors().skip(1).find_map(|above| above.canonicalize().ok());
                return match error.kind() {
                    _ if !above.is_some_and(|above| is_inside(&above)) => Place::Outside,
                    io::ErrorKind::NotFound => Place::Missing,
                    io::ErrorKind::PermissionDenied => Place::Denied,
                    _ => Place::Failed(error.to_string()),
                };
            }
        };
        if !is_inside(&real) {
            return Place::Outside;
        }
        // Some backends do not say that they cannot read a folder, or not at once.
        let is_folder = real.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let folder = if is_folder { Some(real.as_path()) } else { real.parent() };
        let listed = folder.map(Path::read_dir);
        if listed.is_some_and(|listed| is_denied(&listed)) {
            return Place::Denied;
        }
        match self.gaps.cause(&real) {
            Some(Cause::Denied) => return Place::Denied,
            Some(Cause::Missing) => return Place::Missing,
            Some(Cause::Limit(reason) | Cause::Other(reason)) => {
                return Place::Failed(reason.clone());
            }
            None => {}
        }
        Place::Here { path: WirePath::new(real), is_folder }
    }
}

/// Returns whether a daemon is there already. If no process takes questions, there is none; otherwise its heart beats
/// soon.
async fn has_daemon(
    client: &Client,
    beats: &mut async_nats::Subscriber,
    address: &Address,
) -> bool {
    let asked = client.request(address.questions(), "".into());
    let is_none = async {
        match asked.await {
            Err(error) if error.kind() == RequestErrorKind::NoResponders => {}
            // It does not reply to this, or may not be asked.
            _ => pending().await,
        }
    };
    tokio::select! {
        biased;
        heard = beats.next() => heard.is_some_and(|heard| Beat::decoded(&heard.payload).is_ok()),
        () = is_none => false,
        () = sleep(LISTENING) => false,
    }
}

fn another_daemon(Address { server, subject, .. }: &Address) -> BackendError {
    let other = format!("another daemon publishes on {subject} at {server}");
    BackendError::unavailable(other + "; end it, or give this one another subject")
}

/// Finds the stream in which the server stores the events, or makes it.
async fn find_stream(
    context: &jetstream::Context,
    settings: &Publishing,
) -> Result<(), CreateStreamError> {
    let start = Instant::now();
    loop {
        // Without JetStream, there is no reply.
        if context.stream_by_subject(settings.address.events()).await.is_ok() {
            return Ok(());
        }
        match make_stream(context, settings).await {
            Err(error) if has_no_leader(&error) && start.elapsed() < STARTING => {
                sleep(PAUSE).await;
            }
            made => return made,
        }
    }
}

/// Returns whether this is the answer of a cluster that still has to choose its leader.
fn has_no_leader(error: &CreateStreamError) -> bool {
    let electing = [
        ErrorCode::CLUSTER_NO_PEERS,
        ErrorCode::CLUSTER_NOT_AVAILABLE,
        ErrorCode::CLUSTER_NOT_LEADER,
    ];
    match error.kind() {
        CreateStreamErrorKind::TimedOut => true,
        CreateStreamErrorKind::JetStream(error) => electing.contains(&error.error_code()),
        _ => false,
    }
}

/// Makes the stream in which the server stores the events.
async fn make_stream(
    context: &jetstream::Context,
    settings: &Publishing,
) -> Result<(), CreateStreamError> {
    let stream = jetstream::stream::Config {
        name: settings.address.subject.replace('.', "-"),
        subjects: vec![settings.address.events()],
        max_bytes: settings.bytes,
        max_age: settings.age,
        num_replicas: settings.replicas,
        ..jetstream::stream::Config::default()
    };
    context.create_stream(stream).await.map(drop)
}

/// Returns the path without links on the way, but not where it leads itself.
fn real(path: &Path) -> io::Result<PathBuf> {
    let metadata = path.symlink_metadata()?;
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if metadata.is_symlink() => {
            Ok(parent.canonicalize()?.join(name))
        }
        _ => path.canonicalize(),
    }
}

fn is_denied<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Returns how long an item is as JSON, at most.
fn size(item: &Item) -> usize {
    // An odd byte takes six characters as text, and five more as a number.
    let path = |path: &Path| path.as_os_str().len() * 11;
    128 + match item {
        Item::Event(event) => {
            let texts = [event.attrs.info(), event.attrs.source()];
            path(&event.path)
                + texts.into_iter().flatten().map(|text| text.len() * 6).sum::<usize>()
        }
        Item::Unwatched(Unwatched { path: at, cause }) => path(at.path()) + cause.len() * 6,
        Item::Failed(reason) => reason.len() * 6,
    }
}

/// Notes that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
