//! Something between the backend and the daemon that can do anything to the bytes: [`Proxy`].

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

/// What is done to what the daemon sends.
#[derive(Clone, Debug)]
pub(crate) enum Treatment {
    Forward,
    /// Nothing gets through any more, and nothing says so.
    Hold,
    /// Byte by byte, each in a write of its own.
    Crumble,
    /// These bytes come instead of what the daemon sends next, and the connection stays.
    Instead(Vec<u8>),
    /// What the daemon sends by itself does not get through, and its answers do.
    OnlyAnswers,
    /// The first so many bytes come, and then the end.
    CutAfter(usize),
}

/// A socket that leads to the daemon's.
pub(crate) struct Proxy {
    socket: PathBuf,
    treatment: Arc<Mutex<Treatment>>,
    connections: Arc<Mutex<Vec<UnixStream>>>,
}

impl Proxy {
    pub(crate) fn new(folder: &Path, daemon: PathBuf) -> Self {
        let socket = folder.join("proxy");
        let listener = UnixListener::bind(&socket).unwrap();
        let treatment = Arc::new(Mutex::new(Treatment::Forward));
        let connections = Arc::new(Mutex::new(vec![]));
        let (its_treatment, its_connections) = (treatment.clone(), connections.clone());
        // It ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = UnixStream::connect(&daemon) else { continue };
                let pair = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                its_connections.lock().unwrap().extend(pair);
                let (asking, asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || forward(asking, asked, &Mutex::new(Treatment::Forward)));
                let treatment = its_treatment.clone();
                thread::spawn(move || forward(server, client, &treatment));
            }
        });
        Self { socket, treatment, connections }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn treat(&self, treatment: Treatment) {
        *self.treatment.lock().unwrap() = treatment;
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        for connection in self.connections.lock().unwrap().drain(..) {
            _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn forward(mut from: UnixStream, mut to: UnixStream, treatment: &Mutex<Treatment>) {
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        let treatment = treatment.lock().unwrap().clone();
        let bytes = &chunk[..read];
        let written = match treatment {
            Treatment::Hold => Ok(()),
            Treatment::OnlyAnswers if bytes.windows(10).any(|text| text == b"unilateral") => Ok(()),
            Treatment::Forward | Treatment::OnlyAnswers => to.write_all(bytes),
            Treatment::Crumble => bytes.chunks(1).try_for_each(|byte| to.write_all(byte)),
            Treatment::Instead(other) => to.write_all(&other),
            Treatment::CutAfter(count) => {
                _ = to.write_all(&bytes[..count.min(read)]);
                break;
            }
        };
        if written.is_err() {
            break;
        }
    }
    _ = from.shutdown(Shutdown::Both);
    _ = to.shutdown(Shutdown::Both);
}
