use super::*;
use crate::{both_databases, on};

both_databases! {
    all_of_hunan_comes_in_once_and_quickly(db) {
        let mut tx = db.write().await.unwrap();
        let start = std::time::Instant::now();
        assert_eq!(import(&mut tx).await.unwrap(), 31_691);
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
        assert_eq!(import(&mut tx).await.unwrap(), 0);
        // Even when the list is read again, what exists stays.
        on!(&mut tx, c => sqlx::query("delete from installation").execute(c).await.map(drop)).unwrap();
        assert_eq!(import(&mut tx).await.unwrap(), 0);
        let levels: Vec<(i64, i64)> =
            on!(&mut tx, c => sqlx::query_as("select level, count(*) from regions group by level order by level").fetch_all(c).await).unwrap();
        assert_eq!(levels, [(1, 1), (2, 14), (3, 134), (4, 2008), (5, 29_534)]);
        tx.commit().await.unwrap();

        let mut tx = db.read().await.unwrap();
        let dirty = get(&mut tx, "430182105221").await.unwrap();
        assert_eq!(dirty.name, "罗巷新村");
        assert_eq!(dirty.raw_name.as_deref(), Some("罗巷新村村民委委会"));
        assert_eq!(path_names(&mut tx, &dirty.path).await.unwrap()[..3], ["湖南省", "长沙市", "宁乡市"]);
        assert_eq!(reference(&mut tx, "4307").await.unwrap().path_names, ["湖南省", "常德市"]);
        assert!(matches!(get(&mut tx, "99").await, Err(crate::Error::NotFound)));

        assert_eq!(children(&mut tx, None).await.unwrap().len(), 1);
        assert_eq!(children(&mut tx, Some("43")).await.unwrap().len(), 14);

        // A name that recurs is answered with places that can be told apart.
        let found = search(&mut tx, "回龙村", None, 50).await.unwrap();
        let exact: Vec<_> = found.iter().filter(|r| r.name == "回龙村").collect();
        assert!(exact.len() >= 12, "{}", exact.len());
        assert_eq!(found[0].name, "回龙村");
        let names = names(&mut tx, found.iter().map(|r| r.path.as_str())).await.unwrap();
        let mut paths: Vec<_> = exact.iter().map(|r| names.path(&r.path)).collect();
        assert!(paths.iter().all(|p| p.len() == 5));
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), exact.len());
        // Under one county there are fewer; and the published name finds the place too.
        let county = get(&mut tx, super::code_at(&exact[0].path, COUNTY).unwrap()).await.unwrap();
        assert!(search(&mut tx, "回龙村", Some(&county), 50).await.unwrap().len() < found.len());
        assert_eq!(search(&mut tx, "罗巷新村村民委委会", None, 5).await.unwrap()[0].code, "430182105221");
        assert!(search(&mut tx, "%", None, 5).await.unwrap().is_empty());
    }

    a_merged_village_leads_to_its_successor(db) {
        let mut tx = db.write().await.unwrap();
        import(&mut tx).await.unwrap();
        let villages = search(&mut tx, "回龙村", None, 3).await.unwrap();
        let (a, b, z) = (&villages[0].code, &villages[1].code, "430182105221");
        let day = "2026-03-01".parse().unwrap();
        merge(&mut tx, z, a, day).await.unwrap();
        merge(&mut tx, a, b, "2026-09-01".parse().unwrap()).await.unwrap();

        let old = get(&mut tx, z).await.unwrap();
        assert_eq!((old.valid_to.as_deref(), old.name.as_str()), (Some("2026-03-01"), "罗巷新村"));
        assert_eq!(current(&mut tx, z).await.unwrap().code, *b);
        assert_eq!(current(&mut tx, b).await.unwrap().code, *b);
        // The former name now finds the successor's successor, and the old place is not offered any more.
        let found = search(&mut tx, "罗巷新村", None, 5).await.unwrap();
        assert_eq!(found.iter().map(|r| r.code.as_str()).collect::<Vec<_>>(), [b.as_str()]);
        assert!(!children(&mut tx, old.parent_code.as_deref()).await.unwrap().iter().any(|r| r.code == z));
        // Nothing merges twice, or back into what is gone.
        assert!(merge(&mut tx, z, b, day).await.is_err());
        assert!(merge(&mut tx, b, a, day).await.is_err());
    }
}
