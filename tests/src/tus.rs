//! A small tus 1.0 client, written from the protocol and not from our server.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::{Body, Response, StatusCode};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::User;

/// What an upload says about its file; empty means not said.
#[derive(Default, Clone)]
pub struct About {
    pub filename: String,
    pub title: String,
    pub assignment: String,
    /// The clip that this is a new version of.
    pub clip: String,
}

impl About {
    pub fn file(path: &Path, title: &str) -> Self {
        let filename = path.file_name().expect("a file name").to_string_lossy().into_owned();
        Self { filename, title: title.to_owned(), ..Self::default() }
    }

    fn header(&self) -> String {
        let filetype = match self.filename.rsplit('.').next() {
            Some("webm") => "video/webm",
            Some("mov") => "video/quicktime",
            Some("3gp") => "video/3gpp",
            _ => "video/mp4",
        };
        let pairs = [
            ("filename", self.filename.as_str()),
            ("filetype", filetype),
            ("title", &self.title),
            ("assignment", &self.assignment),
            ("clip", &self.clip),
        ];
        let said = pairs.iter().filter(|(_, value)| !value.is_empty());
        said.map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect::<Vec<_>>().join(",")
    }
}

#[derive(Debug, Clone)]
pub struct Upload {
    pub url: String,
    pub clip: String,
    pub version: String,
}

impl Upload {
    pub fn id(&self) -> &str {
        self.url.rsplit('/').next().expect("an id")
    }

    /// The same upload at another server.
    pub fn at(&self, base: &str) -> Upload {
        Upload { url: format!("{base}/api/v1/uploads/{}", self.id()), ..self.clone() }
    }
}

impl User {
    pub async fn create_upload(&self, length: usize, about: &About) -> Upload {
        self.try_create_upload(length, about).await.unwrap_or_else(|why| panic!("the creation was refused: {why}"))
    }

    async fn try_create_upload(&self, length: usize, about: &About) -> Result<Upload, Value> {
        let request = self.request(reqwest::Method::POST, "/api/v1/uploads");
        let answer = request
            .header("Tus-Resumable", "1.0.0")
            .header("Upload-Length", length)
            .header("Upload-Metadata", about.header())
            .send()
            .await
            .expect("an answer to the creation");
        if answer.status() != StatusCode::CREATED {
            return Err(reason(answer).await);
        }
        let header = |name: &str| {
            let value = answer.headers().get(name).unwrap_or_else(|| panic!("no {name}"));
            value.to_str().expect("plain text").to_owned()
        };
        let url = reqwest::Url::parse(&self.base).unwrap().join(&header("Location")).expect("a location").to_string();
        Ok(Upload { url, clip: header("X-Clip-Id"), version: header("X-Version-Id") })
    }

    pub async fn upload_offset(&self, upload: &Upload) -> reqwest::Result<usize> {
        let request = self.request(reqwest::Method::HEAD, &upload.url).header("Tus-Resumable", "1.0.0");
        let answer = request.send().await?.error_for_status()?;
        Ok(answer.headers()["Upload-Offset"].to_str().unwrap().parse().expect("a number"))
    }

    /// Sends from `offset` on; the offset that the server answers is what it has made durable.
    pub async fn send(&self, upload: &Upload, offset: usize, body: impl Into<Body>) -> reqwest::Result<usize> {
        let answer = self.patch(upload, offset, body).await?.error_for_status()?;
        Ok(answer.headers()["Upload-Offset"].to_str().unwrap().parse().expect("a number"))
    }

    async fn patch(&self, upload: &Upload, offset: usize, body: impl Into<Body>) -> reqwest::Result<Response> {
        let request = self.request(reqwest::Method::PATCH, &upload.url);
        let request = request.header("Tus-Resumable", "1.0.0").header("Upload-Offset", offset);
        request.header("Content-Type", "application/offset+octet-stream").body(body).send().await
    }

    /// For a file that is not welcome: the error that stopped it on the way, or the upload that went through.
    pub async fn try_upload(&self, path: &Path, about: &About) -> Result<Upload, Value> {
        let bytes = std::fs::read(path).expect("the file to upload");
        let upload = self.try_create_upload(bytes.len(), about).await?;
        let answer = self.patch(&upload, 0, bytes).await.expect("an answer to the upload");
        if answer.status().is_success() { Ok(upload) } else { Err(reason(answer).await) }
    }

    /// The way a phone does it: one open-ended PATCH, and after a failure the same from where the server is.
    pub async fn upload(&self, path: &Path, about: &About) -> Upload {
        let bytes = std::fs::read(path).expect("the file to upload");
        let upload = self.create_upload(bytes.len(), about).await;
        self.resume(&upload, &Bytes::from(bytes)).await;
        upload
    }

    pub async fn resume(&self, upload: &Upload, bytes: &Bytes) {
        crate::until("the upload to finish", Duration::from_secs(180), || async {
            let offset = self.upload_offset(upload).await.map_err(|e| format!("HEAD: {e:?}"))?;
            if offset < bytes.len() {
                let reached =
                    self.send(upload, offset, bytes.slice(offset..)).await.map_err(|e| format!("PATCH: {e:?}"))?;
                assert_eq!(reached, bytes.len());
            }
            Ok(())
        })
        .await
    }
}

async fn reason(answer: Response) -> Value {
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_else(|_| Value::String(format!("{status} {text}")))
}

/// The bytes before `at`, and the others when somebody says so (or lets go of the sender): nothing can be too late to
/// happen between.
pub fn in_two(mut bytes: Bytes, at: usize) -> (Body, oneshot::Sender<()>) {
    let first = bytes.split_to(at);
    let (go_on, gate) = oneshot::channel();
    let rest = futures_util::stream::once(async move {
        let _ = gate.await;
        Ok(bytes)
    });
    (Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(first)]).chain(rest)), go_on)
}

/// The bytes at about `rate` bytes a second, so that something can happen in the middle.
pub fn slowly(bytes: Bytes, rate: usize) -> Body {
    const PIECE: usize = 64 * 1024;
    let pause = Duration::from_secs_f64(PIECE as f64 / rate as f64);
    Body::wrap_stream(futures_util::stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(PIECE.min(rest.len()));
        Some((Ok::<_, std::io::Error>(piece), rest))
    }))
}
