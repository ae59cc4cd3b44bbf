//! Requests signed by hand (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html), for
//! those that no client would send.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Store;

/// What the signature says about the body.
#[derive(Clone, Copy)]
pub enum Payload {
    Hashed,
    Unsigned,
    /// Each chunk signed.
    Chunks,
    /// Unsigned chunks, a checksum behind them.
    Trailer,
}

pub struct Ask {
    pub method: &'static str,
    /// As it goes over the wire.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub signed: Vec<(String, String)>,
    /// Sent, and not covered by the signature.
    pub unsigned: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub payload: Payload,
    pub at: SystemTime,
    pub scope: (&'static str, &'static str),
    access: String,
    secret: String,
    host: String,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `200`, or the code of the refusal.
    pub fn outcome(&self) -> String {
        let text = self.text();
        let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
        if self.status < 300 { self.status.to_string() } else { code.map_or(self.status.to_string(), str::to_owned) }
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub fn encode(text: &[u8], keep_slash: bool) -> String {
    let mut out = String::new();
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(*byte)),
            b'/' if keep_slash => out.push('/'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn decode(text: &str) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            out.push(hex::decode(&behind[..2]).unwrap()[0]);
            rest = &behind[2..];
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}

/// `20261123T201500Z`
fn stamp(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let text = aws_sdk_s3::primitives::DateTime::from_secs(seconds)
        .fmt(aws_sdk_s3::primitives::DateTimeFormat::DateTime)
        .unwrap();
    text.replace(['-', ':'], "")
}

impl Ask {
    pub fn new(store: &Store, method: &'static str, path: &str) -> Ask {
        Ask {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            signed: Vec::new(),
            unsigned: Vec::new(),
            body: Vec::new(),
            payload: Payload::Hashed,
            at: SystemTime::now(),
            scope: ("us-east-1", "s3"),
            access: store.settings.access_key.clone(),
            secret: store.settings.secret_key.clone(),
            host: store.host(),
        }
    }

    /// Of an object in the store's bucket.
    pub fn object(store: &Store, method: &'static str, key: &str) -> Ask {
        Ask::new(store, method, &format!("/{}/{}", store.settings.bucket, encode(key.as_bytes(), true)))
    }

    pub fn query(mut self, name: &str, value: &str) -> Ask {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn signed(mut self, name: &str, value: &str) -> Ask {
        self.signed.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn unsigned(mut self, name: &str, value: &str) -> Ask {
        self.unsigned.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Ask {
        self.body = body.into();
        self
    }

    pub fn at(mut self, at: SystemTime) -> Ask {
        self.at = at;
        self
    }

    pub fn key(mut self, access: &str, secret: &str) -> Ask {
        (self.access, self.secret) = (access.to_owned(), secret.to_owned());
        self
    }

    fn day(&self) -> String {
        stamp(self.at)[..8].to_owned()
    }

    fn credential(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day(), self.scope.0, self.scope.1)
    }

    fn signature(&self, text: &str) -> String {
        let day = mac(format!("AWS4{}", self.secret).as_bytes(), &self.day());
        let key = mac(&mac(&mac(&day, self.scope.0), self.scope.1), "aws4_request");
        hex::encode(mac(&key, text))
    }

    fn canonical(&self, query: &[(String, String)], headers: &[(String, String)], payload: &str) -> String {
        let mut query: Vec<String> = (query.iter())
            .map(|(n, v)| format!("{}={}", encode(n.as_bytes(), false), encode(v.as_bytes(), false)))
            .collect();
        query.sort();
        let lines: String = headers.iter().map(|(n, v)| format!("{n}:{}\n", v.trim())).collect();
        let names: Vec<&str> = headers.iter().map(|(n, _)| n.as_str()).collect();
        let path = encode(&decode(&self.path), true);
        let request = format!("{}\n{path}\n{}\n{lines}\n{}\n{payload}", self.method, query.join("&"), names.join(";"));
        let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", stamp(self.at), self.credential(), hash(request.as_bytes()));
        self.signature(&text)
    }

    fn target(&self, query: &[(String, String)]) -> String {
        let pairs: Vec<String> = (query.iter())
            .map(|(n, v)| format!("{}={}", encode(n.as_bytes(), false), encode(v.as_bytes(), false)))
            .collect();
        if pairs.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, pairs.join("&")) }
    }

    /// Head and body of a request signed in its headers.
    pub fn request(&self) -> Vec<u8> {
        let payload = match self.payload {
            Payload::Hashed => hash(&self.body),
            Payload::Unsigned => "UNSIGNED-PAYLOAD".into(),
            Payload::Chunks => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".into(),
            Payload::Trailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".into(),
        };
        let mut headers = self.signed.clone();
        headers.push(("host".into(), self.host.clone()));
        headers.push(("x-amz-date".into(), stamp(self.at)));
        headers.push(("x-amz-content-sha256".into(), payload.clone()));
        if !matches!(self.payload, Payload::Hashed | Payload::Unsigned)
            && !headers.iter().any(|(n, _)| n == "x-amz-decoded-content-length")
        {
            headers.push(("x-amz-decoded-content-length".into(), self.body.len().to_string()));
        }
        headers.sort();
        let seed = self.canonical(&self.query, &headers, &payload);
        let names: Vec<&str> = headers.iter().map(|(n, _)| n.as_str()).collect();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={seed}",
            self.access,
            self.credential(),
            names.join(";")
        );
        let body = match self.payload {
            Payload::Hashed | Payload::Unsigned => self.body.clone(),
            Payload::Chunks => self.chunks(seed),
            Payload::Trailer => [format!("{:x}\r\n", self.body.len()).as_bytes(), &self.body, b"\r\n0\r\n"].concat(),
        };
        let trailer = self.unsigned.iter().find(|(n, _)| n == "trailer").map(|(_, v)| format!("{v}\r\n\r\n"));
        let body = [body, trailer.unwrap_or_default().into_bytes()].concat();
        let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", self.method, self.target(&self.query));
        head += &format!("authorization: {authorization}\r\n");
        let unsigned = self.unsigned.iter().filter(|(n, _)| n != "trailer");
        for (name, value) in headers.iter().chain(unsigned) {
            head += &format!("{name}: {value}\r\n");
        }
        if !head.contains("\r\ncontent-length:") && !head.contains("\r\ntransfer-encoding:") {
            head += &format!("content-length: {}\r\n", body.len());
        }
        [head.as_bytes(), b"\r\n", &body].concat()
    }

    /// In two chunks and the empty one that ends them, each signature over the one before.
    fn chunks(&self, seed: String) -> Vec<u8> {
        let (mut before, mut out) = (seed, Vec::new());
        let (first, second) = self.body.split_at(self.body.len() / 2);
        for chunk in [first, second, b""] {
            let text = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{before}\n{}\n{}",
                stamp(self.at),
                self.credential(),
                hash(b""),
                hash(chunk)
            );
            before = self.signature(&text);
            out.extend(format!("{:x};chunk-signature={before}\r\n", chunk.len()).into_bytes());
            out.extend([chunk, b"\r\n"].concat());
        }
        out
    }

    /// The path and query of a signed address.
    pub fn presigned(&self, seconds: i64) -> String {
        let mut query = self.query.clone();
        let mut headers = self.signed.clone();
        headers.push(("host".into(), self.host.clone()));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(n, _)| n.as_str()).collect();
        for (name, value) in [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{}", self.access, self.credential())),
            ("X-Amz-Date", stamp(self.at)),
            ("X-Amz-Expires", seconds.to_string()),
            ("X-Amz-SignedHeaders", names.join(";")),
        ] {
            query.push((name.to_owned(), value));
        }
        query.sort();
        let signature = self.canonical(&query, &headers, "UNSIGNED-PAYLOAD");
        query.push(("X-Amz-Signature".into(), signature));
        self.target(&query)
    }

    /// Sends a signed address as whoever was given it would, with the unsigned headers.
    pub async fn by_address(&self, target: &str) -> Answer {
        let mut head = format!("{} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.method, self.host);
        for (name, value) in self.signed.iter().chain(&self.unsigned) {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", self.body.len());
        exchange(&self.host, &[head.as_bytes(), &self.body].concat()).await
    }

    pub async fn send(&self) -> Answer {
        exchange(&self.host, &self.request()).await
    }
}

/// Sends bytes and reads all that comes back.
pub async fn exchange(host: &str, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(host).await.unwrap();
    // Who refuses early may close before it has all come; the answer tells.
    let _ = stream.write_all(request).await;
    read(&mut stream).await
}

/// Reads to the end of the connection.
pub async fn read(stream: &mut TcpStream) -> Answer {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    let end = all.windows(4).position(|window| window == b"\r\n\r\n").map_or(all.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&all[..end]).into_owned();
    let status = head.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    let (mut body, rest) = (Vec::new(), &all[end..]);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    if chunked {
        let mut rest = rest;
        while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
            let size = usize::from_str_radix(&String::from_utf8_lossy(&rest[..line]), 16).unwrap_or(0);
            let from = line + 2;
            if size == 0 || rest.len() < from + size + 2 {
                break;
            }
            body.extend_from_slice(&rest[from..from + size]);
            rest = &rest[from + size + 2..];
        }
    } else {
        body.extend_from_slice(rest);
    }
    Answer { status, head, body }
}
