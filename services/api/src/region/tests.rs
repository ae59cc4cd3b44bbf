use weijia_core::region;

use crate::testing::School;

#[tokio::test]
async fn places_come_with_their_whole_path() {
    let school = School::open().await;
    let her = school.room.trainee.clone();
    let all = school.get(&her, "/regions").await.ok(200);
    assert_eq!(all["regions"][0]["code"], "43");
    let towns = school.get(&her, "/regions?parent=433130").await.ok(200);
    assert_eq!(towns["regions"][0]["path_names"].as_array().unwrap().len(), 4);
    assert_eq!(towns["regions"][0]["parent_code"], "433130");

    let mut tx = school.db.write().await.unwrap();
    region::import(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let found = school.get(&her, "/regions?q=%E5%9B%9E%E9%BE%99%E6%9D%91").await.ok(200);
    let rows = found["regions"].as_array().unwrap();
    assert!(rows.len() >= 12 && rows.iter().all(|r| r["path_names"].as_array().unwrap().len() >= 4));
    let below = school.get(&her, "/regions?parent=4305&q=%E5%9B%9E%E9%BE%99%E6%9D%91").await.ok(200);
    assert!(below["regions"].as_array().unwrap().iter().all(|r| r["code"].as_str().unwrap().starts_with("4305")));
    assert_eq!(school.get(&her, "/regions?parent=99").await.code(404), "not_found");
    assert_eq!(school.ask(None, axum::http::Method::GET, "/api/v1/regions", None).await.code(401), "signed_out");
}
