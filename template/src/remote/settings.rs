//! What a program can choose: the [`Address`] at which both sides meet, [`Settings`] for the client, and
//! [`Publishing`] for the daemon.

use std::{path::PathBuf, time::Duration};

use async_nats::{Client, ConnectError, ConnectOptions};
use notify_backend::BackendError;

use crate::places::Prefixes;

/// Where a daemon and its clients meet: the server, the subject, and how to connect.
#[derive(Clone, Debug)]
pub struct Address {
    pub(crate) server: String,
    pub(crate) subject: String,
    pub(crate) options: ConnectOptions,
}

/// A server on this machine, and the subject `files`.
impl Default for Address {
    fn default() -> Self {
        Self {
            server: "nats://127.0.0.1:4222".into(),
            subject: "files".into(),
            options: ConnectOptions::new(),
        }
    }
}

impl Address {
    /// Sets the address of the server, or those of several in a cluster with commas between them, such as
    /// `nats://broker-1,nats://broker-2`. With `tls://`, the connection is encrypted.
    #[must_use]
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.server = server.into();
        self
    }

    /// Sets the subject, such as `files.HOST.ROOT`. Each daemon needs one of its own.
    #[must_use]
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }

    /// Sets how to connect: user, password or token, certificates, and what else the client library offers.
    #[must_use]
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// Connects to the server, or to any of several.
    pub(crate) async fn connect(&self, options: ConnectOptions) -> Result<Client, ConnectError> {
        let servers: Vec<_> = self.server.split(',').map(str::trim).collect();
        options.connect(servers).await
    }

    /// Checks that the subject is one, and no pattern.
    pub(crate) fn check(&self) -> Result<(), BackendError> {
        let is_name = |token: &str| {
            let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '*' || c == '>';
            !token.is_empty() && !token.contains(is_odd)
        };
        if self.subject.split('.').all(is_name) {
            return Ok(());
        }
        let reason = format!(
            "{:?} is not a subject: write words between single dots, without spaces, `*` and `>`",
            self.subject
        );
        Err(BackendError::unavailable(reason))
    }

    /// The subject of events, which the stream stores.
    pub(crate) fn events(&self) -> String {
        format!("{}.events", self.subject)
    }

    /// The subject of heartbeats.
    pub(crate) fn beats(&self) -> String {
        format!("{}.alive", self.subject)
    }

    /// The subject of questions.
    pub(crate) fn questions(&self) -> String {
        format!("{}.questions", self.subject)
    }
}

/// The settings of a client.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) address: Address,
    pub(crate) prefixes: Vec<(PathBuf, PathBuf)>,
    pub(crate) patience: Duration,
    pub(crate) silence: Duration,
    pub(crate) capacity: usize,
}

/// The default address, and paths that are the same here and there.
impl Default for Settings {
    fn default() -> Self {
        Self {
            address: Address::default(),
            prefixes: vec![],
            patience: Duration::from_secs(30),
            silence: Duration::from_secs(5),
            capacity: 10_000,
        }
    }
}

impl Settings {
    /// The default, for the daemon at this address.
    #[must_use]
    pub fn at(address: Address) -> Self {
        Self { address, ..Self::default() }
    }

    /// Watches paths below `here` where they are on the daemon's machine, which is below `there`. Call it for
    /// each such folder; the longest one that fits counts. Without any, paths are the same on both sides.
    #[must_use]
    pub fn root(mut self, here: impl Into<PathBuf>, there: impl Into<PathBuf>) -> Self {
        self.prefixes.push((here.into(), there.into()));
        self
    }

    /// Sets how long `new` and `watch` wait for a reply of the server or the daemon. The default is 30 seconds: a
    /// daemon that looks at the files does so twice before it replies.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets after how long without a heartbeat the daemon counts as gone, which is reported as an error.
    /// The default is 5 seconds; the daemon's heart beats once per second.
    #[must_use]
    pub fn silence(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    /// Sets how many items wait in memory for the program to take them. The default is 10 000. More stay
    /// on the server.
    #[must_use]
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity.max(1);
        self
    }

    pub(crate) fn prefixes(&self) -> Prefixes {
        let same = || vec![(PathBuf::from("/"), PathBuf::from("/"))];
        let pairs = &self.prefixes;
        Prefixes::new(if pairs.is_empty() { same() } else { pairs.clone() })
    }
}

/// The settings of a daemon.
#[derive(Clone, Debug)]
pub struct Publishing {
    pub(crate) address: Address,
    pub(crate) beat: Duration,
    pub(crate) bytes: i64,
    pub(crate) age: Duration,
    pub(crate) replicas: usize,
}

/// The default address, and a stream that keeps 256 MiB, for a day at most.
impl Default for Publishing {
    fn default() -> Self {
        Self {
            address: Address::default(),
            beat: Duration::from_secs(1),
            bytes: 256 * 1024 * 1024,
            age: Duration::from_secs(24 * 60 * 60),
            replicas: 1,
        }
    }
}

impl Publishing {
    /// The default, at this address.
    #[must_use]
    pub fn at(address: Address) -> Self {
        Self { address, ..Self::default() }
    }

    /// Sets how often the daemon says that it lives. The default is one second.
    #[must_use]
    pub fn beat(mut self, beat: Duration) -> Self {
        self.beat = beat.max(Duration::from_millis(10));
        self
    }

    /// Sets how much the stream keeps for clients that are late or away: so many bytes, and nothing that is older
    /// than `age`. What it drops, a client that has not read it reports as missed. This applies if the
    /// daemon makes the stream; a stream that exists and has the subject is used as it is.
    #[must_use]
    pub fn keep(mut self, bytes: u32, age: Duration) -> Self {
        self.bytes = bytes.into();
        self.age = age;
        self
    }

    /// Sets on how many servers of a cluster the stream is stored. The default is one.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }
}
