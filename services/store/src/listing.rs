//! Lists: of keys with prefix and delimiter, of unfinished uploads, of parts; each in pages.

use s3s::dto::*;
use s3s::{S3Error, s3_error};
use weijia_core::db::Tx;

use crate::conditions::{etag, timestamp};
use crate::errors::Result;
use crate::index::{self, Object as Row};
use crate::{EmbeddedStore, buckets, multipart, set_sums};

const PAGE: i32 = 1000;

/// Where a page begins: at this key, or behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Start {
    key: String,
    inclusive: bool,
}

impl Start {
    fn at(key: &str) -> Start {
        Start { key: key.to_owned(), inclusive: true }
    }

    fn behind(key: &str) -> Start {
        Start { key: key.to_owned(), inclusive: false }
    }

    /// Behind everything that begins with this prefix; nowhere, when there can be nothing behind it.
    fn behind_all(prefix: &str) -> Option<Start> {
        after_prefix(prefix).map(|key| Start { key, inclusive: true })
    }

    /// Opaque to clients.
    fn token(&self) -> String {
        let sign = if self.inclusive { '=' } else { '>' };
        data_encoding::BASE64URL_NOPAD.encode(format!("{sign}{}", self.key).as_bytes())
    }

    fn read(token: &str) -> Result<Start, S3Error> {
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

enum Entry {
    Object(Row),
    /// Everything between the prefix and the next delimiter, as one.
    Common(String),
}

struct Listed {
    entries: Vec<Entry>,
    /// Where the next page begins, if there is more.
    next: Option<Start>,
}

/// The common prefix that a key falls under.
fn common<'a>(key: &'a str, prefix: &str, delimiter: Option<&str>) -> Option<&'a str> {
    let delimiter = delimiter.filter(|d| !d.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    rest.find(delimiter).map(|at| &key[..prefix.len() + at + delimiter.len()])
}

/// Walks the index from a key on, and jumps over what falls under a common prefix.
async fn walk(
    tx: &mut Tx,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<Start>,
    max: usize,
) -> Result<Listed> {
    let mut listed = Listed { entries: Vec::new(), next: None };
    let mut from = after.filter(|after| after.key.as_str() >= prefix).unwrap_or_else(|| Start::at(prefix));
    // A page that ended on a common prefix goes on behind all of it.
    if !from.inclusive && common(&from.key, prefix, delimiter) == Some(from.key.as_str()) {
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
        let rows = index::objects_from(tx, bucket, &from.key, from.inclusive, wanted as i64).await?;
        let last = rows.len() < wanted;
        for row in rows {
            if !row.key.starts_with(prefix) {
                return Ok(listed);
            }
            if listed.entries.len() == max {
                listed.next = Some(from);
                return Ok(listed);
            }
            if let Some(common) = common(&row.key, prefix, delimiter) {
                listed.entries.push(Entry::Common(common.to_owned()));
                match Start::behind_all(common) {
                    Some(behind) => from = behind,
                    None => return Ok(listed),
                }
                continue 'walk;
            }
            from = Start::behind(&row.key);
            listed.entries.push(Entry::Object(row));
        }
        if last {
            return Ok(listed);
        }
    }
}

/// Keys may hold what XML can't, so clients ask for them in URL encoding.
struct Encoding(Option<EncodingType>);

impl Encoding {
    fn text(&self, text: String) -> String {
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

fn split(entries: Vec<Entry>, encoding: &Encoding) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Common(prefix) => prefixes.push(CommonPrefix { prefix: Some(encoding.text(prefix)) }),
            Entry::Object(row) => objects.push(Object {
                key: Some(encoding.text(row.key)),
                e_tag: Some(etag(&row.etag)),
                size: Some(row.len),
                last_modified: Some(timestamp(row.written_at)),
                storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
                ..Default::default()
            }),
        }
    }
    (objects, prefixes)
}

fn page_size(asked: Option<i32>) -> Result<i32, S3Error> {
    match asked {
        Some(n) if n < 0 => Err(s3_error!(InvalidArgument, "a page cannot have {n} entries")),
        asked => Ok(asked.unwrap_or(PAGE).min(PAGE)),
    }
}

pub async fn objects_v2(store: &EmbeddedStore, input: ListObjectsV2Input) -> Result<ListObjectsV2Output> {
    let max = page_size(input.max_keys)?;
    let after = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Some(Start::read(token)?),
        (None, Some(key)) => Some(Start::behind(key)),
        (None, None) => None,
    };
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let mut tx = store.index().read().await?;
    buckets::require(&mut tx, &input.bucket).await?;
    let listed = walk(&mut tx, &input.bucket, prefix, input.delimiter.as_deref(), after, max as usize).await?;
    let encoding = Encoding(input.encoding_type.clone());
    let (contents, common_prefixes) = split(listed.entries, &encoding);
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        key_count: Some((contents.len() + common_prefixes.len()) as i32),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        prefix: Some(encoding.text(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|d| encoding.text(d)),
        start_after: input.start_after.map(|k| encoding.text(k)),
        max_keys: Some(max),
        is_truncated: Some(listed.next.is_some()),
        continuation_token: input.continuation_token,
        next_continuation_token: listed.next.map(|from| from.token()),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

/// The older form, which pages by the last name it gave.
pub async fn objects(store: &EmbeddedStore, input: ListObjectsInput) -> Result<ListObjectsOutput> {
    let max = page_size(input.max_keys)?;
    let after = input.marker.as_deref().map(Start::behind);
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let mut tx = store.index().read().await?;
    buckets::require(&mut tx, &input.bucket).await?;
    let listed = walk(&mut tx, &input.bucket, prefix, input.delimiter.as_deref(), after, max as usize).await?;
    let encoding = Encoding(input.encoding_type.clone());
    let last = listed.entries.last().map(|entry| match entry {
        Entry::Object(row) => row.key.clone(),
        Entry::Common(prefix) => prefix.clone(),
    });
    let (contents, common_prefixes) = split(listed.entries, &encoding);
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        prefix: Some(encoding.text(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|d| encoding.text(d)),
        marker: Some(encoding.text(input.marker.unwrap_or_default())),
        next_marker: last.filter(|_| listed.next.is_some()).map(|k| encoding.text(k)),
        max_keys: Some(max),
        is_truncated: Some(listed.next.is_some()),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

pub async fn parts(store: &EmbeddedStore, input: ListPartsInput) -> Result<ListPartsOutput> {
    let max = page_size(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or(0);
    let mut tx = store.index().read().await?;
    let upload = multipart::require(&mut tx, &input.bucket, &input.key, &input.upload_id).await?;
    let mut rows = index::blobs_after(&mut tx, &upload.id, after.into(), i64::from(max) + 1).await?;
    let truncated = rows.len() > max as usize;
    rows.truncate(max as usize);
    let last = rows.last().map(|row| row.no as i32);
    let parts = rows.into_iter().map(|row| {
        let mut part = Part {
            part_number: Some(row.no as i32),
            e_tag: Some(etag(&row.etag)),
            size: Some(row.len),
            last_modified: Some(timestamp(row.written_at)),
            ..Default::default()
        };
        set_sums!(part, serde_json::from_str::<crate::sums::Sums>(&row.sums).unwrap_or_default());
        part
    });
    Ok(ListPartsOutput {
        bucket: Some(upload.bucket),
        key: Some(upload.key),
        upload_id: Some(upload.id),
        parts: Some(parts.collect()),
        part_number_marker: Some(after),
        next_part_number_marker: last.filter(|_| truncated),
        max_parts: Some(max),
        is_truncated: Some(truncated),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..Default::default()
    })
}

pub async fn uploads(store: &EmbeddedStore, input: ListMultipartUploadsInput) -> Result<ListMultipartUploadsOutput> {
    if input.delimiter.as_deref().is_some_and(|d| !d.is_empty()) {
        return Err(s3_error!(NotImplemented, "unfinished uploads are listed without a delimiter").into());
    }
    let max = page_size(input.max_uploads)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let marker = input.key_marker.as_deref().unwrap_or_default();
    // Without an upload id the marker stands behind every upload of its key; '~' sorts behind all our ids.
    let id = input.upload_id_marker.as_deref().unwrap_or(if marker.is_empty() { "" } else { "~" });
    let (key, id) = if marker < prefix { (prefix, "") } else { (marker, id) };
    let mut tx = store.index().read().await?;
    buckets::require(&mut tx, &input.bucket).await?;
    let mut rows = index::uploads_after(&mut tx, &input.bucket, key, id, i64::from(max) + 1).await?;
    rows.retain(|row| row.key.starts_with(prefix));
    let truncated = rows.len() > max as usize;
    rows.truncate(max as usize);
    let encoding = Encoding(input.encoding_type.clone());
    let last = rows.last().filter(|_| truncated).cloned();
    let uploads = rows.into_iter().map(|row| MultipartUpload {
        key: Some(encoding.text(row.key)),
        upload_id: Some(row.id),
        initiated: Some(timestamp(row.created_at)),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..Default::default()
    });
    Ok(ListMultipartUploadsOutput {
        uploads: Some(uploads.collect()),
        bucket: Some(input.bucket),
        prefix: input.prefix.map(|p| encoding.text(p)),
        key_marker: input.key_marker.map(|k| encoding.text(k)),
        upload_id_marker: input.upload_id_marker,
        next_key_marker: last.as_ref().map(|row| encoding.text(row.key.clone())),
        next_upload_id_marker: last.map(|row| row.id),
        max_uploads: Some(max),
        is_truncated: Some(truncated),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
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
