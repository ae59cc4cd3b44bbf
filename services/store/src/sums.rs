//! The checksums that S3 lets a client send beside the bytes, and that are verified when it does.

use s3s::checksum::ChecksumHasher;
use s3s::crypto::Checksum as _;
use s3s::dto::Checksum;
use s3s::{S3Error, s3_error};

/// Base64 digests, by algorithm, as the headers carry them.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Sums {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc32: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Takes the checksum fields out of any of S3's messages, which all spell them alike.
#[macro_export]
macro_rules! sums_of {
    ($message:expr) => {
        $crate::sums::Sums {
            crc32: $message.checksum_crc32.take(),
            crc32c: $message.checksum_crc32c.take(),
            crc64nvme: $message.checksum_crc64nvme.take(),
            sha1: $message.checksum_sha1.take(),
            sha256: $message.checksum_sha256.take(),
        }
    };
}

/// And the way back.
#[macro_export]
macro_rules! set_sums {
    ($message:expr, $sums:expr) => {{
        let sums = $sums;
        $message.checksum_crc32 = sums.crc32;
        $message.checksum_crc32c = sums.crc32c;
        $message.checksum_crc64nvme = sums.crc64nvme;
        $message.checksum_sha1 = sums.sha1;
        $message.checksum_sha256 = sums.sha256;
    }};
}

impl Sums {
    pub fn fields(&self) -> [(&'static str, Option<&String>); 5] {
        [
            ("crc32", self.crc32.as_ref()),
            ("crc32c", self.crc32c.as_ref()),
            ("crc64nvme", self.crc64nvme.as_ref()),
            ("sha1", self.sha1.as_ref()),
            ("sha256", self.sha256.as_ref()),
        ]
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        match name {
            "crc32" => self.crc32 = value,
            "crc32c" => self.crc32c = value,
            "crc64nvme" => self.crc64nvme = value,
            "sha1" => self.sha1 = value,
            "sha256" => self.sha256 = value,
            _ => {}
        }
    }

    pub fn is_empty(&self) -> bool {
        *self == Sums::default()
    }

    /// A checksum over the checksums of parts says so by their number.
    pub fn mark_composite(&mut self, parts: usize) {
        for (name, _) in Sums::default().fields() {
            let here = self.fields().into_iter().find(|(other, _)| *other == name).and_then(|(_, sum)| sum.cloned());
            self.set(name, here.map(|sum| format!("{sum}-{parts}")));
        }
    }

    /// The ones that came after the body.
    pub fn read_trailers(&mut self, headers: &hyper::HeaderMap) {
        for (name, _) in Sums::default().fields() {
            let value = headers.get(format!("x-amz-checksum-{name}")).and_then(|v| v.to_str().ok());
            if let Some(value) = value {
                self.set(name, Some(value.to_owned()));
            }
        }
    }

    /// A hasher for those that are here, and for the algorithm that was announced for after the body.
    pub fn hasher(&self, announced: Option<&str>) -> ChecksumHasher {
        let wants = |name: &str, here: &Option<String>| {
            here.is_some() || announced.is_some_and(|other| other.eq_ignore_ascii_case(name))
        };
        ChecksumHasher {
            crc32: wants("crc32", &self.crc32).then(s3s::crypto::Crc32::new),
            crc32c: wants("crc32c", &self.crc32c).then(s3s::crypto::Crc32c::new),
            crc64nvme: wants("crc64nvme", &self.crc64nvme).then(s3s::crypto::Crc64Nvme::new),
            sha1: wants("sha1", &self.sha1).then(s3s::crypto::Sha1::new),
            sha256: wants("sha256", &self.sha256).then(s3s::crypto::Sha256::new),
        }
    }

    /// Whether every checksum that was computed was also sent.
    pub fn covers(&self, computed: &Sums) -> bool {
        self.fields()
            .into_iter()
            .zip(computed.fields())
            .all(|((_, sent), (_, found))| sent.is_some() || found.is_none())
    }

    /// Whether every checksum that was sent is what was computed.
    pub fn verify(&self, computed: &Sums) -> Result<(), S3Error> {
        for ((name, sent), (_, found)) in self.fields().into_iter().zip(computed.fields()) {
            if sent.is_some() && sent != found {
                return Err(s3_error!(BadDigest, "The {name} you specified did not match what we received."));
            }
        }
        Ok(())
    }
}

impl From<Checksum> for Sums {
    fn from(mut sums: Checksum) -> Self {
        sums_of!(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sent_is_verified() {
        let mut hasher = Sums { crc32: Some(String::new()), ..Sums::default() }.hasher(Some("SHA1"));
        hasher.update(b"hello");
        let computed = Sums::from(hasher.finalize());
        assert_eq!(computed.crc32.as_deref(), Some("NhCmhg=="));
        assert!(computed.sha1.is_some() && computed.sha256.is_none());
        assert!(Sums::default().verify(&computed).is_ok());
        assert!(Sums { crc32: Some("AAAAAA==".into()), ..Sums::default() }.verify(&computed).is_err());
        assert!(Sums { sha256: Some("x".into()), ..Sums::default() }.verify(&computed).is_err());
    }
}
