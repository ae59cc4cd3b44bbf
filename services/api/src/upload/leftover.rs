//! The rest of a request's body. An answer given before the body was read (she is signed out, another offset is
//! durable) would end the connection under a client that is still sending: it would see a bad line instead of the
//! answer, and send the same again.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;

use super::Uploads;

/// How long a rest is read away. A bound by bytes would be met at once by who is fast: on a local network the answer
/// came too late even for 40 MiB.
const READ_AWAY: Duration = Duration::from_secs(3);

/// Around everything that may answer for an upload, and around whoever asks first whether to send: reads away what nobody
/// has taken of the body.
pub async fn leftover(State(uploads): State<Uploads>, request: Request, next: Next) -> Response {
    // Who asks first waits for the answer, and sends nothing until somebody begins to read.
    let comes = !request.headers().contains_key(header::EXPECT);
    if comes && !request.uri().path().starts_with(super::PATH) || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = Shared(Arc::new(Mutex::new(Rest { body, comes, ended: false })));
    let mut response = next.run(Request::from_parts(head, Body::new(body.clone()))).await;
    if !body.rest().comes {
        // Whether the body still comes is now for the client to say (RFC 9110, 10.1.1), so nobody knows whether what
        // comes next is that or another request.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    uploads.read_away(body);
    response
}

impl Uploads {
    fn read_away(&self, mut body: Shared) {
        let nothing_left = {
            let rest = body.rest();
            !rest.comes || rest.ended || rest.body.is_end_stream()
        };
        if nothing_left {
            return;
        }
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            let reading = async { while let Some(Ok(_)) = body.frame().await {} };
            tokio::select! {
                _ = tokio::time::timeout(READ_AWAY, reading) => {}
                () = stopping.cancelled() => {}
            }
        });
    }
}

/// A body that two hold: who reads it, and who reads away what is left.
#[derive(Clone)]
struct Shared(Arc<Mutex<Rest>>);

struct Rest {
    body: Body,
    /// Its client sends it, and waits for nobody.
    comes: bool,
    ended: bool,
}

impl Shared {
    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let mut rest = self.rest();
        rest.comes = true;
        let polled = Pin::new(&mut rest.body).poll_frame(context);
        rest.ended |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest().body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.rest().body.size_hint()
    }
}
