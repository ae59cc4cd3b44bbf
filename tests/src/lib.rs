//! The whole system from outside: the real programs, started as an operator starts them, used as people use them.
//!
//! A test starts a [`TestServer`], signs a [`User`] in and lets her act: `upload`, `submit`, `claim`, `answer`. Nothing
//! here reaches into the server but [`TestServer::count`], which reads its database to see that nothing was doubled.

pub mod browser;
pub mod cluster;
pub mod faults;
pub mod fsck;
pub mod media;
pub mod server;
pub mod tus;
pub mod user;

use std::time::Duration;

pub use cluster::Cluster;
pub use server::{Database, TestServer};
pub use user::User;

/// Asks until the answer comes, or fails saying what was waited for and what was seen last.
pub async fn until<T, F, Fut>(what: &str, patience: Duration, mut ask: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, String>>,
{
    let began = std::time::Instant::now();
    loop {
        match ask().await {
            Ok(value) => return value,
            Err(seen) if began.elapsed() > patience => panic!("waited {patience:?} for {what}; last seen: {seen}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}
