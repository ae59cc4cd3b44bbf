//! The two tus servers and the client that drives both.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use reqwest::{Method, Response, StatusCode};
use weijia_core::storage::{Storage, StorageSettings};
use weijia_tests::User;
use weijia_tests::server::weijia;

use crate::Outcome;
use crate::process::Process;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `weijia serve` on SQLite, as `make run` starts it, but with Garage behind it.
    Weijia,
    /// @tus/server with @tus/s3-store.
    Reference,
}

pub struct TusServer {
    pub kind: Kind,
    pub process: Process,
    /// The people of the demo. For the reference, which knows nobody, a stranger.
    pub people: Vec<User>,
    place: StorageSettings,
    folder: tempfile::TempDir,
}

/// An upload that was created, and where the store will have it: under this prefix.
#[derive(Clone)]
pub struct Upload {
    pub url: String,
    pub prefix: String,
}

impl TusServer {
    pub async fn start(kind: Kind, place: &StorageSettings) -> Outcome<TusServer> {
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let log = folder.path().join("log");
        let command = match kind {
            Kind::Weijia => {
                // The first start fills the database, which is no part of serving.
                Process::start_server(our_command(folder.path(), place), &log)?.0.stop();
                our_command(folder.path(), place)
            }
            Kind::Reference => reference_command(place),
        };
        let (process, ready) = Process::start_server(command, &log)?;
        let base = ready["ready"].as_str().ok_or("no address")?;
        let mut people = Vec::new();
        for person in ready["people"].as_array().into_iter().flatten().filter(|p| p["role"] == "trainee") {
            let (phone, password) = (person["phone"].as_str().unwrap_or(""), person["password"].as_str().unwrap_or(""));
            people.push(User::sign_in(base, phone, password).await);
        }
        if kind == Kind::Reference {
            people.push(User::stranger(base));
        }
        Ok(TusServer { kind, process, people, place: place.clone(), folder })
    }

    /// Somebody to send the `n`th file.
    pub fn person(&self, n: usize) -> &User {
        &self.people[n % self.people.len()]
    }

    /// kill -9, and the same again over the same data. Addresses of uploads stay, the port does not.
    pub fn kill_and_restart(&mut self) -> Outcome<()> {
        self.process.kill();
        let command = our_command(self.folder.path(), &self.place);
        let (process, ready) = Process::start_server(command, &self.folder.path().join("log"))?;
        self.process = process;
        let base = ready["ready"].as_str().ok_or("no address")?;
        self.people.iter_mut().for_each(|person| person.base = base.to_owned());
        Ok(())
    }

    pub async fn create(&self, person: &User, len: usize) -> Outcome<Upload> {
        let path = match self.kind {
            Kind::Weijia => "/api/v1/uploads",
            Kind::Reference => "/files",
        };
        // filename bench.mp4, filetype video/mp4
        let request = person.request(Method::POST, path).header("Upload-Length", len);
        let request = request.header("Upload-Metadata", "filename YmVuY2gubXA0,filetype dmlkZW8vbXA0");
        let answer = ask(request, StatusCode::CREATED).await?;
        let location = header(&answer, "Location")?;
        // The reference names itself in full; a path stays right when the port changes.
        let url = location.strip_prefix(&person.base).unwrap_or(&location).to_owned();
        let prefix = match self.kind {
            Kind::Weijia => format!("originals/{}/", header(&answer, "X-Version-Id")?),
            Kind::Reference => url.trim_start_matches("/files/").to_owned(),
        };
        Ok(Upload { url, prefix })
    }
}

pub async fn offset(person: &User, upload: &Upload) -> Outcome<u64> {
    let answer = ask(person.request(Method::HEAD, &upload.url), StatusCode::OK).await?;
    header(&answer, "Upload-Offset")?.parse().map_err(|e| format!("Upload-Offset: {e}"))
}

/// The whole file in one open-ended PATCH.
pub async fn send(person: &User, upload: &Upload, bytes: Bytes) -> Outcome<()> {
    let len = bytes.len().to_string();
    let request = person.request(Method::PATCH, &upload.url).header("Upload-Offset", 0);
    let request = request.header("Content-Type", "application/offset+octet-stream").body(bytes);
    let answer = ask(request, StatusCode::NO_CONTENT).await?;
    let reached = header(&answer, "Upload-Offset")?;
    if reached == len { Ok(()) } else { Err(format!("{reached} of {len} bytes were taken")) }
}

async fn ask(request: reqwest::RequestBuilder, wanted: StatusCode) -> Outcome<Response> {
    let answer = request.header("Tus-Resumable", "1.0.0").send().await.map_err(|e| format!("{e:?}"))?;
    let status = answer.status();
    if status == wanted { Ok(answer) } else { Err(format!("{status} {}", answer.text().await.unwrap_or_default())) }
}

fn header(answer: &Response, name: &str) -> Outcome<String> {
    let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
    value.map(str::to_owned).ok_or_else(|| format!("an answer without {name}"))
}

fn our_command(folder: &Path, place: &StorageSettings) -> Command {
    let mut command = weijia(&["serve", "--demo", "--no-worker", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(folder.join("data"));
    at_store(&mut command, place);
    command
}

fn reference_command(place: &StorageSettings) -> Command {
    let mut command = Command::new("node");
    command.arg("server.mjs").current_dir(reference_folder());
    at_store(&mut command, place);
    command
}

pub fn reference_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peer")
}

fn at_store(command: &mut Command, place: &StorageSettings) {
    command.env("S3_ENDPOINT", &place.endpoint).env("S3_BUCKET", &place.bucket).env("AWS_REGION", &place.region);
    command.env("AWS_ACCESS_KEY_ID", &place.access_key).env("AWS_SECRET_ACCESS_KEY", &place.secret_key);
}

/// Fails unless the store holds exactly these bytes under the prefix.
pub async fn verify(storage: &Storage, prefix: &str, bytes: &Bytes) -> Outcome<()> {
    use futures_util::StreamExt as _;
    use weijia_core::storage::Range;
    let page = storage.list(prefix, None).await.map_err(|e| e.to_string())?;
    // The reference has an object of its own about each upload beside it.
    let found: Vec<_> = page.objects.into_iter().filter(|object| !object.key.ends_with(".info")).collect();
    let [object] = &found[..] else { return Err(format!("{} objects under {prefix}", found.len())) };
    let mut body = storage.get_range(&object.key, Range::All).await.map_err(|e| e.to_string())?;
    let mut rest = bytes.clone();
    while let Some(chunk) = body.stream.next().await {
        let chunk = chunk.map_err(|e| format!("{prefix}: {e}"))?;
        if !rest.starts_with(&chunk) {
            return Err(format!("{prefix}: the store has other bytes than were sent"));
        }
        rest = rest.slice(chunk.len()..);
    }
    if rest.is_empty() { Ok(()) } else { Err(format!("{prefix}: {} bytes are missing", rest.len())) }
}
