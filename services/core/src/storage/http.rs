//! The HTTP client under the S3 SDK.
//!
//! The SDK's own has no limit for a store that takes no more bytes. A request can be given up, but hyper sends what it
//! has in hand before it closes a connection: as long as the store stands still, every part that was on its way would
//! stay in memory. Only the kernel can end that.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::config::{HttpClient, RuntimeComponents};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

const CONNECTING: Duration = Duration::from_secs(5);

/// Takes no proxies from the environment, as for loopback none may be.
#[derive(Debug, Clone)]
pub(super) struct Http(Client<HttpsConnector<Tcp>, SdkBody>);

impl Http {
    /// A connection on which nothing moves for so long is closed, and what was on its way forgotten. `secure`: the store
    /// is asked by https.
    pub(super) fn new(standstill: Duration, secure: bool) -> Http {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECTING));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(standstill));
        #[cfg(not(target_os = "linux"))]
        let _ = standstill;
        let tls = HttpsConnectorBuilder::new().with_tls_config(trusted(secure));
        let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
        Http(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector))
    }
}

/// Whom the machine trusts. A plain store needs nobody's word, and a machine without a list of its own may still ask one.
fn trusted(secure: bool) -> ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().expect("the provider knows TLS 1.3");
    let native = if secure { config.clone().with_native_roots() } else { Err(std::io::ErrorKind::Unsupported.into()) };
    match native {
        Ok(config) => config,
        Err(error) => {
            if secure {
                tracing::error!(%error, "this machine trusts nobody: no store can be asked by https");
            }
            config.with_root_certificates(RootCertStore::empty())
        }
    }
    .with_no_client_auth()
}

impl HttpClient for Http {
    /// Its limits are its own: the settings hold none that it does not have.
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Http(client) = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let answer = client.request(request).await.map_err(judged)?;
            Response::try_from(answer.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Whatever happens to a connection may not happen to the next one, except for what we did ourselves.
fn judged(error: ClientError) -> ConnectorError {
    let ours = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>()).is_some_and(hyper::Error::is_user);
    if ours { ConnectorError::user(error.into()) } else { ConnectorError::io(error.into()) }
}
