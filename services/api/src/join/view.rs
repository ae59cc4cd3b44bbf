//! The door of a class, as staff see it.

use axum::http::{HeaderMap, header};
use serde::Serialize;
use utoipa::ToSchema;
use weijia_core::cohort::Cohort;
use weijia_core::db::Tx;
use weijia_core::error::Result;
use weijia_core::ids::{CohortId, WindowId};
use weijia_core::join::{self, PendingRequest, Seat, Window};
use weijia_core::time::At;

use super::qr;
use crate::state::Settings;

#[derive(Serialize, ToSchema)]
pub struct JoinWindow {
    pub id: WindowId,
    /// Four digits, to be read out in the hall.
    pub code: String,
    pub opened_at: At,
    pub closes_at: At,
    /// Where the code on the wall leads, the same whenever the door is open.
    pub address: String,
    pub qr: QrPicture,
}

impl JoinWindow {
    fn of(Window { id, code, wall, opened_at, closes_at, .. }: Window, origin: &str) -> Self {
        let address = format!("{origin}/join/{wall}");
        JoinWindow { id, code, opened_at, closes_at, qr: QrPicture::of(&address), address }
    }
}

#[derive(Serialize, ToSchema)]
pub struct JoinBoard {
    pub cohort: CohortId,
    pub series_no: i64,
    pub title: String,
    /// Null while the door is shut.
    #[schema(required)]
    pub window: Option<JoinWindow>,
    pub seats: Vec<Seat>,
    pub requests: Vec<PendingRequest>,
}

/// A QR code, to be drawn as it is.
#[derive(Serialize, ToSchema)]
pub struct QrPicture {
    /// Modules a side, with the quiet zone of four around it.
    size: i64,
    /// What is dark, as the `d` of an SVG path.
    path: String,
}

impl QrPicture {
    fn of(text: &str) -> QrPicture {
        let qr = qr::encode(text);
        QrPicture { size: qr::side(&qr).into(), path: qr::path(&qr) }
    }
}

pub async fn board(tx: &mut Tx, now: At, cohort: Cohort, origin: &str) -> Result<JoinBoard> {
    let join::Board { seats, requests } = join::board(tx, now, &cohort.id).await?;
    let window = join::of_cohort(tx, now, &cohort.id).await?.map(|window| JoinWindow::of(window, origin));
    let Cohort { id, series_no, title, .. } = cohort;
    Ok(JoinBoard { cohort: id, series_no, title, window, seats, requests })
}

/// Where phones reach us: what is set, or else what this very request came to.
pub fn origin(settings: &Settings, headers: &HeaderMap) -> String {
    if let Some(public) = &settings.public_url {
        return public.origin().ascii_serialization();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    format!("http://{host}")
}
