//! A network that can be cut: [`Proxy`].

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    thread,
};

/// Forwards connections to the server until it is cut. Then it keeps them open, and forwards nothing.
pub(crate) struct Proxy {
    pub(crate) address: String,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_cut: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn wait(&self) {
        let cut = self.is_cut.lock().unwrap();
        drop(self.changed.wait_while(cut, |cut| *cut).unwrap());
    }
}

impl Proxy {
    /// Starts a proxy in front of a server at `nats://HOST:PORT`.
    pub(crate) fn start(server: &str) -> Self {
        let server = server.trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("nats://{}", listener.local_addr().unwrap());
        let gate = Arc::new(Gate::default());
        let accepting = gate.clone();
        // Ends with the process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                forward(client.try_clone().unwrap(), server.try_clone().unwrap(), &accepting);
                forward(server, client, &accepting);
            }
        });
        Self { address, gate }
    }

    pub(crate) fn cut(&self) {
        *self.gate.is_cut.lock().unwrap() = true;
    }

    pub(crate) fn mend(&self) {
        *self.gate.is_cut.lock().unwrap() = false;
        self.gate.changed.notify_all();
    }
}

/// Forwards what comes from one side to the other, in a thread.
fn forward(mut from: TcpStream, mut to: TcpStream, gate: &Arc<Gate>) {
    let gate = gate.clone();
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            gate.wait();
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        _ = to.shutdown(Shutdown::Both);
    });
}
