//! The only way to the objects: S3, whether the embedded store on loopback or a cluster far away.
//!
//! The database holds keys ([`keys`]), never addresses. An answer counts only when it was read to its end and says
//! yes; everything else is a [`StorageError`] that tells "no" from "nobody knows".

mod error;
mod http;
pub mod keys;
mod multipart;
mod objects;
pub mod trash;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};

pub use error::StorageError;
pub use multipart::{KeptPart, OpenMultipart};
pub use objects::{ObjectBody, ObjectInfo, Page, Range};

use crate::time::At;

/// An entity tag as the store gave it, quotes included; to be handed back unchanged.
pub type ETag = String;

/// Where the bucket is written in an address: Garage and Ceph take it in the path, some clouds only in the host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Addressing {
    #[default]
    Path,
    Virtual,
}

impl std::str::FromStr for Addressing {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "path" => Ok(Addressing::Path),
            "virtual" => Ok(Addressing::Virtual),
            _ => Err("path or virtual"),
        }
    }
}

#[derive(Clone)]
pub struct StorageSettings {
    pub endpoint: String,
    pub bucket: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
    pub addressing: Addressing,
}

/// Shows where, never with what: the keys stay out of every log.
impl std::fmt::Debug for StorageSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {} ({:?})", self.bucket, self.endpoint, self.addressing)
    }
}

/// How long the store may take before a request counts as failed.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For an answer.
    pub answer: Duration,
    /// So many bytes a second will do, for a body.
    pub pace: u64,
    /// A body that stands still for so long is cut off.
    pub standstill: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { answer: Duration::from_secs(60), pace: 100_000, standstill: Duration::from_secs(30) }
    }
}

impl Patience {
    fn timeouts(&self, len: u64) -> TimeoutConfig {
        timeouts(self.answer + Duration::from_secs_f64(len as f64 / self.pace as f64))
    }
}

#[derive(Clone, Debug)]
pub struct Storage {
    client: Client,
    bucket: String,
    patience: Patience,
    /// Hashing every byte for the signature is needed only where nothing else guards it: plain HTTP between machines.
    sign_payloads: bool,
}

impl Storage {
    pub fn connect(settings: &StorageSettings) -> Storage {
        Storage::connect_with(settings, Patience::default())
    }

    pub fn connect_with(settings: &StorageSettings, patience: Patience) -> Storage {
        let plain = !settings.endpoint.starts_with("https:");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http::Http::new(patience.standstill, !plain))
            .endpoint_url(&settings.endpoint)
            .region(Region::new(settings.region.clone()))
            .credentials_provider(Credentials::new(&settings.access_key, &settings.secret_key, None, None, "settings"))
            .force_path_style(settings.addressing == Addressing::Path)
            // OSS, COS and OBS refuse the chunked trailers that the default adds.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // One more try hides a dropped idle connection. Uploads and jobs have their own, better informed retries.
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .timeout_config(patience.timeouts(0))
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(patience.standstill).build(),
            )
            .build();
        Storage {
            client: Client::from_conf(config),
            bucket: settings.bucket.clone(),
            patience,
            sign_payloads: plain && !is_loopback(&settings.endpoint),
        }
    }

    /// A body may take its time; one that stands still is cut off much earlier.
    fn for_body(&self, len: u64) -> Builder {
        aws_sdk_s3::Config::builder().timeout_config(self.patience.timeouts(len))
    }

    /// A store may copy every part before it answers.
    fn for_joining(&self) -> Builder {
        aws_sdk_s3::Config::builder().timeout_config(timeouts(self.patience.answer * 5))
    }

    /// Makes the bucket if there is none.
    pub async fn ensure_bucket(&self) -> Result<(), StorageError> {
        match self.client.head_bucket().bucket(&self.bucket).send().await {
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404) => {}
            answer => return Ok(answer.map(drop)?),
        }
        let Err(error) = self.client.create_bucket().bucket(&self.bucket).send().await else { return Ok(()) };
        // Two nodes starting together: one makes it, for the other it is there.
        let mine = error.as_service_error().is_some_and(|e| e.is_bucket_already_owned_by_you());
        if mine { Ok(()) } else { Err(error.into()) }
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(attempt).build()
}

fn moment(at: &aws_sdk_s3::primitives::DateTime) -> Option<At> {
    at.to_millis().ok().map(At)
}

/// An answer to a write must name what was written, or it isn't one.
fn tag(answer: Option<String>) -> Result<ETag, StorageError> {
    answer.ok_or_else(|| StorageError::Transient("an answer without an ETag".into()))
}

fn is_loopback(endpoint: &str) -> bool {
    url::Url::parse(endpoint).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_recognised() {
        for inside in ["http://127.0.0.1:9000", "http://localhost:1", "http://[::1]:3900"] {
            assert!(is_loopback(inside), "{inside}");
        }
        for outside in ["http://10.0.0.3:9000", "http://127.0.0.1.example.com", "https://s3.example.com", "nonsense"] {
            assert!(!is_loopback(outside), "{outside}");
        }
    }

    #[test]
    fn settings_never_show_their_keys() {
        let settings = StorageSettings {
            endpoint: "http://127.0.0.1:1".into(),
            bucket: "weijia".into(),
            region: "cn".into(),
            access_key: "AKID".into(),
            secret_key: "hush".into(),
            addressing: Addressing::Path,
        };
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hush") && !shown.contains("AKID"), "{shown}");
    }
}
