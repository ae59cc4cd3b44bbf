//! Walking the index in the order of keys, a page at a time, and folding what lies behind a delimiter.

use s3s::dto::EncodingType;
use s3s::{S3Error, s3_error};
use weijia_core::db::Tx;

use crate::errors::Result;
use crate::index::{self, Object, Upload};

/// The most that one page holds, and what it holds unless asked.
const PAGE: i32 = 1000;

pub fn page_size(asked: Option<i32>) -> Result<i32, S3Error> {
    match asked {
        Some(n) if n < 0 => Err(s3_error!(InvalidArgument, "a page cannot have {n} entries")),
        asked => Ok(asked.unwrap_or(PAGE).min(PAGE)),
    }
}

/// Where a page begins: behind this key, or behind this upload of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    key: String,
    /// Behind which of the key's uploads, whose ids are hexadecimal: none of them, this one, or all.
    id: String,
}

const NONE: &str = "";
const ALL: &str = "~";

impl Start {
    pub fn at(key: &str) -> Start {
        Start { key: key.to_owned(), id: NONE.to_owned() }
    }

    pub fn behind(key: &str) -> Start {
        Start { key: key.to_owned(), id: ALL.to_owned() }
    }

    pub fn behind_upload(key: &str, id: &str) -> Start {
        Start { key: key.to_owned(), id: id.to_owned() }
    }

    /// Behind everything that begins with this prefix; nowhere, when there can be nothing behind it.
    fn behind_all(prefix: &str) -> Option<Start> {
        after_prefix(prefix).map(|key| Start::at(&key))
    }

    /// Opaque to clients.
    pub fn token(&self) -> String {
        let sign = if self.id == NONE { '=' } else { '>' };
        data_encoding::BASE64URL_NOPAD.encode(format!("{sign}{}", self.key).as_bytes())
    }

    pub fn read(token: &str) -> Result<Start, S3Error> {
        let bytes = data_encoding::BASE64URL_NOPAD.decode(token.as_bytes()).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        if let Some(key) = text.strip_prefix('=') {
            Ok(Start::at(key))
        } else if let Some(key) = text.strip_prefix('>') {
            Ok(Start::behind(key))
        } else {
            Err(s3_error!(InvalidArgument, "The continuation token provided is incorrect"))
        }
    }
}

/// The smallest text that sorts behind everything with this prefix. UTF-8 sorts like its code points, so the last one
/// that can be raised is.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// A row that is listed by its key.
pub trait Keyed: Sized {
    async fn from(tx: &mut Tx, bucket: &str, start: &Start, limit: i64) -> Result<Vec<Self>>;
    fn key(&self) -> &str;
    /// Where a list goes on behind this row.
    fn behind(&self) -> Start;
}

impl Keyed for Object {
    async fn from(tx: &mut Tx, bucket: &str, start: &Start, limit: i64) -> Result<Vec<Object>> {
        index::objects_from(tx, bucket, &start.key, start.id == NONE, limit).await
    }
    fn key(&self) -> &str {
        &self.key
    }
    fn behind(&self) -> Start {
        Start::behind(&self.key)
    }
}

impl Keyed for Upload {
    async fn from(tx: &mut Tx, bucket: &str, start: &Start, limit: i64) -> Result<Vec<Upload>> {
        index::uploads_after(tx, bucket, &start.key, &start.id, limit).await
    }
    fn key(&self) -> &str {
        &self.key
    }
    fn behind(&self) -> Start {
        Start::behind_upload(&self.key, &self.id)
    }
}

pub enum Entry<R> {
    Row(R),
    /// Everything between the prefix and the next delimiter, as one.
    Common(String),
}

pub struct Listed<R> {
    pub entries: Vec<Entry<R>>,
    /// Where the next page begins, if there is more.
    pub next: Option<Start>,
}

/// The common prefix that a key falls under.
fn common<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|d| !d.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    rest.find(delimiter).map(|at| &key[..prefix.len() + at + delimiter.len()])
}

/// Walks the index from a key on, and jumps over what falls under a common prefix.
pub async fn walk<R: Keyed>(
    tx: &mut Tx,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<Start>,
    max: usize,
) -> Result<Listed<R>> {
    let mut listed = Listed { entries: Vec::new(), next: None };
    let mut from = after.filter(|after| after.key.as_str() >= prefix).unwrap_or_else(|| Start::at(prefix));
    // A page that ended on a common prefix goes on behind all of it.
    if from.id == ALL && common(&from.key, prefix, delimiter) == Some(from.key.as_str()) {
        match Start::behind_all(&from.key) {
            Some(behind) => from = behind,
            None => return Ok(listed),
        }
    }
    if max == 0 {
        return Ok(listed);
    }
    'walk: loop {
        let wanted = max - listed.entries.len() + 1;
        let rows = R::from(tx, bucket, &from, wanted as i64).await?;
        let last = rows.len() < wanted;
        for row in rows {
            if !row.key().starts_with(prefix) {
                return Ok(listed);
            }
            if listed.entries.len() == max {
                listed.next = Some(from);
                return Ok(listed);
            }
            if let Some(common) = common(row.key(), prefix, delimiter) {
                listed.entries.push(Entry::Common(common.to_owned()));
                match Start::behind_all(common) {
                    Some(behind) => from = behind,
                    None => return Ok(listed),
                }
                continue 'walk;
            }
            from = row.behind();
            listed.entries.push(Entry::Row(row));
        }
        if last {
            return Ok(listed);
        }
    }
}

/// Keys may hold what XML can't, so clients ask for them in URL encoding.
pub struct Encoding(pub Option<EncodingType>);

impl Encoding {
    pub fn text(&self, text: String) -> String {
        if self.0.as_ref().is_none_or(|kind| kind.as_str() != EncodingType::URL) {
            return text;
        }
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                    encoded.push(char::from(byte));
                }
                other => encoded.push_str(&format!("%{other:02X}")),
            }
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_a_prefix() {
        assert_eq!(after_prefix("a/").as_deref(), Some("a0"));
        assert_eq!(after_prefix("微/").as_deref(), Some("微0"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
        assert!(after_prefix("a/").unwrap().as_str() > "a/\u{10ffff}\u{10ffff}");
    }

    #[test]
    fn a_common_prefix_ends_at_the_first_delimiter_behind_the_prefix() {
        assert_eq!(common("a/b/c", "", Some("/")), Some("a/"));
        assert_eq!(common("a/b/c", "a/", Some("/")), Some("a/b/"));
        assert_eq!(common("a/b", "a/", Some("/")), None);
        assert_eq!(common("a/b", "", None), None);
        assert_eq!(common("a/b", "", Some("")), None);
        assert_eq!(common("a--b", "", Some("--")), Some("a--"));
    }

    #[test]
    fn a_token_reads_back() {
        for from in [Start::at("微/家"), Start::behind("x")] {
            assert_eq!(Start::read(&from.token()).unwrap(), from);
        }
        assert!(Start::read("??").is_err());
    }

    #[test]
    fn names_are_encoded_when_asked() {
        let url = Encoding(Some(EncodingType::from_static(EncodingType::URL)));
        assert_eq!(url.text("a b/微+".into()), "a%20b/%E5%BE%AE%2B");
        assert_eq!(Encoding(None).text("a b".into()), "a b");
    }
}
