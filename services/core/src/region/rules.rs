//! Pure decisions about places: the name to show, and whether a merge may be.

use super::Region;
use crate::error::Refusal;
use crate::text::one_line;
use crate::time::Day;

/// How the published names end a committee's name, and what kind of place the committee stands for.
const COMMITTEES: [(&str, &str); 6] = [
    ("村民委员会", "村"),
    ("村民委会", "村"),
    ("村委会", "村"),
    ("居民委员会", "社区"),
    ("居委会", "社区"),
    ("社区委员会", "社区"),
];

/// The name to show for a published one: the place, not its committee, without slips of the pen and without the
/// ancestors' names in front. `罗巷新村村民委委会` is 罗巷新村, `韶山市清溪镇花园村村民委员会会` is 花园村.
pub fn display_name(raw: &str, ancestors: &[&str]) -> String {
    let mut name = raw.trim().replace("委委会", "委会").replace("村季会", "村委会");
    while let Some(shorter) = name.strip_suffix("会会") {
        name = format!("{shorter}会");
    }
    for ancestor in ancestors {
        if let Some(rest) = name.strip_prefix(ancestor)
            && rest.chars().count() > 1
        {
            name = rest.to_owned();
        }
    }
    for (committee, place) in COMMITTEES {
        let Some(base) = name.strip_suffix(committee) else { continue };
        if base.is_empty() {
            break;
        }
        return if base.ends_with('村') || base.ends_with("社区") {
            base.to_owned()
        } else {
            format!("{base}{place}")
        };
    }
    name
}

/// What a person typed, made fit to be looked for: no wildcards, no blanks, no committee.
pub fn clean_query(typed: &str) -> String {
    let plain: String =
        one_line(typed).chars().filter(|c| !matches!(c, '%' | '_' | '\\') && !c.is_whitespace()).take(40).collect();
    display_name(&plain, &[])
}

/// The code at one level (1 to 5) of a path, if the path goes that deep.
pub fn code_at(path: &str, level: usize) -> Option<&str> {
    path.split('/').filter(|code| !code.is_empty()).nth(level.checked_sub(1)?)
}

/// What a merge changes: the old place ends on a day, and its name keeps leading to the successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    pub old: String,
    pub successor: String,
    pub valid_to: Day,
    /// The old names, under which the successor can be found from now on.
    pub aliases: Vec<String>,
}

/// Whether `old` may become part of `successor` on that day.
pub fn merge_allowed(old: &Region, successor: &Region, on: Day) -> Result<Merge, Refusal> {
    let refuse = |message: &str, next: &str| Err(Refusal::new("region_merge", message, next));
    if old.code == successor.code {
        return refuse("一个地方不能并到它自己里。", "换一个并入的地方。");
    }
    if old.level != successor.level {
        return refuse("两个地方不是同一级，不能合并。", "选同一级的地方：村并村，乡镇并乡镇。");
    }
    if !old.is_live() {
        return refuse("这个地方已经并走了。", "看一看它并到了哪里，从那里接着办。");
    }
    if !successor.is_live() {
        return refuse("要并入的地方自己已经并走了。", "选它现在的名字。");
    }
    if old.valid_from.as_deref().is_some_and(|from| from.parse::<Day>().is_ok_and(|from| on < from)) {
        return refuse("合并的日子比这个地方设立还早。", "把日子改对再交。");
    }
    let mut aliases = vec![old.name.clone()];
    aliases.extend(old.raw_name.clone());
    aliases.retain(|name| *name != successor.name);
    Ok(Merge { old: old.code.clone(), successor: successor.code.clone(), valid_to: on, aliases })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_and_not_its_committee() {
        let shaoshan = ["湖南省", "湘潭市", "韶山市", "清溪镇"];
        for (raw, ancestors, shown) in [
            ("罗巷新村村民委委会", &["浏阳市"][..], "罗巷新村"),
            ("韶山市清溪镇花园村村民委员会会", &shaoshan, "花园村"),
            ("韶山市清溪镇韶山冲社区居民委员会会", &shaoshan, "韶山冲社区"),
            ("桂花村季会", &[], "桂花村"),
            ("吉家冲村村委会会", &[], "吉家冲村"),
            ("东屯村委会", &[], "东屯村"),
            ("暮云新村村委会", &[], "暮云新村"),
            ("新兴居委会", &[], "新兴社区"),
            ("大桥居民委员会", &[], "大桥社区"),
            ("科学村社区居委会", &[], "科学村社区"),
            ("排头社区委员会", &[], "排头社区"),
            ("龙归坪社区村民委员会", &[], "龙归坪社区"),
            ("新邵县苗圃生活区", &["邵阳市", "新邵县", "酿溪镇"], "苗圃生活区"),
            // Nothing to clean, and nothing taken that would leave too little.
            ("回龙村", &["洞口县"], "回龙村"),
            ("清溪镇", &["清溪镇"], "清溪镇"),
            ("村委会", &[], "村委会"),
        ] {
            assert_eq!(display_name(raw, ancestors), shown, "{raw}");
        }
    }

    #[test]
    fn what_is_typed_is_cleaned_like_the_names() {
        assert_eq!(clean_query(" 罗巷新村 村民委委会%"), "罗巷新村");
        assert_eq!(clean_query("_%\\"), "");
    }

    #[test]
    fn a_path_names_its_levels() {
        assert_eq!(code_at("43/4307/430723/", 3), Some("430723"));
        assert_eq!(code_at("43/4307/430723/", 4), None);
        assert_eq!(code_at("43/4307/430723/", 0), None);
    }

    fn place(code: &str, level: i64) -> Region {
        Region {
            code: code.into(),
            level,
            parent_code: None,
            name: format!("{code}村"),
            raw_name: None,
            kind: "村".into(),
            path: format!("{code}/"),
            valid_from: Some("2001-01-01".into()),
            valid_to: None,
            successor_code: None,
        }
    }

    #[test]
    fn only_two_living_places_of_one_level_merge() {
        let day: Day = "2026-03-01".parse().unwrap();
        let (old, new) = (place("1", 5), place("2", 5));
        let merge = merge_allowed(&old, &new, day).unwrap();
        assert_eq!((merge.old.as_str(), merge.successor.as_str()), ("1", "2"));
        assert_eq!(merge.aliases, ["1村"]);
        let gone = Region { successor_code: Some("3".into()), valid_to: Some("2020-01-01".into()), ..place("4", 5) };
        assert!(merge_allowed(&old, &old, day).is_err());
        assert!(merge_allowed(&old, &place("3", 4), day).is_err());
        assert!(merge_allowed(&gone, &new, day).is_err());
        assert!(merge_allowed(&old, &gone, day).is_err());
        assert!(merge_allowed(&old, &new, "2000-01-01".parse().unwrap()).is_err());
    }
}
