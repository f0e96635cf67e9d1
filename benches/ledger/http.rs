//! The least that speaks HTTP/1.1 to one server: connections that are kept, one question at a time on each. The load
//! shares the processors with what it loads, so a whole client would measure itself.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

/// After this an answer counts as lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// How many connections are opened at once: fewer than a server keeps waiting.
const OPENED_AT_ONCE: usize = 64;

/// Connections to one server. A caller takes one that is free, or opens one.
pub struct Wires {
    server: SocketAddr,
    free: Mutex<Vec<Wire>>,
    /// For as many as there may be; who comes then waits until one is free.
    room: Semaphore,
}

struct Wire {
    stream: TcpStream,
    /// What was read for the question that is under way.
    read: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl Wires {
    pub fn to(server: SocketAddr, most: usize) -> Self {
        Self { server, free: Mutex::default(), room: Semaphore::new(most) }
    }

    /// Opens connections before there is load, so that opening them is no part of it.
    pub async fn open(&self, count: usize) {
        let opened = stream::iter(0..count).map(|_| Wire::open(self.server)).buffer_unordered(OPENED_AT_ONCE);
        let opened: Vec<Wire> = opened.map(|wire| wire.expect("a connection to the server")).collect().await;
        *self.free() = opened;
    }

    pub fn close(&self) {
        self.free().clear();
    }

    /// Asks, and waits for the whole answer. A connection that fails is not used again.
    pub async fn ask(&self, request: &[u8]) -> io::Result<Answer> {
        let _room = self.room.acquire().await.map_err(io::Error::other)?;
        let free = self.free().pop();
        let asked = async {
            let mut wire = match free {
                Some(wire) => wire,
                None => Wire::open(self.server).await?,
            };
            let answer = wire.ask(request).await?;
            self.free().push(wire);
            Ok(answer)
        };
        timeout(ANSWER_TIMEOUT, asked).await?
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Wire>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wire {
    async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4_096) })
    }

    async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            self.read_more().await?;
        };
        let (body_from, head) = (head + 4, Head::read(&self.read[..head]).ok_or(ErrorKind::InvalidData)?);
        let whole = body_from + head.length;
        while self.read.len() < whole {
            self.read_more().await?;
        }
        if self.read.len() > whole {
            return Err(ErrorKind::InvalidData.into());
        }
        let Head { status, retry_after, .. } = head;
        Ok(Answer { status, retry_after, body: self.read[body_from..].to_vec() })
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// What an answer says before its body.
struct Head {
    status: u16,
    length: usize,
    retry_after: Option<Duration>,
}

impl Head {
    /// `None` where that is nothing that this server would say.
    fn read(head: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let (mut length, mut retry_after) = (None, None);
        for line in lines {
            let (name, value) = line.split_once(": ")?;
            match name {
                "content-length" => length = Some(value.parse().ok()?),
                "retry-after" => retry_after = Some(Duration::from_secs(value.parse().ok()?)),
                _ => {}
            }
        }
        Some(Self { status, length: length?, retry_after })
    }
}
