//! A film in very many very small requests: each costs about the same, however many came before it.

use std::time::Instant;

use crate::support::{App, MIB, film, sha256, upload_offset};

#[tokio::test]
async fn small_requests_stay_cheap_and_their_pieces_few() {
    let app = App::start().await;
    let she = app.trainee("13800000001").await;
    for size in [2, 1024] {
        let (upload, film) = (she.create(9 * MIB).await, film(9 * MIB));
        let (began, read) = (Instant::now(), app.s3.calls("GetObject"));
        for at in (0..500 * size).step_by(size) {
            let answer = she.patch(&upload, at, film[at..at + size].to_vec()).await;
            assert_eq!((answer.status().as_u16(), upload_offset(&answer)), (204, at + size));
        }
        let pieces = app.count("select count(*) from upload_tails").await;
        let read = app.s3.calls("GetObject") - read;
        println!("{size} bytes: {:?} each, {pieces} pieces, {read} read back", began.elapsed() / 500);
        assert!(pieces <= 40, "{pieces} pieces");
        assert!(read <= 5000, "{read} pieces read back");
        assert_eq!(she.patch(&upload, 500 * size, film[500 * size..].to_vec()).await.status(), 204);
        assert_eq!(app.count("select count(*) from upload_tails").await, 0);
        let mut tx = app.db.read().await.unwrap();
        let newest = "select key from uploads order by created_at desc, id desc limit 1";
        let key: String = weijia_core::on!(&mut tx, c => sqlx::query_scalar(newest).fetch_one(c).await).unwrap();
        drop(tx);
        assert_eq!(sha256(&app.s3.get(&key).await), sha256(&film), "{size}");
    }
}
