//! The store as an HTTP endpoint.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::auth::SecretKey;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse, S3Error, s3_error};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{self, Key, LARGEST_XML, Signed};
use crate::leftover::Shared;
use crate::{EmbeddedStore, sweep};

/// How long requests in flight may take once the end is asked for.
const LAST_WORDS: Duration = Duration::from_secs(8);
/// How long somebody may read nothing of an answer that waits for him. Who reads slowly is served to the end.
const UNREAD: Duration = Duration::from_secs(60);

impl EmbeddedStore {
    /// Answers until `shutdown`; then requests in flight are finished.
    pub async fn serve(&self, listener: TcpListener, access_key: &str, secret_key: &str, shutdown: CancellationToken) {
        let service = self.service(access_key, secret_key);
        let connections = TaskTracker::new();
        let sweeping = tokio::spawn(sweep::regularly(self.clone(), shutdown.clone()));
        loop {
            let accepted = tokio::select! {
                _ = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    drop(connections.spawn(connection(stream, service.clone(), UNREAD, shutdown.clone())))
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
        if tokio::time::timeout(LAST_WORDS, connections.wait()).await.is_err() {
            tracing::warn!(left = connections.len(), "requests were cut off");
        }
        let _ = sweeping.await;
        self.close().await;
    }

    fn service(&self, access_key: &str, secret_key: &str) -> S3Service {
        let mut config = S3Config::default();
        config.xml_max_body_size = LARGEST_XML;
        let mut builder = S3ServiceBuilder::new(self.clone());
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder.set_auth(Key { access: access_key.to_owned(), secret: SecretKey::from(secret_key) });
        builder.set_access(Signed);
        builder.build()
    }
}

async fn connection(stream: TcpStream, service: S3Service, unread: Duration, shutdown: CancellationToken) {
    let _ = stream.set_nodelay(true);
    // The kernel knows best whether the other end still takes bytes: it counts from the last that it took.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, unread.as_millis() as u32);
    let answer = service_fn(move |request| answer(service.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(120))
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// S3's answer, with the headers that let a browser read it. Every request has to be signed anyway, so any page may.
async fn answer(service: S3Service, request: Request<Incoming>) -> Result<HttpResponse, HttpError> {
    if !request.headers().contains_key(header::ORIGIN) {
        return call(service, request).await;
    }
    let preflight = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD).is_some();
    let mut response = if request.method() == Method::OPTIONS && preflight {
        permission(request.headers())
    } else {
        call(service, request).await?
    };
    set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    set(&mut response, header::ACCESS_CONTROL_EXPOSE_HEADERS, "ETag, Content-Range, Accept-Ranges, Last-Modified");
    Ok(response)
}

async fn call(service: S3Service, request: Request<Incoming>) -> Result<HttpResponse, HttpError> {
    let asks_first = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let body = Shared::new(body);
    let mut response = match first_look(&head) {
        Err(no) => no.to_http_response().map_err(|error| HttpError::new(Box::new(error))),
        Ok(()) => service.call(Request::from_parts(head, Body::http_body(body.clone()))).await,
    }?;
    if asks_first && !body.was_asked_for() {
        // Who asks first whether to send has nothing on its way that could be read away. Whether it still comes is now
        // for the client to say (RFC 9110, 10.1.1), so nobody knows whether what comes next is that or another request.
        set(&mut response, header::CONNECTION, "close");
    } else if !response.status().is_success() {
        body.drain().await;
    }
    Ok(response)
}

fn first_look(head: &Parts) -> Result<(), S3Error> {
    if is_form(head) {
        // s3s would gather it in memory before anybody asks who sends it.
        return Err(s3_error!(NotImplemented, "objects are not posted as forms here"));
    }
    access::address(head.uri.query())
}

fn is_form(head: &Parts) -> bool {
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    head.method == Method::POST && kind.trim_start().to_ascii_lowercase().starts_with("multipart/")
}

fn permission(asked: &HeaderMap) -> HttpResponse {
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, PUT, POST, DELETE");
    set(&mut response, header::ACCESS_CONTROL_MAX_AGE, "3600");
    if let Some(headers) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
    }
    response
}

fn set(response: &mut HttpResponse, name: HeaderName, value: &'static str) {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_s3::presigning::PresigningConfig;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const SHORT: Duration = Duration::from_millis(500);
    const LEN: usize = 24 << 20;

    /// Answers one request on a connection of its own, and says when that is over.
    async fn asked(service: &S3Service, request: &str) -> (TcpStream, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (taken, _) = listener.accept().await.unwrap();
        let serving = tokio::spawn(connection(taken, service.clone(), SHORT, CancellationToken::new()));
        stream.write_all(request.as_bytes()).await.unwrap();
        (stream, serving)
    }

    #[tokio::test]
    async fn who_is_refused_before_sending_is_not_taken_for_sending() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        let ask = "PUT /films/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        let (mut stream, serving) =
            asked(&store.service("a", "s"), &format!("{ask}GET / HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let mut answers = String::new();
        // Reset, where what came behind was not read.
        let _ = stream.read_to_string(&mut answers).await;
        serving.await.unwrap();
        assert!(answers.starts_with("HTTP/1.1 403") && answers.contains("connection: close"), "{answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_stops_reading_is_hung_up_on_and_who_reads_slowly_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(folder.path()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap();
        let serving = store.clone();
        tokio::spawn(async move { serving.serve(listener, "a", "s", CancellationToken::new()).await });
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(format!("http://{host}"))
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("a", "s", None, None, "test"))
            .force_path_style(true);
        let client = Client::from_conf(config.build());
        client.create_bucket().bucket("films").send().await.unwrap();
        client.put_object().bucket("films").key("a").body(vec![7; LEN].into()).send().await.unwrap();
        let hour = PresigningConfig::expires_in(Duration::from_secs(3600)).unwrap();
        let signed = client.get_object().bucket("films").key("a").presigned(hour).await.unwrap();
        let target = signed.uri().strip_prefix(&format!("http://{host}")).unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let service = store.service("a", "s");

        let (stalled, over) = asked(&service, &request).await;
        tokio::time::timeout(Duration::from_secs(20), over).await.expect("the stalled one is hung up on").unwrap();
        drop(stalled);
        let (mut slow, _) = asked(&service, &request).await;
        let (mut read, mut piece) = (0, vec![0; 1 << 20]);
        loop {
            let count = slow.read(&mut piece).await.expect("the slow one is served");
            if count == 0 {
                break;
            }
            read += count;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(read > LEN, "{read}");
    }
}
