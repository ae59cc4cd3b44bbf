use weijia_core::db::testing;
use weijia_core::ids::UserId;

use super::*;

async fn leased(db: &Db) -> Lease {
    let mut tx = db.write().await.unwrap();
    job::enqueue(&mut tx, At(1), JobKind::Prepare, "subject", &UserId::new()).await.unwrap();
    let lease = job::testing::claim(&mut tx, "here", LEASE).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    lease
}

async fn ended(db: &Db, lease: &Lease, trouble: &Trouble, stopping: bool) -> Result<()> {
    let mut tx = db.write().await?;
    settle(&mut tx, lease, trouble, stopping).await?;
    Ok(tx.commit().await?)
}

/// Whether somebody can begin at once.
async fn waits(db: &Db) -> bool {
    job::is_due(&mut db.read().await.unwrap(), job::Lane::First).await.unwrap()
}

#[tokio::test]
async fn a_renewal_that_hangs_does_not_keep_the_job() {
    let folder = testing::folder();
    let db = testing::sqlite(folder.path()).await;
    let lease = leased(&db).await;
    // Somebody holds the one writer and never lets go.
    let held = db.write().await.unwrap();
    let interrupted = CancellationToken::new();
    tokio::spawn(keep(db.clone(), lease, Millis(600), interrupted.clone()));
    let in_time = tokio::time::timeout(Duration::from_secs(5), interrupted.cancelled()).await;
    drop(held);
    assert!(in_time.is_ok(), "another worker may have the job by now");
}

#[tokio::test]
async fn a_lease_is_kept_as_long_as_it_is_renewed() {
    let folder = testing::folder();
    let db = testing::sqlite(folder.path()).await;
    let lease = leased(&db).await;
    let interrupted = CancellationToken::new();
    let renewal = tokio::spawn(keep(db.clone(), lease.clone(), Millis(900), interrupted.clone()));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!interrupted.is_cancelled() && !waits(&db).await, "renewed by a third of it each");
    ended(&db, &lease, &Trouble::Outside("x".into()), false).await.unwrap();
    tokio::time::timeout(Duration::from_secs(2), interrupted.cancelled()).await.expect("the lease is lost");
    let _ = renewal.await;
}

#[tokio::test]
async fn what_is_wrong_outside_is_no_fault_of_the_clip() {
    let away = StorageError::Transient("connection refused".into());
    for error in [away.clone(), StorageError::Full("x".into()), StorageError::Refused("AccessDenied".into())] {
        assert!(matches!(Trouble::from(error.clone()), Trouble::Outside(_)), "{error}");
    }
    for error in [StorageError::NotFound, StorageError::Damaged("x".into())] {
        assert!(matches!(Trouble::from(error.clone()), Trouble::Passing(_)), "{error}");
    }
    assert!(matches!(Trouble::from(Error::from(away)), Trouble::Outside(_)));
    assert!(matches!(Trouble::from(Error::Damaged("x".into())), Trouble::Passing(_)));
    let folder = testing::folder();
    let db = testing::sqlite(folder.path()).await;
    db.close().await;
    let Err(error) = db.write().await else { panic!("a transaction on a closed database") };
    assert!(matches!(Trouble::from(Error::from(error)), Trouble::Outside(_)));
}

#[tokio::test]
async fn each_end_is_settled_in_its_way() {
    let folder = testing::folder();
    let db = testing::sqlite(folder.path()).await;
    let lease = leased(&db).await;
    ended(&db, &lease, &Trouble::Interrupted, true).await.unwrap();
    assert!(waits(&db).await, "handed back at once");
    let lost = ended(&db, &lease, &Trouble::Interrupted, false).await;
    assert!(matches!(lost, Err(Error::Conflict(_))), "whoever lost it says so and changes nothing");
    let lease = leased(&db).await;
    assert_eq!(lease.attempt, 2);
    ended(&db, &lease, &Trouble::Outside("the store is away".into()), false).await.unwrap();
    assert!(!waits(&db).await, "in two seconds");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let lease = leased(&db).await;
    ended(&db, &lease, &Trouble::Child("signal 11".into()), false).await.unwrap();
    assert!(!waits(&db).await);
}

#[test]
fn the_clip_of_a_killed_worker_is_gone_on_with_within_75_seconds() {
    // Its lease as if it had been renewed in its last moment, the look that finds it lost, the pause, and another look.
    let (lease, pause) = (Duration::from_millis(LEASE.0 as u64), Duration::from_millis(job::AFTER_A_LOSS.0 as u64));
    let at_most = lease + IDLE + pause + IDLE;
    assert!(at_most < Duration::from_secs(75), "{at_most:?}");
}
