//! Verbs on accounts and snapshots.

use super::{Account, NewAccount, NewSnapshot, Snapshot, rules};
use crate::db::{Tx, is_duplicate, marks};
use crate::error::{Error, OrNotFound, Refusal, Result};
use crate::ids::{AccountId, SnapshotId, UserId};
use crate::on;
use crate::time::At;

const BATCH: usize = 500;
const SNAPSHOT: &str =
    "s.id, s.account_id, s.as_of_on, s.window_days, s.followers, s.views, s.originals, s.active_weeks,
    s.lives, s.service, s.column_episodes, s.adopted_upward, s.impact_points, s.evidence_sha256,
    u.display_name as entered_by, s.superseded_by, s.created_at";

/// Adds an account; hers already, it is answered as it stands.
pub async fn add_account(tx: &mut Tx, now: At, new: NewAccount<'_>) -> Result<Account> {
    let handle = rules::check_account(&new, now.china_date().into())?;
    let sql =
        "select id, owner_id, platform, handle, opened_on from platform_accounts where platform = $1 and handle = $2";
    let there: Option<Account> =
        on!(&mut *tx, c => sqlx::query_as(sql).bind(new.platform).bind(&handle).fetch_optional(c).await)?;
    let taken =
        || Refusal::new("account_taken", "这个号已经登记在别人名下。", "核对一下账号名；真是她的，请县里查一查。");
    match there {
        Some(account) if account.owner_id == *new.owner => return Ok(account),
        Some(_) => return Err(Error::Conflict(taken())),
        None => {}
    }
    let id = AccountId::new();
    let sql = "insert into platform_accounts (id, owner_id, platform, handle, opened_on, created_at) values ($1, $2, $3, $4, $5, $6)";
    on!(&mut *tx, c => sqlx::query(sql).bind(&id).bind(new.owner).bind(new.platform).bind(&handle)
        .bind(new.opened_on.to_string()).bind(now).execute(c).await.map(drop))
    .map_err(|e| if is_duplicate(&e) { Error::Conflict(taken()) } else { e.into() })?;
    Ok(Account {
        id,
        owner_id: new.owner.clone(),
        platform: new.platform,
        handle,
        opened_on: new.opened_on,
        snapshots: vec![],
    })
}

pub async fn owner_of(tx: &mut Tx, account: &AccountId) -> Result<UserId> {
    on!(tx, c => sqlx::query_scalar("select owner_id from platform_accounts where id = $1").bind(account)
        .fetch_optional(c).await)
    .or_not_found()
}

/// All accounts of some people with all their snapshots, superseded ones too, the newest reading first.
pub async fn accounts_of(tx: &mut Tx, owners: &[UserId]) -> Result<Vec<Account>> {
    let mut all = Vec::new();
    for batch in owners.chunks(BATCH) {
        let list = marks(1, batch.len());
        let sql = format!(
            "select id, owner_id, platform, handle, opened_on from platform_accounts where owner_id in ({list}) order by id"
        );
        let sql = sqlx::AssertSqlSafe(sql);
        let mut accounts: Vec<Account> = on!(&mut *tx, c => {
            let mut query = sqlx::query_as(sql);
            for owner in batch { query = query.bind(owner); }
            query.fetch_all(c).await
        })?;
        let sql = format!(
            "select {SNAPSHOT} from growth_snapshots s join platform_accounts a on a.id = s.account_id
             join users u on u.id = s.entered_by
             where a.owner_id in ({list}) order by s.as_of_on desc, s.created_at desc, s.id desc"
        );
        let sql = sqlx::AssertSqlSafe(sql);
        let snapshots: Vec<Snapshot> = on!(&mut *tx, c => {
            let mut query = sqlx::query_as(sql);
            for owner in batch { query = query.bind(owner); }
            query.fetch_all(c).await
        })?;
        for snapshot in snapshots {
            if let Ok(i) = accounts.binary_search_by(|a| a.id.cmp(&snapshot.account_id)) {
                accounts[i].snapshots.push(snapshot);
            }
        }
        all.append(&mut accounts);
    }
    Ok(all)
}

/// What became of a reading that was handed in.
#[derive(Debug)]
pub enum Recorded {
    New(Snapshot),
    /// The very same reading was there: the answer to a request sent twice.
    Already(Snapshot),
}

/// Records a reading. The same account, day and window read again supersedes what was read before.
pub async fn record(tx: &mut Tx, now: At, new: NewSnapshot<'_>) -> Result<Recorded> {
    // Two readings of one account queue on its row, so exactly one of them stays the newest.
    let sql = tx.locking("select opened_on from platform_accounts where id = $1");
    let opened_on: String =
        on!(&mut *tx, c => sqlx::query_scalar(sql).bind(new.account).fetch_optional(c).await).or_not_found()?;
    let opened_on = opened_on.parse().map_err(|e| Error::Damaged(format!("account {}: {e}", new.account)))?;
    rules::check_snapshot(&new, opened_on, now.china_date().into())?;

    let sql = sqlx::AssertSqlSafe(format!(
        "select {SNAPSHOT} from growth_snapshots s join users u on u.id = s.entered_by
         where s.account_id = $1 and s.as_of_on = $2 and s.window_days = $3 and s.superseded_by is null"
    ));
    let before: Option<Snapshot> = on!(&mut *tx, c => sqlx::query_as(sql).bind(new.account).bind(new.as_of_on.to_string())
        .bind(new.window_days).fetch_optional(c).await)?;
    if let Some(before) = &before
        && before.figures == new.figures
        && before.evidence_sha256 == new.evidence_sha256
    {
        return Ok(Recorded::Already(before.clone()));
    }
    let f = &new.figures;
    let sql = "insert into growth_snapshots (id, account_id, as_of_on, window_days, followers, views, originals, active_weeks,
            lives, service, column_episodes, adopted_upward, impact_points, evidence_key, evidence_type, evidence_sha256,
            entered_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    on!(&mut *tx, c => sqlx::query(sql).bind(new.id).bind(new.account).bind(new.as_of_on.to_string()).bind(new.window_days)
        .bind(f.followers).bind(f.views).bind(f.originals).bind(f.active_weeks).bind(f.lives).bind(f.service)
        .bind(f.column_episodes).bind(f.adopted_upward).bind(f.impact_points).bind(new.evidence_key).bind(new.evidence_type)
        .bind(new.evidence_sha256).bind(new.entered_by).bind(now).execute(c).await.map(drop))?;
    if let Some(before) = before {
        let sql = "update growth_snapshots set superseded_by = $1 where id = $2 and superseded_by is null";
        on!(&mut *tx, c => sqlx::query(sql).bind(new.id).bind(&before.id).execute(c).await.map(drop))?;
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "select {SNAPSHOT} from growth_snapshots s join users u on u.id = s.entered_by where s.id = $1"
    ));
    Ok(Recorded::New(on!(&mut *tx, c => sqlx::query_as(sql).bind(new.id).fetch_one(c).await)?))
}

/// Where a reading's screenshot lies, and whose account it shows.
#[derive(Debug, sqlx::FromRow)]
pub struct Evidence {
    pub owner_id: UserId,
    pub evidence_key: String,
    pub evidence_type: String,
}

pub async fn evidence(tx: &mut Tx, snapshot: &SnapshotId) -> Result<Evidence> {
    on!(tx, c => sqlx::query_as("select a.owner_id, s.evidence_key, s.evidence_type from growth_snapshots s
        join platform_accounts a on a.id = s.account_id where s.id = $1").bind(snapshot).fetch_optional(c).await)
    .or_not_found()
}
