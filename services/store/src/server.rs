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
use s3s::auth::SimpleAuth;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse, s3_error};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Signed;
use crate::leftover::Shared;
use crate::{EmbeddedStore, sweep};

/// How long requests in flight may take once the end is asked for.
const LAST_WORDS: Duration = Duration::from_secs(8);

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
                Ok((stream, _)) => drop(connections.spawn(connection(stream, service.clone(), shutdown.clone()))),
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
        // What s3s gathers in memory: the XML of a completion of 10,000 parts is the largest that is needed.
        config.xml_max_body_size = 4 << 20;
        let mut builder = S3ServiceBuilder::new(self.clone());
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
        builder.set_access(Signed);
        builder.build()
    }
}

async fn connection(stream: TcpStream, service: S3Service, shutdown: CancellationToken) {
    let _ = stream.set_nodelay(true);
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
    // Who asks first whether to send waits for the answer, and has nothing on its way that could be read away.
    let asks_first = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let body = Shared::new(body);
    let response = if is_form(&head) {
        // s3s would gather it in memory before anybody asks who sends it.
        let no = s3_error!(NotImplemented, "objects are not posted as forms here");
        no.to_http_response().map_err(|error| HttpError::new(Box::new(error)))
    } else {
        service.call(Request::from_parts(head, Body::http_body(body.clone()))).await
    };
    if !asks_first && !response.as_ref().is_ok_and(|response| response.status().is_success()) {
        body.drain().await;
    }
    response
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
