//! curl: the protocol by hand, with every answer that a client may have to cope with.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use weijia_tests::{TestServer, User, sha256};

use crate::Arrivals;

const MIB: usize = 1 << 20;
const STREAM: &str = "Content-Type: application/offset+octet-stream";

struct Curl<'a> {
    server: &'a TestServer,
    cookie: String,
    folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Answer {
    /// 0 where none came.
    status: u16,
    headers: HashMap<String, String>,
    body: String,
    sent: usize,
    /// curl's own: 28 is out of time.
    exit: i32,
}

impl Answer {
    fn offset(&self) -> usize {
        self.headers["upload-offset"].parse().expect("a number")
    }

    /// This status, said in the dialect of tus.
    fn is(&self, status: u16) -> &Answer {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["tus-resumable"], "1.0.0", "{self:?}");
        self
    }
}

impl Curl<'_> {
    /// Exactly these arguments, and `input` as what `@-` stands for.
    fn bare(&self, path: &str, arguments: &[&str], input: &[u8]) -> Answer {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.server.base) };
        let (head, body) = (self.folder.path().join("head"), self.folder.path().join("body"));
        let _ = (std::fs::remove_file(&head), std::fs::remove_file(&body));
        let mut command = Command::new("curl");
        command
            .args(["--disable", "--silent", "--noproxy", "*", "--dump-header"])
            .arg(&head)
            .arg("--output")
            .arg(&body);
        command.args(["--write-out", "%{http_code} %{size_upload}"]).args(arguments).arg(url);
        let mut curl = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("curl is installed");
        let mut stdin = curl.stdin.take().expect("its input");
        let input = input.to_vec();
        // It may have enough before it has read everything.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = curl.wait_with_output().expect("its end");
        let _ = writer.join();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let (status, sent) = told.split_once(' ').unwrap_or_else(|| panic!("{told}"));
        let read = |path: &PathBuf| std::fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned());
        let text = read(&head).unwrap_or_default();
        // After `100 Continue` comes the answer itself.
        let last = text.trim_end().rsplit("\r\n\r\n").next().unwrap_or_default();
        let pairs = last.lines().filter_map(|line| line.split_once(": "));
        Answer {
            status: status.parse().unwrap_or(0),
            headers: pairs.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect(),
            body: read(&body).unwrap_or_default(),
            sent: sent.parse().expect("a number"),
            exit: output.status.code().unwrap_or(-1),
        }
    }

    /// As a client of tus who is signed in.
    fn ask(&self, path: &str, arguments: &[&str], input: &[u8]) -> Answer {
        let mut all = vec!["--header", "Tus-Resumable: 1.0.0", "--header", &self.cookie];
        all.extend(arguments);
        tokio::task::block_in_place(|| self.bare(path, &all, input))
    }

    fn create(&self, bytes: usize) -> String {
        let length = format!("Upload-Length: {bytes}");
        let created = self.ask("/api/v1/uploads", &["-X", "POST", "-H", &length], b"");
        created.is(201).headers["location"].clone()
    }

    fn head(&self, upload: &str) -> Answer {
        self.ask(upload, &["--head"], b"")
    }

    fn patch(&self, upload: &str, offset: usize, arguments: &[&str], input: &[u8]) -> Answer {
        let offset = format!("Upload-Offset: {offset}");
        let mut all = vec!["-X", "PATCH", "-H", &offset, "-H", STREAM, "--data-binary", "@-"];
        all.extend(arguments);
        self.ask(upload, &all, input)
    }
}

pub async fn speaks_tus(server: &TestServer, she: &User, arrivals: &Arrivals) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let curl = Curl { server, cookie: format!("Cookie: {}", she.cookie()), folder };
    discovers(&curl);
    is_refused(&curl);
    sends_in_unusual_ways(&curl, arrivals);
    is_cut_and_goes_on(&curl, arrivals);
    calls_off(&curl);
    sums_up(&curl, arrivals);
}

fn discovers(curl: &Curl) {
    // Nobody has to be signed in, or to know the version, in order to ask what there is.
    let answer = curl.bare("/api/v1/uploads", &["-X", "OPTIONS"], b"");
    answer.is(204);
    assert_eq!(answer.headers["tus-version"], "1.0.0");
    let can: Vec<&str> = answer.headers["tus-extension"].split(',').collect();
    for extension in ["creation", "creation-with-upload", "creation-defer-length", "termination", "expiration"] {
        assert!(can.contains(&extension), "{can:?}");
    }
    assert!(can.contains(&"checksum") && can.contains(&"concatenation"), "{can:?}");
    assert!(answer.headers["tus-max-size"].parse::<i64>().expect("a number") >= 1 << 30);
}

fn is_refused(curl: &Curl) {
    let film = film(300_000, 1);
    let upload = curl.create(film.len());
    // By hand, for a header given twice would be sent twice.
    let other = ["-X", "POST", "-H", &curl.cookie, "-H", "Tus-Resumable: 0.2.2", "-H", "Upload-Length: 5"];
    let old = curl.bare("/api/v1/uploads", &other, b"");
    assert_eq!(old.is(412).headers["tus-version"], "1.0.0");
    let length = ["-X", "POST", "-H", "Upload-Length: 5"];
    let stranger = curl.bare("/api/v1/uploads", &[&length[..], &["-H", "Tus-Resumable: 1.0.0"]].concat(), b"");
    stranger.is(401);
    let foreign =
        curl.ask("/api/v1/uploads", &[&length[..], &["-H", "Origin: http://elsewhere.example"]].concat(), b"");
    assert_eq!(foreign.status, 403, "{foreign:?}");
    curl.ask("/api/v1/uploads", &["-X", "POST"], b"").is(400);
    curl.ask("/api/v1/uploads", &["-X", "POST", "-H", "Upload-Length: -1"], b"").is(400);
    curl.ask("/api/v1/uploads", &["-X", "POST", "-H", "Upload-Length: 999999999999999"], b"").is(413);
    curl.ask("/api/v1/uploads/upload_0000000000000000000000000", &["--head"], b"").is(404);

    let other = curl.ask(&upload, &["-X", "PATCH", "-H", "Upload-Offset: 0", "--data-binary", "@-"], &film);
    other.is(415);
    curl.ask(&upload, &["-X", "PATCH", "-H", STREAM, "--data-binary", "@-"], &film).is(400);
    let wrong = curl.patch(&upload, 7, &[], &film);
    assert_eq!(wrong.is(409).offset(), 0);
    // Who asks before it sends is spared the sending.
    let asked = curl.patch(&upload, 7, &["-H", "Expect: 100-continue", "--expect100-timeout", "60"], &film);
    assert_eq!(asked.is(409).sent, 0);
    let long = curl.patch(&upload, 0, &[], &[&film[..], b"more"].concat());
    long.is(413);
    for refused in [other, wrong, long] {
        let said: serde_json::Value = serde_json::from_str(&refused.body).expect("a reason");
        assert!(said["message"].is_string() && said["next_step"].is_string(), "{said}");
    }
    assert_eq!(curl.head(&upload).is(200).headers["cache-control"], "no-store");

    let text = curl.create(5 * MIB);
    curl.patch(&text, 0, &[], &vec![b'x'; 5 * MIB]).is(422);
    curl.head(&text).is(410);
}

fn sends_in_unusual_ways(curl: &Curl, arrivals: &Arrivals) {
    let film = film(MIB + 1, 2);
    let ways: [&[&str]; 5] = [
        &["-H", "Expect: 100-continue"],
        &["-H", "Expect:"],
        &["--http1.0"],
        // Without a length.
        &["-H", "Transfer-Encoding: chunked"],
        &["-H", "X-HTTP-Method-Override: PATCH", "-X", "POST"],
    ];
    for way in ways {
        let upload = curl.create(film.len());
        assert_eq!(curl.patch(&upload, 0, way, &film[..400_000]).is(204).offset(), 400_000, "{way:?}");
        assert_eq!(curl.patch(&upload, 400_000, way, b"").is(204).offset(), 400_000, "{way:?}");
        let last = curl.patch(&upload, 400_000, way, &film[400_000..]);
        assert_eq!(last.is(204).offset(), film.len(), "{way:?}");
        // The answer may have been lost; asking again is fine.
        assert_eq!(curl.head(&upload).is(200).offset(), film.len());
        arrived(arrivals, &upload, &film);
    }
}

fn is_cut_and_goes_on(curl: &Curl, arrivals: &Arrivals) {
    let film = film(12 * MIB, 3);
    let upload = curl.create(film.len());
    let cut = curl.patch(&upload, 0, &["--limit-rate", "2M", "--max-time", "2"], &film);
    assert_eq!(cut.exit, 28, "out of time: {cut:?}");
    let offset = curl.head(&upload).is(200).offset();
    assert!(offset < film.len(), "{offset}");
    assert_eq!(curl.patch(&upload, offset, &[], &film[offset..]).is(204).offset(), film.len());
    arrived(arrivals, &upload, &film);
}

fn calls_off(curl: &Curl) {
    let upload = curl.create(70_000);
    curl.patch(&upload, 0, &[], &film(60_000, 4)).is(204);
    for _ in 0..2 {
        curl.ask(&upload, &["-X", "DELETE"], b"").is(204);
    }
    curl.head(&upload).is(410);
    curl.patch(&upload, 60_000, &[], b"0123456789").is(410);
}

/// Upload-Checksum: what does not match does not count.
fn sums_up(curl: &Curl, arrivals: &Arrivals) {
    let film = film(300_000, 5);
    let upload = curl.create(film.len());
    let sum = |bytes: &[u8]| format!("Upload-Checksum: sha256 {}", STANDARD.encode(Sha256::digest(bytes)));
    let (first, rest) = film.split_at(100_000);
    assert_eq!(curl.patch(&upload, 0, &["-H", &sum(rest)], first).is(460).headers["upload-offset"], "0");
    curl.patch(&upload, 0, &["-H", "Upload-Checksum: md4 AAAA"], first).is(400);
    assert_eq!(curl.head(&upload).is(200).offset(), 0);
    assert_eq!(curl.patch(&upload, 0, &["-H", &sum(first)], first).is(204).offset(), 100_000);
    assert_eq!(curl.patch(&upload, 100_000, &["-H", &sum(rest)], rest).is(204).offset(), film.len());
    arrived(arrivals, &upload, &film);
}

fn arrived(arrivals: &Arrivals, upload: &str, film: &[u8]) {
    let mut ledger = std::fs::File::options().create(true).append(true).open(arrivals.path()).expect("the ledger");
    writeln!(ledger, "{}", json!({"url": upload, "sha256": sha256(film)})).expect("a line");
}

/// Begins like an mp4; the rest is noise, another for each seed.
fn film(bytes: usize, seed: u32) -> Vec<u8> {
    let mut film = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2mp41".to_vec();
    film.extend((0..bytes as u32).map(|n| ((n ^ (seed << 24)).wrapping_mul(2_654_435_761) >> 11) as u8));
    film.truncate(bytes);
    film
}
