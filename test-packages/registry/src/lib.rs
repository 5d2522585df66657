//! A local registry for tests, with the protocol of crates.io. It has the packages published there, and those
//! that this machine has downloaded before.

// Only tests start it, and a fault in it has to fail them.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The registry's address. The server runs until the test program ends.
pub struct Registry {
    address: String,
    log: Arc<Mutex<Vec<String>>>,
    published: Arc<Mutex<Published>>,
}

/// The published packages by name and version, and the lines of the index.
#[derive(Default)]
struct Published {
    packages: BTreeMap<(String, String), Vec<u8>>,
    index: BTreeMap<String, String>,
    /// The package whose next upload fails.
    refused: Option<String>,
}

struct Request {
    /// The method and the path.
    head: String,
    body: Vec<u8>,
}

impl Registry {
    /// Starts the registry on a free port.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let published = Arc::new(Mutex::new(Published::default()));
        let log = Arc::default();
        let registry = Self {
            address: address.clone(),
            log: Arc::clone(&log),
            published: Arc::clone(&published),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (address, published) = (address.clone(), Arc::clone(&published));
                let log = Arc::clone(&log);
                thread::spawn(move || {
                    // If the client disconnects, cargo reports it.
                    let Ok(Some(request)) = read(&stream) else { return };
                    let answer = published.lock().unwrap().answer(&request, &address);
                    let status = if answer.is_some() { "200 OK" } else { "404 Not Found" };
                    log.lock().unwrap().push(format!("{} -> {status}", request.head));
                    _ = write(&stream, status, &answer.unwrap_or_default());
                });
            }
        });
        registry
    }

    /// Returns the configuration that makes cargo use this registry instead of crates.io.
    #[must_use]
    pub fn configuration(&self) -> String {
        let index = format!("sparse+{}/index/", self.address);
        format!(
            "[registry]\ndefault = \"here\"\n\n[registries.here]\nindex = {index:?}\ntoken = \"none\"\n\n[source.crates-io]\nreplace-with = \"here\"\n"
        )
    }

    /// Makes the next upload of this package fail.
    ///
    /// # Panics
    ///
    /// If the registry has panicked.
    pub fn refuse_once(&self, package: &str) {
        self.published.lock().unwrap().refused = Some(package.into());
    }

    /// Returns the requests so far, with the status of each response.
    ///
    /// # Panics
    ///
    /// If the registry has panicked.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

/// Reads one request; `None` if the connection was closed instead.
fn read(stream: &TcpStream) -> io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let head = line.rsplit_once(' ').map_or(String::new(), |(head, _)| head.to_owned());
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let header = line.trim().to_ascii_lowercase();
        match header.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("expect", _)) => write!(&mut &*stream, "HTTP/1.1 100 Continue\r\n\r\n")?,
            _ => {}
        }
        if header.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { head, body }))
}

fn write(mut stream: &TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    stream.write_all(body)
}

impl Published {
    /// Returns the response to a request; `None` for `404 Not Found`.
    fn answer(&mut self, request: &Request, address: &str) -> Option<Vec<u8>> {
        let (method, path) = request.head.split_once(' ')?;
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        match (method, &parts[..]) {
            ("GET", ["index", "config.json"]) => {
                let dl = format!("{address}/crates");
                Some(json!({ "dl": dl, "api": address }).to_string().into_bytes())
            }
            ("GET", ["index", folders @ .., name]) => match self.index.get(*name) {
                Some(lines) => Some(lines.clone().into_bytes()),
                None => downloaded_index(&folders.join("/"), name),
            },
            ("GET", ["crates", name, version, "download"]) => {
                let published = self.packages.get(&((*name).into(), (*version).into()));
                published.cloned().or_else(|| downloaded(&format!("{name}-{version}.crate")))
            }
            ("PUT", ["api", "v1", "crates", "new"]) => self.publish(&request.body),
            _ => None,
        }
    }

    /// Adds a package from a request of `cargo publish`: the package's description, and the package, each after
    /// its length.
    fn publish(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let part = |body: &[u8]| {
            let (length, rest) = body.split_first_chunk()?;
            let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            Some((part.to_vec(), rest.to_vec()))
        };
        let (description, rest) = part(body)?;
        let (package, _) = part(&rest)?;
        let description: Value = serde_json::from_slice(&description).ok()?;
        let name = description["name"].as_str()?.to_owned();
        let version = description["vers"].as_str()?.to_owned();
        self.refused.take_if(|refused| *refused == name).map_or(Some(()), |_| None)?;
        let dependencies = description["deps"].as_array()?.iter().map(|dependency| {
            // The index has a different name for this.
            let mut dependency = dependency.clone();
            dependency["req"] = dependency["version_req"].take();
            dependency
        });
        let line = json!({
            "name": name,
            "vers": version,
            "deps": dependencies.collect::<Vec<_>>(),
            "cksum": format!("{:x}", Sha256::digest(&package)),
            "features": {},
            "features2": description["features"],
            "yanked": false,
            "rust_version": description["rust_version"],
            "v": 2,
        });
        self.index.entry(name.clone()).or_default().extend([line.to_string(), "\n".into()]);
        self.packages.insert((name, version), package);
        Some(json!({ "warnings": {} }).to_string().into_bytes())
    }
}

/// Returns the folder `kind` of each registry that cargo has downloaded from.
fn caches(kind: &str) -> impl Iterator<Item = PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).unwrap();
    fs::read_dir(home.join("registry").join(kind)).unwrap().map(|entry| entry.unwrap().path())
}

/// Returns the lines of the index for a downloaded crate. cargo's cache has other data between them.
fn downloaded_index(folders: &str, name: &str) -> Option<Vec<u8>> {
    let mut files = caches("index").map(|cache| cache.join(".cache").join(folders).join(name));
    let kept = files.find_map(|file| fs::read(file).ok())?;
    let lines = kept.split(|byte| *byte == 0).filter(|part| part.starts_with(b"{"));
    Some(lines.flat_map(|line| [line, b"\n"]).flatten().copied().collect())
}

fn downloaded(package: &str) -> Option<Vec<u8>> {
    caches("cache").find_map(|cache| fs::read(cache.join(package)).ok())
}
