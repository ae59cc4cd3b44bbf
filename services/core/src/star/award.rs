//! Giving a star: the guards, the award, its certificate.

use sha2::{Digest, Sha256};

use super::input::Frozen;
use super::sql::{AWARD, AwardRow, CertificateRow, evaluation};
use super::{certificate, gather, rules};
use crate::access::{Principal, within};
use crate::content::{self, StarRules};
use crate::db::Tx;
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{AwardId, EvaluationId, UserId};
use crate::time::{At, Day};
use crate::{audit, on, region};

/// How old an evaluation may be when a star is given on it, in days.
const FRESH_DAYS: i64 = 30;

/// The tier that decides a level, read from the rule's own words: how many steps of a region path its desk has.
/// 县级初审、市级备案 is decided in the county and filed with the city.
pub fn deciding_tier(rules: &StarRules, level: i64) -> Option<usize> {
    let approve = rules.levels.iter().find(|l| l.level == level)?.approve.as_str();
    [("县级", region::COUNTY), ("市级", region::CITY), ("省级", region::PROVINCE)]
        .into_iter()
        .find(|(word, _)| approve.starts_with(word))
        .map(|(_, tier)| tier)
}

/// The desk of hers that may decide this level for somebody who lives at `path`.
pub fn deciding_desk<'a>(desks: &'a [String], path: &str, tier: usize) -> Option<&'a str> {
    let depth = |desk: &str| desk.split('/').filter(|code| !code.is_empty()).count();
    // Of several, the nearest to her: a certificate names the desk that knows her.
    desks
        .iter()
        .map(String::as_str)
        .filter(|desk| within(path, desk) && depth(desk) <= tier)
        .max_by_key(|desk| depth(desk))
}

fn stale() -> Error {
    Error::conflict("evaluation_stale", "数字变了，重新评一次。", "点“重新评”，看过新的结果再颁发。")
}

#[derive(sqlx::FromRow)]
struct Holder {
    display_name: String,
    region_code: String,
    region_path: String,
}

/// Gives `level` to the person that was evaluated. Whether the giver may see her at all was decided before.
/// Asking twice gives one star.
pub async fn award(
    tx: &mut Tx,
    now: At,
    by: &Principal,
    user: &UserId,
    on_evaluation: &EvaluationId,
    level: i64,
) -> Result<AwardRow> {
    // Awards to one person queue on her row.
    let sql = tx.locking("select display_name, region_code, region_path from users where id = $1");
    let holder: Holder = on!(&mut *tx, c => sqlx::query_as(sql).bind(user).fetch_optional(c).await).or_not_found()?;
    let row = evaluation(tx, on_evaluation).await?;
    if row.user_id != *user {
        return Err(Error::NotFound);
    }
    let rules = content::star_rules();
    let title = rules::title_of(level);
    let Some(tier) = deciding_tier(rules, level) else {
        return Err(Refusal::new("star_unknown", "没有这一级星。", "从一星到五星里选。").into());
    };
    let Some(desk) = deciding_desk(&by.staff_paths, &holder.region_path, tier) else {
        let who = ["省", "市", "县"].get(tier - 1).copied().unwrap_or("上");
        return Err(Refusal::new("star_tier", format!("{title}要{who}级来评。"), format!("请{who}里的同志评。")).into());
    };
    if let Some(there) = awarded(tx, user, on_evaluation, level).await? {
        return Ok(there);
    }

    let frozen = Frozen::thaw(&row.input, &row.input_sha256)?;
    let today = Day::from(now.china_date());
    let again = gather(tx, std::slice::from_ref(user), frozen.input.as_of_on).await?.pop().ok_or(Error::NotFound)?;
    if again.freeze()?.sha256 != row.input_sha256
        || row.rule_version != rules.version
        || today.days_since(frozen.input.as_of_on) > FRESH_DAYS
    {
        return Err(stale());
    }
    rules::award_allowed(&rules::evaluate(rules, &frozen.input), level)?;

    let id = AwardId::new();
    let valid_to = today.plus_months(rules.validity_months);
    let sql = "insert into star_awards (id, user_id, level, evaluation_id, rule_version, region_code, region_path, awarded_by,
               awarded_at, valid_from, valid_to) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    on!(&mut *tx, c => sqlx::query(sql).bind(&id).bind(user).bind(level).bind(on_evaluation).bind(&rules.version)
        .bind(&holder.region_code).bind(&holder.region_path).bind(&by.user).bind(now).bind(today.to_string())
        .bind(valid_to.to_string()).execute(c).await.map(drop))?;
    // The star before ends here, and its certificate says that another took its place.
    let sql = "update certificates set state = 'replaced' where state = 'valid' and award_id in
               (select id from star_awards where user_id = $1 and id <> $2 and superseded_by is null)";
    on!(&mut *tx, c => sqlx::query(sql).bind(user).bind(&id).execute(c).await.map(drop))?;
    let sql = "update star_awards set superseded_by = $2 where user_id = $1 and id <> $2 and superseded_by is null";
    on!(&mut *tx, c => sqlx::query(sql).bind(user).bind(&id).execute(c).await.map(drop))?;

    let names = region::names(tx, [holder.region_path.as_str(), desk]).await?;
    let mut certificate = CertificateRow {
        number: next_number(tx, &holder.region_path, today).await?,
        state: "valid".into(),
        title: format!("{title}网上妇女微家"),
        level,
        holder_name: holder.display_name,
        county: names.county(&holder.region_path),
        issuer: format!("{}妇女联合会", names.last(desk)),
        issued_on: today,
        valid_to,
        payload_sha256: String::new(),
        award_id: id.clone(),
    };
    certificate.payload_sha256 = payload_sha256(&certificate);
    issue(tx, &certificate, &holder.region_path).await?;
    let detail = serde_json::json!({"user": user, "level": level, "evaluation": on_evaluation, "certificate": certificate.number});
    audit::append(tx, now, Some(&by.user), "star.award", id.as_str(), &detail).await?;
    awarded(tx, user, on_evaluation, level).await?.ok_or(Error::NotFound)
}

async fn awarded(tx: &mut Tx, user: &UserId, evaluation: &EvaluationId, level: i64) -> Result<Option<AwardRow>> {
    let sql = sqlx::AssertSqlSafe(format!("{AWARD} where a.user_id = $1 and a.evaluation_id = $2 and a.level = $3"));
    Ok(on!(tx, c => sqlx::query_as(sql).bind(user).bind(evaluation).bind(level).fetch_optional(c).await)?)
}

/// The next number of her city and year, without a gap or a double.
async fn next_number(tx: &mut Tx, path: &str, today: Day) -> Result<String> {
    let area = region::code_at(path, region::CITY).ok_or_else(|| Error::Damaged(format!("{path} lies in no city")))?;
    // Whoever counts next in this city waits here until this transaction ends.
    let lock = tx.locking("select code from regions where code = $1");
    on!(&mut *tx, c => sqlx::query(lock).bind(area).fetch_optional(c).await.map(drop))?;
    let sql = "select coalesce(max(seq), 0) + 1 from certificates where area = $1 and year = $2";
    let seq: i64 = on!(&mut *tx, c => sqlx::query_scalar(sql).bind(area).bind(today.year()).fetch_one(c).await)?;
    certificate::number(area, today.year(), seq)
        .ok_or_else(|| Error::Damaged(format!("no certificate number for {area} {today} {seq}")))
}

async fn issue(tx: &mut Tx, c: &CertificateRow, path: &str) -> Result<()> {
    let area = region::code_at(path, region::CITY).unwrap_or_default();
    let seq: i64 = c.number.split('-').nth(3).and_then(|seq| seq.parse().ok()).unwrap_or_default();
    let sql =
        "insert into certificates (number, award_id, area, year, seq, holder_name, title, county, issuer, issued_on,
               valid_to, payload_sha256, state) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    on!(tx, conn => sqlx::query(sql).bind(&c.number).bind(&c.award_id).bind(area).bind(c.issued_on.year()).bind(seq)
        .bind(&c.holder_name).bind(&c.title).bind(&c.county).bind(&c.issuer).bind(c.issued_on.to_string())
        .bind(c.valid_to.to_string()).bind(&c.payload_sha256).bind(&c.state).execute(conn).await.map(drop))?;
    Ok(())
}

/// What the certificate stands for, in one hash: later signatures sign this.
pub(super) fn payload_sha256(c: &CertificateRow) -> String {
    let payload = serde_json::json!([
        c.number,
        c.award_id,
        c.level,
        c.title,
        c.holder_name,
        c.county,
        c.issuer,
        c.issued_on,
        c.valid_to
    ]);
    hex::encode(Sha256::digest(payload.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_decided_where_the_rules_say() {
        let rules = content::star_rules();
        let tiers: Vec<_> = (1..=6).map(|level| deciding_tier(rules, level)).collect();
        assert_eq!(tiers, [Some(3), Some(3), Some(2), Some(1), Some(1), None]);
    }

    #[test]
    fn a_desk_decides_at_its_own_tier_and_for_its_own_people() {
        let her = "43/4331/433130/433130105/433130105201/";
        let desks = |paths: &[&str]| paths.iter().map(|p| p.to_string()).collect::<Vec<_>>();
        let county = desks(&["43/4331/433130/"]);
        assert_eq!(deciding_desk(&county, her, 3), Some("43/4331/433130/"));
        assert_eq!(deciding_desk(&county, her, 2), None);
        assert_eq!(deciding_desk(&desks(&["43/4331/433130/433130105/"]), her, 3), None);
        assert_eq!(deciding_desk(&desks(&["43/4331/433127/"]), her, 3), None);
        assert_eq!(deciding_desk(&desks(&["43/", "43/4331/"]), her, 3), Some("43/4331/"));
        assert_eq!(deciding_desk(&desks(&["43/"]), her, 1), Some("43/"));
    }
}
