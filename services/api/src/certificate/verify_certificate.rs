use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::star::{self, certificate};
use weijia_core::time::{At, Day};

use super::limit::PerAddress;
use crate::address::address;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::extract::Id;
use crate::state::AppState;

/// All that a stranger learns.
#[derive(Serialize, ToSchema)]
pub struct Certificate {
    number: String,
    status: CertificateStatus,
    title: String,
    level: i64,
    /// 贾*娟
    masked_name: String,
    county: String,
    issuer: String,
    issued_on: Day,
    valid_to: Day,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateStatus {
    Valid,
    Expired,
    Revoked,
    /// A later star took its place.
    Replaced,
}

/// What is behind a certificate's number. Open to everybody, by number only.
#[utoipa::path(
    get, path = "/certificates/{number}", operation_id = "verifyCertificate", tag = "certificate",
    params(("number" = String, Path)), security(()),
    responses(
        (status = 200, body = Certificate),
        (status = 404, description = "No such number, or misread", body = ErrorBody),
        (status = 429, description = "Too often from this address", body = ErrorBody),
    )
)]
pub async fn verify_certificate(
    State(state): State<AppState>,
    Extension(limit): Extension<Arc<PerAddress>>,
    Id(number): Id<String>,
    request: Request,
) -> ApiResult<Json<Certificate>> {
    let now = At::now();
    let asker = address(request.extensions(), request.headers(), state.settings.public_url.is_some());
    if !limit.allows(asker, now) {
        let (message, next) = ("查得太快了。", "等一分钟再查。");
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_often", message, next));
    }
    let unknown = || {
        let (message, next) = ("没有查到这张证书。", "对照证书再输一遍编号，数字 0 和字母 O 别看错。");
        ApiError::new(StatusCode::NOT_FOUND, "certificate_unknown", message, next)
    };
    let row = match star::verify(&mut state.db.read().await?, &number).await {
        Err(weijia_core::Error::NotFound) => return Err(unknown()),
        other => other?,
    };
    let status = match row.status(now.china_date().into()) {
        "valid" => CertificateStatus::Valid,
        "expired" => CertificateStatus::Expired,
        "replaced" => CertificateStatus::Replaced,
        _ => CertificateStatus::Revoked,
    };
    Ok(Json(Certificate {
        status,
        masked_name: certificate::masked(&row.holder_name),
        number: row.number,
        title: row.title,
        level: row.level,
        county: row.county,
        issuer: row.issuer,
        issued_on: row.issued_on,
        valid_to: row.valid_to,
    }))
}
