//! Verbs on evaluations, awards and certificates.

use super::input::Frozen;
use super::{Evaluation, certificate, rules};
use crate::content::StarRules;
use crate::db::{Tx, marks};
use crate::error::{Error, OrNotFound, Result};
use crate::ids::{AwardId, EvaluationId, UserId};
use crate::on;
use crate::time::{At, Day};

#[derive(Debug, Clone, sqlx::FromRow)]
pub struct EvaluationRow {
    pub id: EvaluationId,
    pub user_id: UserId,
    pub rule_version: String,
    pub input: String,
    pub input_sha256: String,
    pub result: String,
    pub evaluated_at: At,
}

/// Keeps an evaluation with what it was made from. The same input under the same rules is kept once.
pub async fn save(tx: &mut Tx, now: At, frozen: &Frozen, result: &Evaluation, by: &UserId) -> Result<EvaluationRow> {
    let user = &frozen.input.user;
    let sql = "select id, user_id, rule_version, input, input_sha256, result, evaluated_at from star_evaluations
               where user_id = $1 and rule_version = $2 and input_sha256 = $3 order by evaluated_at limit 1";
    let there: Option<EvaluationRow> = on!(&mut *tx, c => sqlx::query_as(sql).bind(user).bind(&result.rule_version)
        .bind(&frozen.sha256).fetch_optional(c).await)?;
    if let Some(there) = there {
        return Ok(there);
    }
    let row = EvaluationRow {
        id: EvaluationId::new(),
        user_id: user.clone(),
        rule_version: result.rule_version.clone(),
        input: frozen.json.clone(),
        input_sha256: frozen.sha256.clone(),
        result: serde_json::to_string(result).map_err(|e| Error::Damaged(format!("star result: {e}")))?,
        evaluated_at: now,
    };
    let sql = "insert into star_evaluations (id, user_id, rule_version, input, input_sha256, result, evaluated_by, evaluated_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8)";
    on!(&mut *tx, c => sqlx::query(sql).bind(&row.id).bind(user).bind(&row.rule_version).bind(&row.input)
        .bind(&row.input_sha256).bind(&row.result).bind(by).bind(now).execute(c).await.map(drop))?;
    Ok(row)
}

pub async fn evaluation(tx: &mut Tx, id: &EvaluationId) -> Result<EvaluationRow> {
    let sql = "select id, user_id, rule_version, input, input_sha256, result, evaluated_at from star_evaluations where id = $1";
    on!(tx, c => sqlx::query_as(sql).bind(id).fetch_optional(c).await).or_not_found()
}

/// When she was last evaluated by her desk.
pub async fn newest_evaluation_at(tx: &mut Tx, user: &UserId) -> Result<Option<At>> {
    let sql = "select max(evaluated_at) from star_evaluations where user_id = $1";
    Ok(on!(tx, c => sqlx::query_scalar(sql).bind(user).fetch_one(c).await)?)
}

/// Runs a kept evaluation again, from its frozen input and the rules it names, and says whether the same comes out.
pub async fn replay(tx: &mut Tx, id: &EvaluationId) -> Result<bool> {
    let row = evaluation(tx, id).await?;
    let frozen = Frozen::thaw(&row.input, &row.input_sha256)?;
    let sql = "select body from content_versions where kind = 'star_rules' and version = $1";
    let body: String =
        on!(tx, c => sqlx::query_scalar(sql).bind(&row.rule_version).fetch_optional(c).await).or_not_found()?;
    let rules: StarRules = serde_json::from_str(&body).map_err(|e| Error::Damaged(format!("star rules: {e}")))?;
    let kept: Evaluation =
        serde_json::from_str(&row.result).map_err(|e| Error::Damaged(format!("star result: {e}")))?;
    Ok(rules::evaluate(&rules, &frozen.input) == kept)
}

/// A star with the number of its certificate.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct AwardRow {
    pub id: AwardId,
    pub user_id: UserId,
    pub level: i64,
    pub evaluation_id: EvaluationId,
    pub certificate_number: String,
    #[sqlx(try_from = "String")]
    pub valid_from: Day,
    #[sqlx(try_from = "String")]
    pub valid_to: Day,
    pub awarded_by: String,
    pub awarded_at: At,
}

pub(super) const AWARD: &str = "select a.id, a.user_id, a.level, a.evaluation_id, c.number as certificate_number,
    a.valid_from, a.valid_to, u.display_name as awarded_by, a.awarded_at
    from star_awards a join certificates c on c.award_id = a.id join users u on u.id = a.awarded_by";

/// The stars that are valid on a day, at most one for each of these people.
pub async fn current_awards(tx: &mut Tx, users: &[UserId], today: Day) -> Result<Vec<AwardRow>> {
    let mut all = Vec::new();
    for batch in users.chunks(500) {
        let sql = sqlx::AssertSqlSafe(format!(
            "{AWARD} where a.superseded_by is null and a.valid_from <= $1 and a.valid_to > $1 and a.user_id in ({})",
            marks(2, batch.len())
        ));
        let today = today.to_string();
        let mut rows: Vec<AwardRow> = on!(&mut *tx, c => {
            let mut query = sqlx::query_as(sql).bind(&today);
            for user in batch { query = query.bind(user); }
            query.fetch_all(c).await
        })?;
        all.append(&mut rows);
    }
    Ok(all)
}

/// What the public page may say of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct CertificateRow {
    pub number: String,
    pub state: String,
    pub title: String,
    pub level: i64,
    pub holder_name: String,
    pub county: String,
    pub issuer: String,
    #[sqlx(try_from = "String")]
    pub issued_on: Day,
    #[sqlx(try_from = "String")]
    pub valid_to: Day,
    pub payload_sha256: String,
    pub award_id: AwardId,
}

impl CertificateRow {
    /// `valid`, `expired`, `revoked` or `replaced`: an end that was written down is stronger than one that came.
    pub fn status(&self, today: Day) -> &str {
        if self.state == "valid" && today >= self.valid_to { "expired" } else { &self.state }
    }
}

/// Finds a certificate by the number a person read or typed. A misread number is refused without asking the database,
/// and a row that does not match the hash it was issued with is not vouched for.
pub async fn verify(tx: &mut Tx, typed: &str) -> Result<CertificateRow> {
    let number = certificate::read_number(typed).ok_or(Error::NotFound)?;
    let sql = "select c.number, c.state, c.title, a.level, c.holder_name, c.county, c.issuer, c.issued_on, c.valid_to,
               c.payload_sha256, c.award_id from certificates c join star_awards a on a.id = c.award_id where c.number = $1";
    let row: CertificateRow = on!(tx, c => sqlx::query_as(sql).bind(&number).fetch_optional(c).await).or_not_found()?;
    if super::award::payload_sha256(&row) != row.payload_sha256 {
        return Err(Error::Damaged(format!("certificate {number} does not match its hash")));
    }
    Ok(row)
}
