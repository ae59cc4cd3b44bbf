//! A phone far out: sends a PATCH at its own pace over a connection of its own, and may vanish in the middle.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;
use weijia_tests::User;

use super::tus::Upload;
use crate::Outcome;

const TICK: Duration = Duration::from_millis(100);

pub struct Paced {
    stream: TcpStream,
    file: Bytes,
    /// Up to here the bytes have left the client.
    pub sent: usize,
    rate: usize,
}

impl Paced {
    /// Begins to send the rest of the file, `rate` bytes a second.
    pub async fn begin(person: &User, upload: &Upload, file: Bytes, offset: usize, rate: usize) -> Outcome<Paced> {
        let request = person.request(Method::PATCH, &upload.url).header("Tus-Resumable", "1.0.0");
        let request = request.header("Upload-Offset", offset).header("Content-Length", file.len() - offset);
        let request = request.header("Content-Type", "application/offset+octet-stream");
        let request = request.build().map_err(|e| e.to_string())?;
        let url = request.url();
        let (host, port) = url.host_str().zip(url.port()).ok_or("an address without a port")?;
        let mut head = format!("PATCH {} HTTP/1.1\r\nHost: {host}:{port}\r\n", url.path());
        for (name, value) in request.headers() {
            head += &format!("{name}: {}\r\n", value.to_str().map_err(|e| e.to_string())?);
        }
        head += "\r\n";
        let mut stream = TcpStream::connect((host, port)).await.map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        stream.write_all(head.as_bytes()).await.map_err(|e| e.to_string())?;
        Ok(Paced { stream, file, sent: offset, rate })
    }

    /// Sends for so long, or up to the end of the file. `true`: all of it has been sent.
    pub async fn send_for(&mut self, time: Duration) -> Outcome<bool> {
        let (began, first) = (Instant::now(), self.sent);
        let mut ticks = tokio::time::interval(TICK);
        while self.sent < self.file.len() && began.elapsed() < time {
            ticks.tick().await;
            let due = first + (began.elapsed().as_secs_f64() * self.rate as f64) as usize;
            let piece = &self.file[self.sent..due.clamp(self.sent, self.file.len())];
            self.stream.write_all(piece).await.map_err(|e| e.to_string())?;
            self.sent += piece.len();
        }
        Ok(self.sent == self.file.len())
    }

    /// Waits for the answer's status.
    pub async fn answer(mut self) -> Outcome<u16> {
        use tokio::io::AsyncReadExt as _;
        let mut head = [0; 12];
        self.stream.read_exact(&mut head).await.map_err(|e| e.to_string())?;
        let status = std::str::from_utf8(&head[9..]).ok().and_then(|text| text.parse().ok());
        status.ok_or_else(|| "not an HTTP answer".into())
    }

    /// The connection is reset, as a network does it that has forgotten it.
    pub fn reset(self) -> Outcome<()> {
        self.stream.set_zero_linger().map_err(|e| e.to_string())
    }
}
