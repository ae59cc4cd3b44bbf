use axum::extract::Request;
use axum::http::Method;

use super::protocol::METHOD_OVERRIDE;

/// For clients behind something that lets only GET and POST through: the method in X-HTTP-Method-Override is the one that
/// counts. Before anything looks at the request, also before it is asked where it came from.
pub fn overridden(mut request: Request) -> Request {
    let said = request.headers().get(METHOD_OVERRIDE).and_then(|value| Method::from_bytes(value.as_bytes()).ok());
    if let Some(method) = said
        && request.uri().path().starts_with(super::PATH)
    {
        *request.method_mut() = method;
    }
    request
}
