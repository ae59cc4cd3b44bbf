//! The web app, compiled in. Files carry their hash in their name and are kept by browsers for ever; pages are asked
//! for again each time.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if ["api", "media"].into_iter().any(|area| path.split('/').next() == Some(area)) {
        return ApiError::not_found().into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return ApiError::method_not_allowed().into_response();
    }
    if let Some(response) = file(path, &headers) {
        return response;
    }
    // A missing script is missing; a route of the app is the app's page.
    if path.starts_with("assets/") || path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let page = if path == "studio" || path.starts_with("studio/") { "studio.html" } else { "index.html" };
    file(page, &headers).unwrap_or_else(|| {
        (StatusCode::NOT_FOUND, "网页还没有构建：先运行 make run，或在 web 文件夹里运行 npm run build。")
            .into_response()
    })
}

/// The file, compressed where the browser takes it (the build put `.br` and `.gz` beside it).
fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    if path.is_empty() || path.ends_with(".br") || path.ends_with(".gz") {
        return None;
    }
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let variant = [("br", ".br"), ("gzip", ".gz")]
        .into_iter()
        .filter(|(encoding, _)| accepted.contains(encoding))
        .find_map(|(encoding, ending)| Some((Dist::get(&format!("{path}{ending}"))?, Some(encoding))));
    let (found, encoding) = variant.or_else(|| Some((Dist::get(path)?, None)))?;
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = found.data.into_response();
    let set = response.headers_mut();
    let text = if kind.type_() == "text" { format!("{kind}; charset=utf-8") } else { kind.to_string() };
    set.insert(header::CONTENT_TYPE, HeaderValue::from_str(&text).ok()?);
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    set.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        set.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    Some(response)
}
