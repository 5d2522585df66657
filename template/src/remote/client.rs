//! The client's work, on the thread of a `Worker`: asks the daemon, then reads the stream of its messages.
//!
//! A message that is not the one after the last means that something is missing, whatever the cause: the stream
//! has dropped it, the daemon has begun anew, or a message was forged, damaged or sent twice. Each of these is a
//! `Missed`, and reading goes on from what was received.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use async_nats::{
    Client, Event as ClientEvent, Request,
    jetstream::{
        self,
        consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
    },
};
use futures_util::{StreamExt, future::OptionFuture};
use notify_backend::{Event, StreamError, Watch, channel::Sender, prelude::*, worker::Ready};
use tokio::{
    sync::{Mutex as Turn, mpsc},
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    cursor::{Position, Positions},
    message::{
        Batch, Beat, Item, MOST_PARTS, Message as _, Number, Place, Question, Reply, WirePath,
    },
    places::{Places, Prefixes, Watched},
    settings::Settings,
    trouble::Trouble,
};

/// The number of messages that are on their way to this client at most: no more fits in its memory.
const AT_ONCE: usize = 16;

/// How often to look whether all is well.
const LOOK: Duration = Duration::from_millis(500);

/// How long the first attempt to read the stream again may take; each later one twice as long. A cluster answers nothing
/// while it has no leader, and may give a reader to the server that has just died.
const ATTEMPT: Duration = Duration::from_secs(2);

/// What the backend and its worker share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) prefixes: Prefixes,
    pub(crate) places: Mutex<Places>,
    pub(crate) positions: Mutex<Positions>,
    /// Held while an item is looked at, and from a question to the change that its reply leads to. Not while there
    /// is no room for a report: a program that adds a watch takes none.
    turn: Turn<()>,
    client: OnceLock<Client>,
    /// Whether the daemon's backend relates the halves of a rename.
    pub(crate) tracks_renames: OnceLock<bool>,
}

/// Locks a mutex. No code under these locks leaves anything half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            prefixes: settings.prefixes(),
            settings,
            places: Mutex::default(),
            positions: Mutex::default(),
            turn: Turn::new(()),
            client: OnceLock::new(),
            tracks_renames: OnceLock::new(),
        }
    }

    /// Watches more paths, once the daemon has confirmed them.
    pub(crate) async fn add(&self, watches: Vec<Watch>) -> Result<(), BackendError> {
        let client = self.client.get().ok_or_else(|| self.unavailable("is not connected yet"))?;
        let _turn = self.turn.lock().await;
        self.ask(client, watches, |reply| Some(reply.beat.last)).await.map(drop)
    }

    /// Asks the daemon for the paths, and watches them from the message on that `since` returns. On an error,
    /// watches none. Returns the first of the replies: what happens after it is read.
    async fn ask(
        &self,
        client: &Client,
        watches: Vec<Watch>,
        since: impl Fn(&Reply) -> Option<Number>,
    ) -> Result<Reply, BackendError> {
        let mut paths = vec![];
        for Watch { path, .. } in &watches {
            let there = self.prefixes.there(path);
            let there = there.map_err(|error| BackendError::from_io(path, error))?;
            paths.push(there.ok_or_else(|| self.outside(path))?);
        }
        let mut places = vec![];
        let mut first = None;
        // Also for no path: the reply says where the stream stands.
        let mut parts: Vec<_> = paths.chunks(MOST_PARTS / 8).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        for part in parts {
            let reply = self.question(client, part).await?;
            places.extend(
                reply
                    .places
                    .iter()
                    .zip(&watches[places.len()..])
                    .map(|(place, watch)| self.place(place, watch, since(&reply))),
            );
            first.get_or_insert(reply);
        }
        let mut missing = vec![];
        let mut found = vec![];
        for place in places {
            match place {
                Ok(place) => found.push(place),
                Err(BackendError::NotFound { paths, .. }) => missing.extend(paths),
                Err(error) => return Err(error),
            }
        }
        if !missing.is_empty() {
            return Err(BackendError::not_found(missing));
        }
        let mut places = lock(&self.places);
        for watched in found {
            places.add(watched);
        }
        first.ok_or_else(|| self.unavailable("does not reply"))
    }

    /// Asks the daemon once.
    async fn question(&self, client: &Client, paths: &[PathBuf]) -> Result<Reply, BackendError> {
        let question = Question { paths: paths.iter().map(WirePath::new).collect() }.encoded();
        let request = Request::new().payload(question.into()).timeout(Some(self.settings.patience));
        let asked = client.send_request(self.settings.address.questions(), request).await;
        let reply = asked.map_err(|error| {
            self.unavailable(&format!(
                "has no daemon that replies: {}; start it, or check the subject",
                error.kind()
            ))
        })?;
        let reply = Reply::decoded(&reply.payload)
            .map_err(|error| self.unavailable(&format!("replies with {error}")))?;
        if reply.places.len() != paths.len() {
            return Err(self.unavailable("replies to another question"));
        }
        Ok(reply)
    }

    /// Finds the stream with the daemon's messages.
    async fn stream(&self, client: &Client) -> Result<jetstream::stream::Stream, String> {
        let context = jetstream::new(client.clone());
        let name = context.stream_by_subject(self.settings.address.events()).await;
        let name = name.map_err(|error| error.to_string())?;
        context.get_stream(name).await.map_err(|error| error.to_string())
    }

    fn place(
        &self,
        place: &Place,
        watch: &Watch,
        since: Option<Number>,
    ) -> Result<Watched, BackendError> {
        let Watch { path: here, recursive, .. } = watch;
        match place {
            Place::Here { path, is_folder } => Ok(Watched {
                here: here.clone(),
                there: path.path().to_owned(),
                recursive: *recursive,
                since,
                until: None,
                is_folder: *is_folder,
                is_gone: false,
            }),
            Place::Missing => Err(BackendError::not_found([here])),
            Place::Denied => {
                Err(BackendError::from_io(here, io::ErrorKind::PermissionDenied.into()))
            }
            Place::Outside => Err(self.outside(here)),
            Place::Failed(reason) => {
                Err(BackendError::from_io(here, io::Error::other(reason.clone())))
            }
        }
    }

    fn outside(&self, path: &Path) -> BackendError {
        let subject = &self.settings.address.subject;
        let reason = format!("no folder that the daemon of {subject} watches shows this path");
        BackendError::unavailable_at(reason, [path])
    }

    fn unavailable(&self, reason: &str) -> BackendError {
        let address = &self.settings.address;
        BackendError::unavailable(format!("{} at {} {reason}", address.subject, address.server))
    }
}

/// Returns when a stream was made, in nanoseconds of Unix time.
fn created(stream: &jetstream::stream::Stream) -> u64 {
    u64::try_from(stream.cached_info().created.unix_timestamp_nanos()).unwrap_or_default()
}

/// Returns a number that other content hardly has.
fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// Where a client begins.
pub(crate) enum Start {
    /// With what happens from now on.
    Now,
    /// With what has happened since.
    From(Position),
}

/// Watches `watches`, says that it is ready, and reports events until the backend is dropped.
pub(crate) async fn work(
    shared: Arc<Shared>,
    watches: Vec<Watch>,
    start: Start,
    events: Sender,
    ready: Ready,
) {
    match Reader::start(&shared, watches, start, events).await {
        Ok((mut reader, messages)) => {
            ready.ok();
            reader.read(messages).await;
        }
        Err(error) => ready.fail(error),
    }
}

/// Reads the daemon's messages.
struct Reader<'a> {
    shared: &'a Shared,
    events: Sender,
    beats: async_nats::Subscriber,
    connection: mpsc::Receiver<()>,
    /// The last message that was handled, and a number for what it says.
    last: Number,
    content: Option<u64>,
    /// The sequence number in the stream from which to go on.
    next: u64,
    /// What the daemon has published at least.
    published: Beat,
    /// The number of items to skip in the next message, which were reported before.
    skip: usize,
    /// Since when the daemon has published more than was received.
    behind: Option<Instant>,
    /// The daemon's heart does not beat.
    silence: Trouble,
    /// The daemon cannot publish, with this reason.
    unpublished: Trouble,
    reason: Option<String>,
    /// The stream cannot be read.
    unread: Trouble,
    /// How long the next attempt to read it may take.
    attempt: Duration,
}

/// What comes from the stream, while it can be read.
type Messages = Option<pull::Stream>;

impl<'a> Reader<'a> {
    async fn start(
        shared: &'a Shared,
        watches: Vec<Watch>,
        start: Start,
        events: Sender,
    ) -> Result<(Self, Messages), BackendError> {
        let Settings { address, patience, .. } = &shared.settings;
        address.check()?;
        let (tell, connection) = mpsc::channel(1);
        let options =
            address.options.clone().request_timeout(Some(*patience)).event_callback(move |event| {
                if matches!(event, ClientEvent::Disconnected) {
                    // One that waits is enough.
                    _ = tell.try_send(());
                }
                std::future::ready(())
            });
        let client = address.connect(options).await.map_err(|error| {
            shared.unavailable(&format!(
                "cannot be reached: {error}; start the server, or check the address"
            ))
        })?;
        let beats = client.subscribe(address.beats()).await;
        let beats = beats.map_err(|error| shared.unavailable(&error.to_string()))?;
        let now = matches!(start, Start::Now);
        let reply = shared.ask(&client, watches, |reply| now.then_some(reply.beat.last)).await?;
        _ = shared.tracks_renames.set(reply.tracks_renames);
        let _ = shared.client.set(client.clone());
        let unreadable =
            |error: String| shared.unavailable(&format!("has no stream that can be read: {error}"));
        let stream = shared.stream(&client).await.map_err(unreadable)?;
        let created = created(&stream);
        let (last, next) = (reply.beat.last, reply.beat.sequence + 1);
        let mut reader = Self {
            shared,
            events,
            beats,
            connection,
            last,
            content: None,
            next,
            published: reply.beat.clone(),
            skip: 0,
            behind: None,
            silence: Trouble::default(),
            unpublished: Trouble::default(),
            reason: None,
            unread: Trouble::default(),
            attempt: ATTEMPT,
        };
        let mut position = Position { created, last, sequence: reply.beat.sequence, items: None };
        match start {
            Start::From(from) if from.created == created => {
                reader.go_back(from);
                position = from;
            }
            // The stream was made anew: the cursor says nothing about it.
            Start::From(_) => reader.miss(),
            Start::Now => {}
        }
        lock(&shared.positions).begin(position);
        for unwatched in &reply.unwatched {
            let errors = lock(&shared.places).unwatched(unwatched);
            for error in errors {
                reader.report(error, None).await;
            }
        }
        let messages = reader.open(stream).await.map_err(unreadable)?;
        Ok((reader, Some(messages)))
    }

    /// Goes back to where a cursor was taken.
    fn go_back(&mut self, from: Position) {
        match from.items {
            None => (self.last, self.next) = (from.last, from.sequence + 1),
            Some(items) => {
                let before = from.last.number.wrapping_sub(1);
                self.last = Number { number: before, ..from.last };
                self.next = from.sequence;
                self.skip = items;
            }
        }
    }

    /// Begins to read the stream again, from the next message on.
    async fn reopen(&mut self) -> Result<pull::Stream, String> {
        let client = self.shared.client.get().ok_or("there is no connection")?;
        let stream = self.shared.stream(client).await?;
        self.open(stream).await
    }

    /// Begins to read the stream from the next message on.
    async fn open(&mut self, stream: jetstream::stream::Stream) -> Result<pull::Stream, String> {
        // The daemon's numbers say whether something is missing; those of a stream begin anew when it is made anew, or
        // go back when its server has lost the end of it.
        let end = stream.cached_info().state.last_sequence;
        if lock(&self.shared.positions).is_renewed(created(&stream)) {
            self.next = 1;
        }
        self.next = self.next.min(end + 1);
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.next.max(1) },
            ack_policy: AckPolicy::None,
            filter_subject: self.shared.settings.address.events(),
            // The server removes it soon after this client has gone.
            inactive_threshold: Duration::from_secs(30),
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer: PullConsumer =
            stream.create_consumer(config).await.map_err(|error| error.to_string())?;
        if consumer.cached_info().num_pending == 0 && self.is_behind() {
            // The stream has dropped what comes next, and all that was published after it.
            self.miss();
            (self.last, self.skip) = (self.published.last, 0);
        }
        let messages = consumer
            .stream()
            .max_messages_per_batch(AT_ONCE)
            .heartbeat(Duration::from_secs(1))
            .expires(Duration::from_secs(10))
            .messages();
        messages.await.map_err(|error| error.to_string())
    }

    /// Reports events until this future is dropped.
    async fn read(&mut self, mut messages: Messages) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next: OptionFuture<_> = messages.as_mut().map(StreamExt::next).into();
            tokio::select! {
                Some(message) = next => match message {
                    Some(Ok(message)) => self.handle(&message).await,
                    // Also if the consumer is gone, as after a restart of the server.
                    Some(Err(_)) | None => messages = None,
                },
                Some(beat) = self.beats.next() => {
                    if let Ok(beat) = Beat::decoded(&beat.payload) {
                        self.silence.ends();
                        self.reason.clone_from(&beat.unpublished);
                        self.published = beat;
                    }
                }
                Some(()) = self.connection.recv() => {
                    let text = "the connection to the server is lost, and is tried again";
                    self.fail(io::ErrorKind::ConnectionAborted, text);
                    messages = None;
                }
                _ = looks.tick() => {
                    self.look_for_trouble();
                    if self.is_stuck() {
                        messages = None;
                    }
                    if messages.is_none() {
                        messages = self.try_to_reopen().await;
                        self.behind = None;
                    }
                }
            }
        }
    }

    async fn try_to_reopen(&mut self) -> Messages {
        let Settings { address, patience, silence, .. } = &self.shared.settings;
        let attempt = self.attempt.min(*patience);
        let reopened = timeout(attempt, self.reopen()).await;
        self.attempt = attempt * 2;
        match reopened.unwrap_or_else(|_| Err("the server does not reply".into())) {
            Ok(messages) => {
                self.unread.ends();
                self.attempt = ATTEMPT;
                Some(messages)
            }
            Err(reason) => {
                if self.unread.lasts(*silence) {
                    let text =
                        format!("the stream of {} cannot be read: {reason}", address.subject);
                    self.fail(io::ErrorKind::NotConnected, &text);
                }
                None
            }
        }
    }

    /// Reports once that the daemon is silent, or cannot publish.
    fn look_for_trouble(&mut self) {
        let Settings { address, silence, .. } = &self.shared.settings;
        if self.silence.lasts(*silence) {
            let text =
                format!("the daemon of {} has been silent for {silence:.0?}", address.subject);
            self.fail(io::ErrorKind::TimedOut, &text);
        }
        match &self.reason {
            None => self.unpublished.ends(),
            Some(reason) if self.unpublished.lasts(*silence) => {
                let text = format!("the daemon of {} cannot publish: {reason}", address.subject);
                self.fail(io::ErrorKind::StorageFull, &text);
            }
            Some(_) => {}
        }
    }

    /// Returns whether the daemon has published more than was received.
    fn is_behind(&self) -> bool {
        let (published, last) = (self.published.last, self.last);
        published.run != last.run || published.number > last.number
    }

    /// Returns whether nothing comes although the daemon has published more for some time.
    fn is_stuck(&mut self) -> bool {
        if !self.is_behind() {
            self.behind = None;
            return false;
        }
        let since = *self.behind.get_or_insert_with(Instant::now);
        since.elapsed() > LOOK * 4
    }

    async fn handle(&mut self, message: &jetstream::Message) {
        self.behind = None;
        let Ok(info) = message.info() else { return };
        let sequence = info.stream_sequence;
        if sequence < self.next {
            // The same message once more.
            return;
        }
        self.next = sequence + 1;
        let skip = std::mem::take(&mut self.skip);
        let Ok(Batch { number, items }) = Batch::decoded(&message.payload) else {
            return self.miss();
        };
        let content = Some(digest(&message.payload));
        if number == self.last && content == self.content {
            // The daemon did not know that the server already had it.
            return;
        }
        let is_next = number == self.last.next();
        let is_older = number.run == self.last.run && number.number <= self.last.number;
        (self.last, self.content) = (number, content);
        if !is_next {
            self.miss();
        }
        if is_older {
            // What it says is no longer true.
            return;
        }
        let skip = if is_next { skip } else { 0 };
        let is_loss =
            |item: &Item| matches!(item, Item::Event(Event { kind: EventKind::Missed(_), .. }));
        let has_missed = !is_next || items.iter().any(is_loss);
        for (place, item) in items.into_iter().enumerate().skip(skip) {
            let created = lock(&self.shared.positions).created();
            let position = Position { created, last: number, sequence, items: Some(place + 1) };
            for report in self.reports(number, item).await {
                self.report(report, Some(position)).await;
            }
        }
        lock(&self.shared.positions).whole(number, sequence);
        if has_missed {
            self.look_for_the_gone().await;
        }
    }

    async fn reports(&self, number: Number, item: Item) -> Vec<StreamItem> {
        let _turn = self.shared.turn.lock().await;
        lock(&self.shared.places).reports(number, item)
    }

    /// Reports watched paths that are gone, after a loss: their removal may be among what was lost.
    async fn look_for_the_gone(&mut self) {
        for gone in self.gone().await {
            self.report(Ok(Event::remove(RemoveKind::Any, gone)), None).await;
        }
    }

    /// Finds the watched paths that are gone, and notes that.
    async fn gone(&self) -> Vec<PathBuf> {
        let mut gone = vec![];
        let Some(client) = self.shared.client.get() else { return gone };
        let _turn = self.shared.turn.lock().await;
        let present = lock(&self.shared.places).present();
        for part in present.chunks(MOST_PARTS / 8) {
            let there: Vec<_> = part.iter().map(|(_, there)| there.clone()).collect();
            // Without a daemon, nothing is known; that it is silent is reported.
            let Ok(reply) = self.shared.question(client, &there).await else { break };
            for (place, (here, _)) in reply.places.iter().zip(part) {
                if matches!(place, Place::Missing) && lock(&self.shared.places).lose(here) {
                    gone.push(here.clone());
                }
            }
        }
        gone
    }

    /// Reports something when there is room for it, unless its path is not watched any more by then.
    async fn report(&mut self, item: StreamItem, position: Option<Position>) {
        self.wait_for_room().await;
        // Held, so that a watch that is removed now also removes this.
        let places = lock(&self.shared.places);
        let path = match &item {
            Ok(event) => event.path.as_path(),
            Err(error) => error.path().unwrap_or(Path::new("")),
        };
        if !path.as_os_str().is_empty() && !places.covers(path) {
            return;
        }
        if let Some(position) = position {
            lock(&self.shared.positions).coming(position);
        }
        self.send(item);
        if let Some(position) = position {
            lock(&self.shared.positions).came(position);
        }
    }

    async fn wait_for_room(&mut self) {
        while self.events.len() >= self.events.capacity() {
            // Meanwhile, messages stay on the server.
            sleep(Duration::from_millis(5)).await;
            self.silence.ends();
        }
    }

    fn send(&self, item: StreamItem) {
        match item {
            Ok(event) => self.events.send(event),
            Err(error) => self.events.send_error(error),
        }
    }

    fn miss(&mut self) {
        self.events.send(Event::missed(None));
    }

    fn fail(&mut self, kind: io::ErrorKind, text: &str) {
        self.events.send_error(StreamError::read(io::Error::new(kind, text)));
    }
}
