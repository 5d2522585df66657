//! A connection with one subscription: [`Connection`]. {%- capture source %}
//!
//! Each watch has its own, so that nothing of a watch arrives after its removal, and one that breaks concerns no other.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream as Blocking,
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::UnixStream,
};

use crate::{
    bser::{Frames, Malformed, Value, decode},
    handshake::{Handshake, Next, Opened, Refusal},
    position::Position,
    pulse::Pulse,
    settings::Settings,
    target::Target,
};

/// A connection on which the daemon reports changes.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    frames: Frames,
    /// What is to be sent.
    outgoing: Vec<u8>,
    pulse: Pulse,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The daemon cannot be reached, or the connection broke.
    Io(io::Error),
    /// It refuses, with this reason.
    Refused(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Said(reason) => Self::Refused(reason),
            Refusal::Malformed(malformed) => Self::Io(invalid(malformed)),
        }
    }
}

pub(crate) fn invalid(malformed: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, malformed.to_string())
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "Watchman has closed the connection")
}

/// How many bytes are read at a time.
const CHUNK: usize = 16 << 10;

/// Takes the next answer from what has arrived, and returns what follows from it.
fn answered(frames: &mut Frames, handshake: &mut Handshake<'_>) -> Result<Option<Next>, Failure> {
    loop {
        let next = frames.next(|body| {
            let answer = decode(body)?;
            // What comes by itself comes again: the position stays where it is.
            let is_answer = !answer.is_true("unilateral");
            Ok(is_answer.then(|| handshake.answered(&answer)))
        });
        match next.map_err(invalid)? {
            None => return Ok(None),
            Some(None) => {}
            Some(Some(next)) => return next.map(Some).map_err(Failure::from),
        }
    }
}

impl Connection {
    fn new(stream: UnixStream, frames: Frames, settings: &Settings) -> Self {
        let pulse = Pulse::new(settings.patience);
        Self { stream, frames, outgoing: vec![], pulse }
    }

    /// Connects and subscribes, and waits for that, but not for ever. `sync` is how long the daemon may take to
    /// synchronise.
    pub(crate) fn open(
        socket: &Path,
        target: &Target,
        settings: &Settings,
        sync: Duration,
        from: Option<Position>,
    ) -> Result<(Self, Opened), Failure> {
        let deadline = Deadline::after(settings.patience);
        let mut stream = Blocking::connect(socket)?;
        let (mut handshake, mut message) = Handshake::begin(target, settings, sync, from);
        let mut frames = Frames::default();
        loop {
            stream.set_write_timeout(Some(deadline.left()?))?;
            stream.write_all(&message)?;
            let next = loop {
                if let Some(next) = answered(&mut frames, &mut handshake)? {
                    break next;
                }
                stream.set_read_timeout(Some(deadline.left()?))?;
                let mut chunk = [0; CHUNK];
                match stream.read(&mut chunk) {
                    Ok(0) => return Err(closed().into()),
                    Ok(read) => frames.push(&chunk[..read]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            };
            match next {
                Next::Send(next) => message = next,
                Next::Done(opened) => {
                    stream.set_nonblocking(true)?;
                    let stream = UnixStream::from_std(stream)?;
                    return Ok((Self::new(stream, frames, settings), opened));
                }
            }
        }
    }

    /// As [`open`](Self::open), in a task that must not wait.
    pub(crate) async fn open_later(
        socket: &Path,
        target: &Target,
        settings: &Settings,
        sync: Duration,
        from: Position,
    ) -> Result<(Self, Opened), Failure> {
        let open = async {
            let mut stream = UnixStream::connect(socket).await?;
            let (mut handshake, mut message) = Handshake::begin(target, settings, sync, Some(from));
            let mut frames = Frames::default();
            loop {
                stream.write_all(&message).await?;
                let next = loop {
                    if let Some(next) = answered(&mut frames, &mut handshake)? {
                        break next;
                    }
                    // A future is moved, so it holds no large array.
                    let mut chunk = vec![0; CHUNK];
                    match stream.read(&mut chunk).await? {
                        0 => return Err(closed().into()),
                        read => frames.push(&chunk[..read]),
                    }
                };
                match next {
                    Next::Send(next) => message = next,
                    Next::Done(opened) => {
                        return Ok((Self::new(stream, frames, settings), opened));
                    }
                }
            }
        };
        let late = |_| Failure::Io(timed_out());
        tokio::time::timeout(settings.patience, open).await.map_err(late)?
    }

    /// Waits for the next message, and calls `take` with it. Meanwhile, sends a `beat` from time to time; it is an
    /// error if the daemon does not answer.
    pub(crate) fn poll_message<T>(
        &mut self,
        cx: &mut Context<'_>,
        beat: impl Fn() -> Vec<u8>,
        take: impl Fn(&Value<'_>) -> T,
    ) -> Poll<io::Result<T>> {
        loop {
            let taken = self.frames.next(|body| {
                let message = decode(body)?;
                Ok((!message.is_true("unilateral"), take(&message)))
            });
            if let Some((is_answer, taken)) = taken.map_err(invalid)? {
                if is_answer {
                    self.pulse.rest();
                }
                return Poll::Ready(Ok(taken));
            }
            let mut chunk = [0; CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            if Pin::new(&mut self.stream).poll_read(cx, &mut buffer)?.is_pending() {
                return self.poll_beat(cx, beat).map(Err);
            }
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(closed()));
            }
            self.pulse.heard();
            self.frames.push(buffer.filled());
        }
    }

    /// Sends a `beat` when it is time, and waits for the error that there is no answer.
    fn poll_beat(&mut self, cx: &mut Context<'_>, beat: impl Fn() -> Vec<u8>) -> Poll<io::Error> {
        loop {
            while !self.outgoing.is_empty()
                && let Poll::Ready(written) =
                    Pin::new(&mut self.stream).poll_write(cx, &self.outgoing)
            {
                match written {
                    Ok(written) => drop(self.outgoing.drain(..written)),
                    Err(error) => return Poll::Ready(error),
                }
            }
            ready!(self.pulse.poll(cx));
            if self.pulse.is_awaited() {
                return Poll::Ready(timed_out());
            }
            self.outgoing = beat();
            self.pulse.sent();
        }
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "Watchman does not answer")
}

/// The end of all waiting.
struct Deadline(Option<Instant>);

impl Deadline {
    fn after(patience: Duration) -> Self {
        // A patience that no clock can express is one without end.
        Self(Instant::now().checked_add(patience))
    }

    /// Returns the time that is left.
    fn left(&self) -> io::Result<Duration> {
        let Some(end) = self.0 else { return Ok(Duration::from_secs(3600)) };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(timed_out()) } else { Ok(left) }
    }
}
//~{% endcapture %}{{ source | remove: "//~" -}}
