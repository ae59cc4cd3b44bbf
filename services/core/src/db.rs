//! The one place that knows there are two databases.
//!
//! SQLite (one writer, WAL, `synchronous=FULL`) is the embedded default; PostgreSQL is the same code. SQL text is
//! written once in the part both read alike; [`on!`] expands a statement's binding for both drivers, so each is
//! type-checked, and a real difference is visible as [`Tx::pick`].

use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Postgres, Sqlite, Transaction};

use crate::time::At;

pub use sqlx::Error as DbError;

pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

#[derive(Clone, Debug)]
pub enum Db {
    Sqlite { read: SqlitePool, write: SqlitePool },
    Postgres(PgPool),
}

pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Expands the body once per driver: `on!(tx, c => sqlx::query("...").bind(x).execute(c).await)`.
/// The body's value must be the same type for both, so map `execute` to `rows_affected()` or `drop`.
#[macro_export]
macro_rules! on {
    ($tx:expr, $conn:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Sqlite(t) => {
                let $conn = &mut **t;
                $body
            }
            $crate::db::Tx::Postgres(t) => {
                let $conn = &mut **t;
                $body
            }
        }
    };
}

impl Db {
    /// Connects to a database that is there, without touching the schema. `sqlite:path` or `postgres://...`.
    pub async fn connect(url: &str) -> sqlx::Result<Db> {
        Self::connect_with(url, false).await
    }

    /// The same, and makes the file of an SQLite database that is not there.
    pub async fn connect_or_create(url: &str) -> sqlx::Result<Db> {
        Self::connect_with(url, true).await
    }

    async fn connect_with(url: &str, create: bool) -> sqlx::Result<Db> {
        if url.starts_with("postgres") {
            let pool = PgPoolOptions::new()
                .max_connections(16)
                .acquire_timeout(Duration::from_secs(10))
                .after_connect(|conn, _| {
                    Box::pin(async move {
                        let level: String = sqlx::query_scalar("show synchronous_commit").fetch_one(conn).await?;
                        // An answer of "off" would make every acknowledgement a guess.
                        if level == "off" {
                            Err(sqlx::Error::Configuration("synchronous_commit is off".into()))
                        } else {
                            Ok(())
                        }
                    })
                })
                .connect(url)
                .await?;
            return Ok(Db::Postgres(pool));
        }
        let options = url
            .parse::<SqliteConnectOptions>()?
            .create_if_missing(create)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let write = sqlite_pool()
            .max_connections(1)
            .after_connect(|conn, _| {
                Box::pin(async move {
                    let level: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(conn).await?;
                    if level < 2 { Err(sqlx::Error::Configuration("synchronous is below FULL".into())) } else { Ok(()) }
                })
            })
            .connect_with(options.clone())
            .await?;
        let read = sqlite_pool().max_connections(4).connect_with(options.read_only(true)).await?;
        Ok(Db::Sqlite { read, write })
    }

    /// Connects and brings the schema up to date.
    pub async fn open(url: &str) -> sqlx::Result<Db> {
        Self::open_with(url, &MIGRATIONS).await
    }

    /// The same for another schema than the domain's: the embedded store keeps its index like this.
    pub async fn open_with(url: &str, migrations: &sqlx::migrate::Migrator) -> sqlx::Result<Db> {
        let db = Self::connect_or_create(url).await?;
        db.run(migrations).await?;
        Ok(db)
    }

    pub async fn migrate(&self) -> sqlx::Result<()> {
        self.run(&MIGRATIONS).await
    }

    async fn run(&self, migrations: &sqlx::migrate::Migrator) -> sqlx::Result<()> {
        match self {
            Db::Sqlite { write, .. } => migrations.run(write).await?,
            Db::Postgres(pool) => migrations.run(pool).await?,
        }
        Ok(())
    }

    /// A transaction that may write. On SQLite it takes the one writer at once, so it cannot fail half-way for a lock.
    pub async fn write(&self) -> sqlx::Result<Tx> {
        Ok(match self {
            Db::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("begin immediate").await?),
            Db::Postgres(pool) => {
                let pool = pool.clone();
                Tx::Postgres(begun(async move { pool.begin().await }).await?)
            }
        })
    }

    /// A transaction that only reads, and sees one moment.
    pub async fn read(&self) -> sqlx::Result<Tx> {
        Ok(match self {
            Db::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Db::Postgres(pool) => {
                let (pool, begin) = (pool.clone(), "begin isolation level repeatable read read only");
                Tx::Postgres(begun(async move { pool.begin_with(begin).await }).await?)
            }
        })
    }

    /// For people.
    pub fn kind(&self) -> &'static str {
        match self {
            Db::Sqlite { .. } => "SQLite",
            Db::Postgres(_) => "PostgreSQL",
        }
    }

    pub async fn close(&self) {
        match self {
            Db::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Db::Postgres(pool) => pool.close().await,
        }
    }
}

/// Full disks and failing ones make SQLite end a transaction by itself. sqlx (0.9) does not hear of it, takes the connection
/// for one inside a transaction from then on, and refuses every `begin`: without this, no write would ever work again.
/// What a transaction's end left to do is done by the time this looks, because the pool has pinged the connection.
fn sqlite_pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .test_before_acquire(true)
        .before_acquire(|conn, _| Box::pin(async move { Ok(!conn.is_in_transaction()) }))
}

/// Goes on though nobody waits for it any more, as when a client hangs up. sqlx (0.9) forgets a `begin` whose future is
/// dropped before its answer came: the connection would go back to the pool inside a transaction, perhaps one that may
/// only read, and fail whoever gets it next.
async fn begun<T: Send + 'static>(begin: impl Future<Output = sqlx::Result<T>> + Send + 'static) -> sqlx::Result<T> {
    tokio::spawn(begin).await.unwrap_or(Err(sqlx::Error::PoolClosed))
}

impl Tx {
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Tx::Sqlite(t) => t.commit().await,
            Tx::Postgres(t) => t.commit().await,
        }
    }

    /// The text for this database, where the two really differ.
    pub fn pick<'a>(&self, sqlite: &'a str, postgres: &'a str) -> &'a str {
        match self {
            Tx::Sqlite(_) => sqlite,
            Tx::Postgres(_) => postgres,
        }
    }

    /// A select whose rows are this transaction's until it ends. SQLite has one writer anyway. On PostgreSQL it is the
    /// weaker of the two locks: others may still insert rows that refer to these, so nobody waits in a circle.
    pub fn locking(&self, select: &str) -> sqlx::AssertSqlSafe<String> {
        sqlx::AssertSqlSafe(format!("{select}{}", self.pick("", " for no key update")))
    }

    /// The database's clock: leases are granted and judged by one clock however many machines there are.
    pub async fn clock(&mut self) -> sqlx::Result<At> {
        let sql = self.pick(
            "select cast(unixepoch('subsec') * 1000 as integer)",
            "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        );
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        on!(self, c => sqlx::query_scalar(sql).fetch_one(c).await)
    }
}

/// `$4, $5, $6`: the marks of a list of values, for the one thing portable SQL has no parameter for.
pub(crate) fn marks(first: usize, n: usize) -> String {
    (first..first + n).map(|i| format!("${i}")).collect::<Vec<_>>().join(", ")
}

/// Whether this failure is a second row where only one may be. SQLite names columns and PostgreSQL the constraint,
/// so the call that can cause it decides what it means.
pub fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation())
}

/// Whether the disk of the database is full: SQLITE_FULL (13), PostgreSQL's disk_full (53100).
pub fn is_full(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "13" || code == "53100")
}

/// Whether the database cannot be reached or cannot work at the moment, as against what it says about a statement.
pub fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(e) => matches!(e.kind(), sqlx::error::ErrorKind::Other),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Configuration(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Whether there is no such database (SQLITE_CANTOPEN, PostgreSQL's invalid_catalog_name), or none of our tables in it.
pub fn is_unbuilt(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    error.code().is_some_and(|code| code == "14" || code == "3D000" || code == "42P01")
        || error.message().starts_with("no such table")
}

/// One story, two databases: each `both_databases!` test expands to `name::sqlite` and `name::postgres`.
/// PostgreSQL runs where `TEST_POSTGRES_URL` names a server; with `CI` set, its absence is a failure, not a skip.
#[macro_export]
macro_rules! both_databases {
    ($($name:ident($db:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            async fn story($db: $crate::db::Db) $body
            #[tokio::test]
            async fn sqlite() {
                let folder = $crate::db::testing::folder();
                story($crate::db::testing::sqlite(folder.path()).await).await;
            }
            #[tokio::test]
            async fn postgres() {
                let Some(temporary) = $crate::db::testing::TemporaryPostgres::create().await else { return };
                story(temporary.db().await).await;
                temporary.drop().await;
            }
        }
    )*};
}

/// Fresh databases for tests of this and the other crates.
pub mod testing {
    use super::*;

    pub fn folder() -> TempFolder {
        let path = std::env::temp_dir().join(format!("weijia-test-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        TempFolder(path)
    }

    /// Deleted when dropped.
    pub struct TempFolder(std::path::PathBuf);
    impl TempFolder {
        pub fn path(&self) -> &std::path::Path {
            &self.0
        }
    }
    impl Drop for TempFolder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    pub async fn sqlite(folder: &std::path::Path) -> Db {
        Db::open(&format!("sqlite:{}", folder.join("weijia.db").display())).await.expect("a fresh SQLite database")
    }

    /// SQLite, or PostgreSQL where there is a cluster to store in (`TEST_S3_ENDPOINT`): what goes together in use goes
    /// together in tests.
    pub async fn database(folder: &std::path::Path) -> Db {
        if std::env::var_os("TEST_S3_ENDPOINT").is_none() {
            return sqlite(folder).await;
        }
        // Its server is gone when the tests are over, and this with it.
        TemporaryPostgres::create().await.expect("TEST_POSTGRES_URL goes with TEST_S3_ENDPOINT").db().await
    }

    /// A database of its own on the server that `TEST_POSTGRES_URL` names.
    pub struct TemporaryPostgres {
        server: String,
        name: String,
    }

    impl TemporaryPostgres {
        pub async fn create() -> Option<Self> {
            let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
                assert!(std::env::var_os("CI").is_none(), "CI must set TEST_POSTGRES_URL");
                return None;
            };
            let name = format!("t{}", uuid::Uuid::now_v7().simple());
            let temporary = Self { server, name };
            temporary.admin(format!("create database {}", temporary.name)).await;
            Some(temporary)
        }

        pub fn url(&self) -> String {
            format!("{}/{}", self.server, self.name)
        }

        pub async fn db(&self) -> Db {
            Db::open(&self.url()).await.expect("a fresh PostgreSQL database")
        }

        pub async fn drop(self) {
            self.admin(format!("drop database {} with (force)", self.name)).await;
        }

        async fn admin(&self, sql: String) {
            let pool = PgPool::connect(&format!("{}/postgres", self.server)).await.expect("the PostgreSQL server");
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.expect("an administrative statement");
            pool.close().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    both_databases! {
        the_database_tells_the_time(db) {
            let mut tx = db.read().await.unwrap();
            let there = tx.clock().await.unwrap();
            assert!((At::now() - there).0.abs() < 60_000, "{there:?}");
        }

        a_database_without_our_tables_is_told_from_a_fault(db) {
            let mut tx = db.write().await.unwrap();
            let none = on!(&mut tx, c => sqlx::query("select count(*) from no_such_table").execute(c).await.map(drop));
            assert!(is_unbuilt(&none.unwrap_err()));
            drop(tx);
            let folder = testing::folder();
            let url = format!("sqlite:{}", folder.path().join("none.db").display());
            assert!(is_unbuilt(&Db::connect(&url).await.unwrap_err()));
            assert!(!folder.path().join("none.db").exists(), "who only looks makes no database");
        }

        a_begin_that_nobody_waits_for_leaves_nothing_behind(db) {
            for n in 0..60 {
                let mut begin = Box::pin(db.read());
                // Given up at any of the moments at which it waits: a single thread looks at its sockets only now and then.
                for _ in 0..n * 33 {
                    if futures_util::poll!(&mut begin).is_ready() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                drop(begin);
                // Whichever connection comes next, it may write.
                for _ in 0..3 {
                    let mut tx = db.write().await.unwrap();
                    let touch = "update clips set updated_at = 0 where id = 'none'";
                    on!(&mut tx, c => sqlx::query(touch).execute(c).await.map(drop)).unwrap_or_else(|e| panic!("{n}: {e}"));
                    tx.commit().await.unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            }
        }

        a_transaction_that_the_database_ended_by_itself_leaves_a_database_that_works(db) {
            for _ in 0..3 {
                let mut tx = db.write().await.unwrap();
                on!(&mut tx, c => sqlx::query("rollback").execute(c).await.map(drop)).unwrap();
                drop(tx);
                let mut tx = db.write().await.unwrap();
                on!(&mut tx, c => sqlx::query("rollback").execute(c).await.map(drop)).unwrap();
                let _ = tx.commit().await;
                db.write().await.unwrap().commit().await.unwrap();
            }
        }

        a_bad_state_is_refused_by_the_schema(db) {
            let mut tx = db.write().await.unwrap();
            let bad = on!(&mut tx, c => sqlx::query("insert into regions (code, level, name, kind, path) values ('43', 9, 'x', 'admin', '43/')")
                .execute(c).await.map(drop));
            assert!(bad.unwrap_err().as_database_error().unwrap().is_check_violation());
        }
    }
}
