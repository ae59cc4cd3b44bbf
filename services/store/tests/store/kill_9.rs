//! kill -9 of the store at random moments under a mixed load, with a ledger outside of it: what was acknowledged is
//! there, byte for byte, and what was acknowledged as deleted stays deleted. What nobody acknowledged is there whole or
//! not at all.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::support::*;
use aws_sdk_s3::Client;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use weijia_core::storage::{Range, Storage, StorageError};

/// Not a test of its own: the process that the others kill.
#[test]
#[ignore = "started by the tests that kill it"]
fn a_store_to_kill() {
    let Ok(folder) = std::env::var("STORE_TO_KILL") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let running = start(Path::new(&folder)).await;
        println!("\nlistening {} missing {}", running.address, running.swept.missing);
        running.server.await.unwrap();
    });
}

/// A store in a process of its own; killed when dropped.
struct Victim {
    child: Child,
    address: SocketAddr,
}

impl Victim {
    fn start(folder: &Path) -> Victim {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "kill_9::a_store_to_kill", "--nocapture"])
            .env("STORE_TO_KILL", folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, heard) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        std::thread::spawn(move || {
            lines.filter(|line| line.starts_with("listening ")).for_each(|line| drop(said.send(line)));
        });
        let Ok(line) = heard.recv_timeout(Duration::from_secs(120)) else {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the child does not listen");
        };
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[3], "0", "bytes were lost");
        Victim { child, address: words[1].parse().unwrap() }
    }

    fn hands(&self) -> (Storage, Client) {
        (self.storage(), client(self.address, SECRET))
    }

    fn storage(&self) -> Storage {
        storage(self.address, SECRET)
    }

    fn peak_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a key may mean: an object of this hash, or nothing.
type Meaning = Option<[u8; 32]>;

/// What was acknowledged of a key, and what was asked for since without an answer.
#[derive(Clone, Debug, Default)]
struct Entry {
    acknowledged: Meaning,
    unanswered: Option<Meaning>,
}

type Ledger = BTreeMap<String, Entry>;

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Random enough, and the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// Writes, overwrites, copies and deletes under keys of its own until the store dies; everything that was answered goes
/// into the ledger. Answers how much that was, too.
async fn write_until_killed(
    (s3, client): (Storage, Client),
    writer: u64,
    seed: u64,
    mut ledger: Ledger,
) -> (Ledger, u64) {
    let (mut dice, mut answered) = (Dice(seed | 1), 0);
    loop {
        let key = format!("{writer}/{}", dice.roll(10));
        let from = format!("{writer}/{}", dice.roll(10));
        let held = ledger.get(&from).and_then(|entry| entry.acknowledged);
        let bytes = noise(dice.roll(200_000) as usize, dice.roll(u64::MAX));
        let choice = dice.roll(20);
        let meaning = match choice {
            0..=3 => None,
            4..=6 => held,
            7 => Some(hash(&[noise(5 * MB, seed), bytes.clone()].concat())),
            _ => Some(hash(&bytes)),
        };
        if (4..=6).contains(&choice) && (held.is_none() || from == key) {
            continue;
        }
        ledger.entry(key.clone()).or_default().unanswered = Some(meaning);
        let answer = match choice {
            0..=3 => s3.delete(&key).await,
            4..=6 => copy(&client, &from, &key).await,
            7 => multipart(&s3, &key, [noise(5 * MB, seed), bytes]).await,
            _ => s3.put(&key, "video/mp4", bytes).await.map(drop),
        };
        if answer.is_err() {
            return (ledger, answered);
        }
        answered += 1;
        ledger.insert(key, Entry { acknowledged: meaning, unanswered: None });
    }
}

async fn copy(client: &Client, from: &str, to: &str) -> Result<(), StorageError> {
    let copy = client.copy_object().bucket(BUCKET).copy_source(format!("{BUCKET}/{from}")).key(to);
    copy.send().await?;
    Ok(())
}

async fn multipart(s3: &Storage, key: &str, parts: [Vec<u8>; 2]) -> Result<(), StorageError> {
    let id = s3.create_multipart(key, "video/mp4").await?;
    let mut tags = Vec::new();
    for (no, part) in (1..).zip(parts) {
        tags.push((no, s3.upload_part(key, &id, no, part).await?));
    }
    s3.complete_multipart(key, &id, &tags).await.map(drop)
}

async fn read(s3: &Storage, key: &str) -> Meaning {
    let mut sum = Sha256::new();
    let mut body = match s3.get_range(key, Range::All).await {
        Err(StorageError::NotFound) => return None,
        other => other.unwrap_or_else(|e| panic!("{key}: {e}")).stream,
    };
    while let Some(piece) = body.next().await {
        sum.update(piece.unwrap_or_else(|e| panic!("{key}: {e}")));
    }
    Some(sum.finalize().into())
}

/// The keys whose meaning is neither what was acknowledged nor what was asked for last. What is found is what counts
/// from now on.
async fn losses(s3: &Storage, ledger: &mut Ledger) -> Vec<String> {
    let mut lost = Vec::new();
    for (key, entry) in ledger.iter_mut() {
        let found = read(s3, key).await;
        if found != entry.acknowledged && Some(found) != entry.unanswered {
            lost.push(format!("{key}: {entry:?}, found {found:?}"));
        }
        *entry = Entry { acknowledged: found, unanswered: None };
    }
    lost
}

async fn kill_and_compare(rounds: u64, seed: u64) {
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let mut ledgers = vec![Ledger::new(); 4];
    let (mut dice, mut answered) = (Dice(seed | 1), 0);
    for round in 0..rounds {
        let victim = Victim::start(folder.path());
        for ledger in &mut ledgers {
            let lost = losses(&victim.storage(), ledger).await;
            assert_eq!(lost, Vec::<String>::new(), "round {round} of seed {seed}");
        }
        let writers: Vec<_> = (0..)
            .zip(ledgers)
            .map(|(n, ledger)| tokio::spawn(write_until_killed(victim.hands(), n, dice.roll(u64::MAX), ledger)))
            .collect();
        tokio::time::sleep(Duration::from_millis(20 + dice.roll(300))).await;
        drop(victim);
        ledgers = Vec::new();
        for writer in writers {
            let (ledger, more) = writer.await.unwrap();
            ledgers.push(ledger);
            answered += more;
        }
    }
    assert!(answered > rounds, "only {answered} requests were ever answered");

    let running = start(folder.path()).await;
    assert_eq!(running.swept.missing, 0);
    let mut objects = 0;
    for ledger in &mut ledgers {
        assert_eq!(losses(&running.storage, ledger).await, Vec::<String>::new(), "the end of seed {seed}");
        objects += ledger.values().filter(|entry| entry.acknowledged.is_some()).count();
    }
    // Nothing is listed that nobody wrote, and nothing lies about that nobody lists.
    let page = running.storage.list("", None).await.unwrap();
    assert_eq!((page.objects.len(), page.next), (objects, None));
    for upload in running.storage.open_multiparts("").await.unwrap() {
        running.storage.abort_multipart(&upload.key, &upload.upload_id).await.unwrap();
    }
    for object in &page.objects {
        running.storage.delete(&object.key).await.unwrap();
    }
    settles_at(folder.path(), 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_writes_survive_kill_9() {
    kill_and_compare(20, 20_261_123).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "200 rounds, minutes; make torture runs it"]
async fn torture_two_hundred_kills() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    kill_and_compare(200, now.as_nanos() as u64).await;
}

/// The ledger would see it: here an acknowledgement is written down before the store has given it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_acknowledgement_before_the_commit_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let victim = Victim::start(folder.path());
    let mut ledger = Ledger::new();
    let mut begun = Vec::new();
    for n in 0..200 {
        let (s3, key, bytes) = (victim.storage(), format!("{n}"), noise(100_000, n + 1));
        let entry = Entry { acknowledged: Some(hash(&bytes)), unanswered: None };
        ledger.insert(key.clone(), entry);
        begun.push(tokio::spawn(async move { s3.put(&key, "video/mp4", bytes).await }));
    }
    drop(victim);
    for put in begun {
        let _ = put.await;
    }
    let victim = Victim::start(folder.path());
    assert!(!losses(&victim.storage(), &mut ledger).await.is_empty(), "200 writes can't be durable at once");
}

/// A gigabyte in and out again, by as many at once as the platform serves.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_stays_small_whatever_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let victim = Victim::start(folder.path());
    let idle = victim.peak_kib();
    let body = bytes::Bytes::from(noise(32 * MB, 1));
    let clients: Vec<_> = (0..32)
        .map(|n| {
            let (s3, body) = (victim.storage(), body.clone());
            tokio::spawn(async move {
                let key = format!("{n}");
                s3.put(&key, "video/mp4", body.clone()).await.unwrap();
                for (from, to) in [(0, 4 * MB - 1), (17 * MB + 3, 21 * MB), (28 * MB, 32 * MB - 1)] {
                    let piece = s3.get_range(&key, Range::Span(from as u64, to as u64)).await.unwrap();
                    let pieces: Vec<_> = piece.stream.map(Result::unwrap).collect().await;
                    assert!(pieces.concat() == body[from..=to]);
                }
                s3.delete(&key).await.unwrap();
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let peak = victim.peak_kib();
    println!("peak {peak} KiB, {idle} KiB before the first request");
    assert!(peak < 64 * 1024, "1 GiB in by 32 clients and ranges out took {peak} KiB at the peak");
}
