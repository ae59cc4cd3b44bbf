//! Every request has an id: in its log lines, its answer's `X-Request-Id` and its error body.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request being handled on this task.
pub fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

pub async fn layer(request: Request, next: Next) -> Response {
    let id = hex::encode(rand::random::<[u8; 8]>());
    // The path of a media request carries its signature, and that of a card what it is good for; a log line must not.
    let path = request.uri().path();
    let hidden = ["/media/", "/card/", "/join/"].into_iter().find(|secret| path.starts_with(secret));
    let path = hidden.unwrap_or(path);
    let span = tracing::info_span!("request", id, method = %request.method(), path);
    let started = std::time::Instant::now();
    let mut response = CURRENT
        .scope(id.clone(), async move {
            let response = next.run(request).await;
            tracing::debug!(status = response.status().as_u16(), ms = started.elapsed().as_millis() as u64, "answered");
            response
        })
        .instrument(span)
        .await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}
