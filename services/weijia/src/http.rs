//! Connections: taken, bounded in how long they may keep us waiting, and ended when the requests they carry are.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long a connection may be idle, or take over the head of a request. Bodies have their own bounds where they are
/// read: an upload lives as long as bytes come.
pub const PATIENCE: Duration = Duration::from_secs(75);
/// How long somebody may read nothing of an answer that waits for him.
const UNREAD: Duration = Duration::from_secs(60);

/// Serves until `stopping`; then requests in flight are finished.
pub async fn serve(listener: TcpListener, app: Router, patience: Duration, stopping: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(stream, ConnectInfo(peer), app.clone(), patience, stopping.clone());
                connections.spawn(connection);
            }
            Err(error) => {
                // Out of file handles, most likely: some will come back.
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn connection(
    stream: TcpStream,
    peer: ConnectInfo<std::net::SocketAddr>,
    app: Router,
    patience: Duration,
    stopping: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    // The kernel knows best whether the other end still takes bytes: it counts from the last that it took, so somebody
    // who reads slowly is served to the end.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, patience.min(UNREAD).as_millis() as u32);
    let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        app.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn who_never_ends_a_head_is_hung_up_on_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stopping = CancellationToken::new();
        let peer = |ConnectInfo(peer): ConnectInfo<std::net::SocketAddr>| async move { peer.ip().to_string() };
        let app = Router::new().route("/", get(peer));
        let patience = Duration::from_millis(300);
        let serving = tokio::spawn(serve(listener, app, patience, stopping.clone()));

        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nA: ").await.unwrap();
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");

        let ended = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "the slow one still holds its connection");
        stopping.cancel();
        tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_stops_reading_is_hung_up_on_and_who_reads_slowly_is_served() {
        const LEN: usize = 24 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/", get(async || vec![7; LEN]));
        tokio::spawn(serve(listener, app, Duration::from_millis(500), CancellationToken::new()));
        let ask = async || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
            stream
        };
        let read = async |mut stream: TcpStream, pause: u64| {
            let (mut read, mut piece) = (0, vec![0; 1 << 20]);
            while let Ok(count @ 1..) = stream.read(&mut piece).await {
                read += count;
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            read
        };
        let (stalled, slow) = (ask().await, ask().await);
        assert!(read(slow, 100).await > LEN, "the slow one is served");
        assert!(read(stalled, 0).await < LEN, "the stalled one was kept");
    }
}
