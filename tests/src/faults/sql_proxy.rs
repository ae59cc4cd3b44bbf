//! Between the server and PostgreSQL: holds a COMMIT on the wire, so that a server can be killed while nobody knows
//! whether it happened.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use super::LONG;

#[derive(Clone)]
pub struct SqlProxy(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    upstream: SocketAddr,
    state: Mutex<State>,
    held: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    /// Transactions whose statements and values contain all of these.
    wanted: Vec<Vec<String>>,
    holding: Vec<oneshot::Sender<bool>>,
}

impl SqlProxy {
    pub async fn start(upstream: SocketAddr) -> SqlProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let held = watch::Sender::new(0);
        let proxy = SqlProxy(Arc::new(Inner { address, upstream, state: Mutex::default(), held }));
        let serving = proxy.clone();
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                let Ok(server) = TcpStream::connect(serving.0.upstream).await else { continue };
                let (from_client, mut to_client) = client.into_split();
                let (mut from_server, to_server) = server.into_split();
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
                });
                let serving = serving.clone();
                tokio::spawn(async move { serving.forward(from_client, to_server).await });
            }
        });
        proxy
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Holds the next COMMIT of a transaction that says all of this.
    pub fn hold(&self, says: &[&str]) {
        self.state().wanted.push(says.iter().map(|text| (*text).to_owned()).collect());
    }

    /// Until so many are held.
    pub async fn holds(&self, n: usize) {
        let mut held = self.0.held.subscribe();
        let waited = tokio::time::timeout(LONG, held.wait_for(|held| *held >= n)).await;
        if waited.is_err() {
            let state = self.state();
            let (held, never) = (state.holding.len(), &state.wanted);
            panic!("{held} of {n} commits are held after {LONG:?}; never met: {never:#?}");
        }
    }

    /// The held COMMITs reach the database, or never do.
    pub fn release(&self, go_on: bool) {
        let mut state = self.state();
        state.wanted.clear();
        for held in std::mem::take(&mut state.holding) {
            let _ = held.send(go_on);
        }
        self.0.held.send_replace(0);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What of this transaction is wanted? Asked once for each.
    fn is_wanted(&self, transaction: &str) -> bool {
        let mut state = self.state();
        let found = state.wanted.iter().position(|says| says.iter().all(|text| transaction.contains(text)));
        found.map(|at| state.wanted.remove(at)).is_some()
    }

    /// Follows the client's half of the protocol: what each transaction says, and when it commits.
    async fn forward(self, from: OwnedReadHalf, to: OwnedWriteHalf) -> Option<()> {
        let (mut from, mut to) = (BufReader::new(from), BufWriter::new(to));
        let (mut statements, mut transaction) = (HashMap::<Vec<u8>, String>::new(), String::new());
        // The first message has no kind.
        let first = read(&mut from, None).await?;
        to.write_all(&first).await.ok()?;
        loop {
            if from.buffer().is_empty() {
                to.flush().await.ok()?;
            }
            let kind = from.read_u8().await.ok()?;
            let message = read(&mut from, Some(kind)).await?;
            let mut words = message[5..].split(|byte| *byte == 0);
            match kind {
                b'P' => {
                    let (name, text) = (words.next()?, words.next()?);
                    statements.insert(name.to_vec(), String::from_utf8_lossy(text).into_owned());
                }
                b'B' => {
                    let (_portal, name) = (words.next()?, words.next()?);
                    transaction.push_str(statements.get(name).map_or("", String::as_str));
                    transaction.push_str(&String::from_utf8_lossy(&message));
                }
                b'Q' if message[5..].to_ascii_lowercase().starts_with(b"begin") => transaction.clear(),
                b'Q' if message[5..].to_ascii_lowercase().starts_with(b"commit") && self.is_wanted(&transaction) => {
                    let (release, released) = oneshot::channel();
                    self.state().holding.push(release);
                    self.0.held.send_modify(|held| *held += 1);
                    if !released.await.unwrap_or(false) {
                        return None;
                    }
                }
                _ => {}
            }
            to.write_all(&message).await.ok()?;
        }
    }
}

/// One message as it was sent: its kind, its length, its content.
async fn read(from: &mut BufReader<OwnedReadHalf>, kind: Option<u8>) -> Option<Vec<u8>> {
    let length = from.read_u32().await.ok()?;
    let mut message: Vec<u8> = kind.into_iter().collect();
    message.extend_from_slice(&length.to_be_bytes());
    let at = message.len();
    message.resize(at + (length as usize).checked_sub(4)?, 0);
    from.read_exact(&mut message[at..]).await.ok()?;
    Some(message)
}
