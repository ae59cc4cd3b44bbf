//! A person using the API without a network between: every step of the demonstration goes through the same handlers,
//! rules and transactions as hers.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::people::Person;

pub struct Visitor {
    app: Router,
    cookie: String,
}

pub type Outcome<T> = Result<T, String>;

impl Visitor {
    pub async fn sign_in(app: &Router, person: &Person) -> Outcome<Self> {
        let mut visitor = Self { app: app.clone(), cookie: String::new() };
        let body = json!({"phone": person.phone, "password": person.password});
        let answer =
            visitor.send(Method::POST, "/api/v1/session", &[], "application/json", body.to_string().into()).await?;
        let cookie = answer.headers().get(header::SET_COOKIE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        visitor.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(visitor)
    }

    pub async fn get(&self, path: &str) -> Outcome<Value> {
        read(self.send(Method::GET, path, &[], "application/json", Body::empty()).await?).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Outcome<Value> {
        self.json(Method::POST, path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Outcome<Value> {
        self.json(Method::PUT, path, body).await
    }

    async fn json(&self, method: Method, path: &str, body: Value) -> Outcome<Value> {
        read(self.send(method, path, &[], "application/json", body.to_string().into()).await?).await
    }

    /// A form with one file, as a browser sends it.
    pub async fn post_form(
        &self,
        path: &str,
        fields: &[(&str, String)],
        file: (&str, &str, Vec<u8>),
    ) -> Outcome<Value> {
        const BOUNDARY: &str = "weijia-demo-boundary-7f3a";
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend(
                format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
            );
        }
        let (name, kind, bytes) = file;
        body.extend(
            format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\ncontent-type: {kind}\r\n\r\n")
                .bytes(),
        );
        body.extend(bytes);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        read(self.send(Method::POST, path, &[], &kind, body.into()).await?).await
    }

    /// Uploads a clip by tus and answers its id.
    pub async fn upload(&self, bytes: &[u8], title: &str, assignment: &str) -> Outcome<String> {
        use base64::Engine as _;
        let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        let metadata = format!(
            "filename {},filetype {},title {},assignment {}",
            encode("sample.mp4"),
            encode("video/mp4"),
            encode(title),
            encode(assignment)
        );
        let length = bytes.len().to_string();
        let creation = [("tus-resumable", "1.0.0"), ("upload-length", &length), ("upload-metadata", &metadata)];
        let created = self.send(Method::POST, "/api/v1/uploads", &creation, "", Body::empty()).await?;
        let header =
            |name: &str| created.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (location, clip) = (header("location"), header("x-clip-id"));
        let path = location.find("/api/").map_or(location.as_str(), |at| &location[at..]);
        let append = [("tus-resumable", "1.0.0"), ("upload-offset", "0")];
        let body = Body::from(bytes.to_vec());
        self.send(Method::PATCH, path, &append, "application/offset+octet-stream", body).await?;
        Ok(clip)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        content_type: &str,
        body: Body,
    ) -> Outcome<axum::response::Response> {
        let mut request = Request::builder().method(&method).uri(path).header(header::COOKIE, &self.cookie);
        request = request.header(header::HOST, "127.0.0.1");
        if !content_type.is_empty() {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body).map_err(|e| e.to_string())?;
        // What the listener would have said about where the request came from.
        request.extensions_mut().insert(axum::extract::ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 0))));
        let answer = self.app.clone().oneshot(request).await.map_err(|e| e.to_string())?;
        if answer.status().is_success() {
            Ok(answer)
        } else {
            let status = answer.status();
            let body = read(answer).await.unwrap_or_default();
            Err(format!("{method} {path}: {status} {body}"))
        }
    }
}

async fn read(answer: axum::response::Response) -> Outcome<Value> {
    let bytes = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
    if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes).map_err(|e| e.to_string()) }
}
