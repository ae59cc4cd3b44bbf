use super::*;

fn lines(text: &str) -> Vec<Result<Line, Wrong>> {
    read(text.as_bytes()).unwrap()
}
fn good(text: &str) -> Line {
    lines(text).remove(0).unwrap()
}
fn why(text: &str) -> String {
    lines(text).remove(0).unwrap_err().why
}

#[test]
fn columns_are_found_whatever_they_are_called_and_wherever_they_stand() {
    let expected = Line {
        row: 4,
        name: "向春梅".into(),
        phone: "13800000001".parse().unwrap(),
        place: vec!["龙山县".into(), "里耶镇".into(), "捞车村".into()],
        group_no: Some(3),
    };
    assert_eq!(
        good(
            "第49期学员名单,,,,,,\n,,,,,,\n序号,学员 姓名*,联系电话（必填）,县（市、区）,乡镇,村（社区）,小组\n1,向春梅,138-0000-0001,龙山县,里耶镇,捞车村,第三组\n"
        ),
        expected
    );
    assert_eq!(
        good("手机号码,组别,名字\n+86 138 0000 0001,12,覃 桂\n"),
        Line {
            row: 2, name: "覃桂".into(), phone: "13800000001".parse().unwrap(), place: vec![], group_no: Some(12)
        }
    );
    assert_eq!(read("姓名,村\n向春梅,捞车村\n".as_bytes()).unwrap_err().code, "roster_no_columns");
}

#[test]
fn each_mistake_is_named_and_keeps_nobody_else_out() {
    let all = lines(
        "姓名,手机号,组\n向春梅,13800000001,\n,13800000002,\n覃桂花,,\n田玉,1.38E+10,\n石秀,1380000000,\n龙英,13800000001,\n彭梅,13800000003,二十\n杨花,１３８０００００００４,头一组\n",
    );
    let said: Vec<(usize, String)> =
        all.iter().filter_map(|l| l.as_ref().err().map(|w| (w.row, w.why.clone()))).collect();
    assert_eq!(said.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 9]);
    let words = ["没写姓名", "没写手机号", "设成文本", "11 位", "第 2 行一样", "小组没看懂"];
    assert!(said.iter().zip(words).all(|((_, why), word)| why.contains(word)), "{said:?}");
    let good: Vec<(&str, Option<i64>)> = all.iter().flatten().map(|l| (l.name.as_str(), l.group_no)).collect();
    assert_eq!(good, [("向春梅", None), ("彭梅", Some(20))]);
    assert!(why("姓名,手机号\n向春梅,23800000001\n").contains("11 位"));
}

#[test]
fn groups_are_counted_in_figures_and_in_words() {
    for (text, n) in
        [("1", 1), ("3组", 3), ("第12小组", 12), ("十", 10), ("第十一组", 11), ("九十九组", 99), ("二十组", 20)]
    {
        assert_eq!(group(text), Some(n), "{text}");
    }
    for text in ["0", "100", "一百", "百", "甲组", "三三", "十十", "-1"] {
        assert_eq!(group(text), None, "{text}");
    }
}
