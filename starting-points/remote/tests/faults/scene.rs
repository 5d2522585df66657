//! A server, a daemon on a folder, and clients of it: [`Scene`].

use std::{
    fs,
    future::poll_fn,
    path::{Path, PathBuf},
    pin::Pin,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use async_nats::{
    ConnectOptions,
    jetstream::{self, Context},
};
use notify_backend::prelude::*;
use notify_backend_inotify::InotifyBackend;
use notify_backend_remote::{Address, Publishing, RemoteBackend, Settings, publish};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::timeout,
};

use crate::compliance::Server;

/// Much longer than anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) const SUBJECT: &str = "files.host.root";

pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) runtime: Runtime,
    daemon: Option<Daemon>,
    publishing: Publishing,
    /// Where daemon and clients meet.
    pub(crate) address: Address,
    pub(crate) servers: Vec<Server>,
    count: usize,
}

/// A daemon on a thread of its own.
struct Daemon {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    fn start(publishing: Publishing, folder: PathBuf) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, ready) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let ready = || tell.send(()).unwrap();
                tokio::select! {
                    ended = publish::<InotifyBackend>(publishing, vec![folder], ready) => {
                        panic!("the daemon has ended: {ended:?}");
                    }
                    _ = stopped => {}
                }
            });
        });
        ready.recv_timeout(DEADLINE).expect("the daemon starts");
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

impl Scene {
    /// Starts a server and a daemon that keeps so many bytes, or says why that is not possible here.
    pub(crate) fn new(keep: u32) -> Result<Self, String> {
        Ok(Self::with(vec![Server::start()?], &ConnectOptions::new(), keep))
    }

    /// Starts a daemon that connects to one of the servers in this way, and stores its events on each of them.
    pub(crate) fn with(servers: Vec<Server>, options: &ConnectOptions, keep: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<_> = servers.iter().map(|server| server.address.as_str()).collect();
        let address = Address::default().server(all.join(",")).subject(SUBJECT);
        let publishing = Publishing::at(address.clone().options(options.clone()))
            .beat(Duration::from_millis(50))
            .keep(keep, Duration::from_secs(3600))
            .replicas(servers.len());
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let daemon = None;
        let mut scene = Self { folder, runtime, daemon, publishing, address, servers, count: 0 };
        scene.start_daemon();
        scene
    }

    pub(crate) fn start_daemon(&mut self) {
        let folder = self.folder.path().to_owned();
        self.daemon = Some(Daemon::start(self.publishing.clone(), folder));
    }

    pub(crate) fn end_daemon(&mut self) {
        self.daemon = None;
    }

    /// Starts another daemon beside the first one, with the same subject; returns its error.
    pub(crate) fn end_of_second_daemon(&self) -> BackendError {
        let (publishing, folder) = (self.publishing.clone(), self.folder.path().to_owned());
        let second = publish::<InotifyBackend>(publishing, vec![folder], || {});
        let ended = self.runtime.block_on(async { timeout(DEADLINE, second).await });
        ended.expect("it ends").unwrap_err()
    }

    /// Runs something with a connection of its own to the server.
    pub(crate) fn with_streams<T>(&self, run: impl AsyncFnOnce(Context) -> T) -> T {
        self.runtime.block_on(async {
            let servers: Vec<_> = self.servers.iter().map(|server| &server.address).collect();
            let client = async_nats::connect(servers).await.unwrap();
            run(jetstream::new(client)).await
        })
    }

    /// Returns the only server.
    pub(crate) fn server(&mut self) -> &mut Server {
        &mut self.servers[0]
    }

    pub(crate) fn settings(&self) -> Settings {
        Self::settings_at(self.address.clone())
    }

    pub(crate) fn settings_at(address: Address) -> Settings {
        Settings::at(address).silence(Duration::from_secs(1))
    }

    pub(crate) fn client(&self, settings: Settings) -> RemoteBackend {
        let watches = vec![Watch::recursive(self.folder.path())];
        RemoteBackend::with_settings(settings, watches).unwrap()
    }

    /// Makes so many files; returns their paths.
    pub(crate) fn make(&mut self, count: usize) -> Vec<PathBuf> {
        let path = |i: usize| self.folder.path().join(format!("file-{i}"));
        let paths: Vec<_> = (self.count..self.count + count).map(path).collect();
        self.count += count;
        for path in &paths {
            fs::write(path, "").unwrap();
        }
        paths
    }

    /// Returns the items up to one that is wanted.
    pub(crate) fn until(
        &self,
        client: &mut RemoteBackend,
        mut is_it: impl FnMut(&StreamItem) -> bool,
    ) -> Vec<StreamItem> {
        let mut items = vec![];
        self.runtime.block_on(async {
            loop {
                let next = poll_fn(|cx| Pin::new(&mut *client).poll_next(cx));
                let item = timeout(DEADLINE, next).await;
                let Ok(Some(item)) = item else { panic!("it does not come, after {items:?}") };
                let is_last = is_it(&item);
                items.push(item);
                if is_last {
                    return items;
                }
            }
        })
    }

    /// Returns the items up to the report that a file was made.
    pub(crate) fn until_made(&self, client: &mut RemoteBackend, file: &Path) -> Vec<StreamItem> {
        self.until(client, |item| is_made(item, file))
    }
}

pub(crate) fn is_made(item: &StreamItem, file: &Path) -> bool {
    let is_create = |event: &Event| matches!(event.kind, EventKind::Create(_));
    item.as_ref().is_ok_and(|event| is_create(event) && event.path == file)
}

pub(crate) fn is_missed(item: &StreamItem) -> bool {
    item.as_ref().is_ok_and(|event| matches!(event.kind, EventKind::Missed(_)))
}

pub(crate) fn is_read_error(item: &StreamItem) -> bool {
    matches!(item, Err(StreamError::Read { .. }))
}

/// Returns how many of these files were reported as made.
pub(crate) fn made(items: &[StreamItem], files: &[PathBuf]) -> usize {
    files.iter().filter(|file| items.iter().any(|item| is_made(item, file))).count()
}
