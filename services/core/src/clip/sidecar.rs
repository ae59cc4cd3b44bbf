//! What the bucket knows of a version without the database: a small object beside the file, put before the version is
//! received. From these alone the clips come back. It names its owner, but never her phone.

use serde::{Deserialize, Serialize};

use crate::db::Tx;
use crate::error::{Error, OrNotFound, Result};
use crate::ids::{ClipId, CohortId, UploadId, UserId, VersionId};
use crate::on;
use crate::time::At;
use crate::upload::{Part, rules};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    pub clip: About,
    pub upload: Stored,
}

/// Whose it is and what she said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct About {
    pub clip: ClipId,
    pub version: VersionId,
    pub n: i64,
    pub title: String,
    pub filename: String,
    pub content_type: String,
    pub created_at: At,
    pub owner: UserId,
    pub owner_name: String,
    pub owner_region_path: String,
    pub cohort: Option<CohortId>,
    pub assignment: Option<String>,
    pub region_path: String,
}

/// The file as it lies in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub id: UploadId,
    pub key: String,
    pub bytes: i64,
    pub part_size: i64,
    pub root_sha256: String,
    pub part_sha256: Vec<String>,
}

impl Stored {
    pub fn new(id: &UploadId, key: &str, part_size: i64, parts: &[Part]) -> Stored {
        Stored {
            id: id.clone(),
            key: key.to_owned(),
            bytes: parts.iter().map(|part| part.len).sum(),
            part_size,
            root_sha256: rules::root(parts),
            part_sha256: parts.iter().map(|part| part.sha256.clone()).collect(),
        }
    }
}

impl Sidecar {
    pub async fn of(tx: &mut Tx, version: &VersionId, upload: Stored) -> Result<Sidecar> {
        let clip = on!(tx, c => sqlx::query_as(
                "select c.id as clip, v.id as version, v.n, c.title, v.filename, v.content_type, v.created_at,
                        c.owner_id as owner, u.display_name as owner_name, u.region_path as owner_region_path,
                        c.cohort_id as cohort, c.assignment_code as assignment, c.region_path
                 from clip_versions v join clips c on c.id = v.clip_id join users u on u.id = c.owner_id where v.id = $1")
            .bind(version).fetch_optional(c).await)
        .or_not_found()?;
        Ok(Sidecar { clip, upload })
    }

    pub fn to_bytes(&self) -> Result<bytes::Bytes> {
        Ok(serde_json::to_vec(self).map_err(|e| Error::Damaged(e.to_string()))?.into())
    }
}
