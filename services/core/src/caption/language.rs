use std::fmt;
use std::str::FromStr;

/// A language as BCP 47 writes it, as far as captions need it: `zh`, `en`, `zh-Hant`; `und` where nobody said.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    sqlx::Type,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[sqlx(transparent)]
#[serde(try_from = "String")]
#[schema(value_type = String)]
pub struct Language(String);

#[derive(Debug, thiserror::Error)]
#[error("not a language")]
pub struct NotALanguage;

/// Containers name languages in three letters (ISO 639-2, some in two ways), BCP 47 in two where there are two.
const SHORT: [(&str, &str); 22] = [
    ("chi", "zh"),
    ("zho", "zh"),
    ("eng", "en"),
    ("jpn", "ja"),
    ("kor", "ko"),
    ("fra", "fr"),
    ("fre", "fr"),
    ("deu", "de"),
    ("ger", "de"),
    ("spa", "es"),
    ("por", "pt"),
    ("ita", "it"),
    ("rus", "ru"),
    ("ara", "ar"),
    ("vie", "vi"),
    ("tha", "th"),
    ("bod", "bo"),
    ("tib", "bo"),
    ("uig", "ug"),
    ("mon", "mn"),
    ("zha", "za"),
    ("iii", "ii"),
];

impl Language {
    pub fn unknown() -> Language {
        Language("und".into())
    }

    /// Of a track, as its container says it.
    pub fn of_track(said: Option<&str>) -> Language {
        let said = said.unwrap_or_default();
        let short = SHORT.iter().find(|(long, _)| long.eq_ignore_ascii_case(said)).map_or(said, |(_, short)| short);
        short.parse().unwrap_or_else(|_| Language::unknown())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Language {
    type Err = NotALanguage;
    fn from_str(text: &str) -> Result<Self, NotALanguage> {
        let (first, rest) = text.split_once('-').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let known = (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
        let subtag = |tag: &str| (2..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric());
        let whole = text.len() <= 16 && rest.is_none_or(|rest| rest.split('-').all(subtag));
        let language = rest.map_or(first.to_ascii_lowercase(), |rest| format!("{}-{rest}", first.to_ascii_lowercase()));
        (known && whole).then_some(Language(language)).ok_or(NotALanguage)
    }
}

impl TryFrom<String> for Language {
    type Error = NotALanguage;
    fn try_from(text: String) -> Result<Self, NotALanguage> {
        text.parse()
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_says_its_language_in_its_own_way() {
        for (said, is) in [
            (Some("chi"), "zh"),
            (Some("ZHO"), "zh"),
            (Some("eng"), "en"),
            (Some("zh-Hant"), "zh-Hant"),
            (Some("EN"), "en"),
            (Some("hmn"), "hmn"),
            (Some("und"), "und"),
            (Some(""), "und"),
            (Some("中文"), "und"),
            (Some("\"><x"), "und"),
            (None, "und"),
        ] {
            assert_eq!(Language::of_track(said).as_str(), is, "{said:?}");
        }
    }

    #[test]
    fn only_a_language_is_one() {
        for odd in
            ["", "z", "chin", "zh-", "zh--x", "zh-h", "zh_CN", "../zh", "zh-123456789", "zh-aa-bb-cc-dd-ee", "z1"]
        {
            assert!(odd.parse::<Language>().is_err(), "{odd}");
        }
        assert!(serde_json::from_str::<Language>("\"zh/..\"").is_err());
    }
}
