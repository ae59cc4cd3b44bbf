use axum::http::{Extensions, HeaderMap, Method};
use weijia_core::time::{At, Millis};

use super::limit::PerAddress;
use crate::address::address;
use crate::testing::School;

#[tokio::test]
async fn an_unknown_number_says_so_and_trying_is_bounded() {
    let school = School::open().await;
    let mut codes = Vec::new();
    for n in 0..125 {
        let path = format!("/api/v1/certificates/WJ-4331-2026-{n:07}-K");
        let answer = school.ask(None, Method::GET, &path, None).await;
        codes.push(answer.status.as_u16());
        if n == 0 {
            assert_eq!(answer.code(404), "certificate_unknown");
        }
    }
    assert!(codes[..120].iter().all(|c| *c == 404));
    assert!(codes[120..].iter().all(|c| *c == 429));
}

#[test]
fn each_address_has_its_own_minute() {
    let limit = PerAddress::default();
    let (a, b) = ("10.0.0.1".parse().ok(), "10.0.0.2".parse().ok());
    assert!((0..120).all(|_| limit.allows(a, At(0))));
    assert!(!limit.allows(a, At(1)));
    assert!(limit.allows(b, At(1)));
    assert!(limit.allows(a, At(0) + Millis::minutes(1)));
}

#[test]
fn a_header_is_believed_only_behind_our_proxy() {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", "1.1.1.1, 10.0.0.9".parse().unwrap());
    assert_eq!(address(&Extensions::new(), &headers, true), "10.0.0.9".parse().ok());
    assert_eq!(address(&Extensions::new(), &headers, false), None);
}
