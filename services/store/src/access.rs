//! Who may ask, and what can be asked at all. `s3s` has verified the signature by now; what it doesn't judge is decided
//! here, before an operation sees the request: a demand that this store would silently drop is refused instead.

use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, s3_error};

/// S3's own limit for a signed address: a week, in seconds.
const LONGEST: u32 = 7 * 24 * 3600;

/// Of S3's headers, those that change nothing or are verified in another way, so that nobody has to sign them.
const NEED_NO_SIGNATURE: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-user-agent"];

/// Headers whose promise this store doesn't keep, whole or by how they begin.
const NOT_HERE: [&str; 8] = [
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-tagging",
    "x-amz-object-lock-",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-website-redirect-location",
    "x-amz-grant-",
    "x-amz-write-offset-bytes",
];

/// Headers that ask for what every object here is anyway.
const ONLY: [(&str, &[&str]); 2] =
    [("x-amz-acl", &["private", "bucket-owner-full-control"]), ("x-amz-storage-class", &["STANDARD"])];

/// Parameters that may come without a value. Any other names a sub-resource: those that `s3s` knows have found their
/// operation, and the rest must not be taken for a request for the object itself.
const MAY_BE_EMPTY: [&str; 12] = [
    "uploads",
    "versioning",
    "delete",
    "location",
    "prefix",
    "delimiter",
    "marker",
    "start-after",
    "key-marker",
    "upload-id-marker",
    "continuation-token",
    "encoding-type",
];

/// What is gathered in memory: the XML of a completion of 10,000 parts is the largest that is needed.
pub const LARGEST_XML: usize = 4 << 20;

/// The one key of this store.
pub struct Key {
    pub access: String,
    pub secret: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for Key {
    async fn get_secret_key(&self, access: &str) -> Result<SecretKey, S3Error> {
        if access == self.access {
            return Ok(self.secret.clone());
        }
        let text = "The AWS Access Key Id you provided does not exist in our records.";
        Err(s3_error!(InvalidAccessKeyId, "{text}"))
    }
}

pub struct Signed;

#[async_trait::async_trait]
impl S3Access for Signed {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> Result<(), S3Error> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Access Denied: this request is not signed"));
        }
        let query = Query::of(context.uri().query());
        if !["PutObject", "UploadPart"].contains(&context.s3_op().name()) {
            gathered(context.headers())?;
        }
        covered(&query, context.headers())?;
        doable(context.method(), &query, context.headers())
    }
}

/// The parameters of an address, names and values decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(text: Option<&str>) -> Query {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        Query(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (plain(n), plain(v))).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// `%3B` read as `;`. What isn't UTF-8 becomes a sign that equals nothing.
fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%').and_then(|digits| hex::decode(digits).ok());
        bytes.push(digits.as_ref().map_or(*first, |decoded| decoded[0]));
        rest = if digits.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A body of XML says how long it is, and is short.
fn gathered(headers: &HeaderMap) -> Result<(), S3Error> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    if headers.contains_key(TRANSFER_ENCODING) || text("x-amz-content-sha256").starts_with("STREAMING-") {
        return Err(s3_error!(
            MissingContentLength,
            "A body like this one is sent with a Content-Length, in one piece."
        ));
    }
    if text(CONTENT_LENGTH.as_str()).parse().unwrap_or(0) > LARGEST_XML {
        return Err(s3_error!(MaxMessageLengthExceeded, "Your request was too big: at most {LARGEST_XML} bytes"));
    }
    Ok(())
}

/// What a signed address says of itself, judged before its signature is.
pub fn address(query: Option<&str>) -> Result<(), S3Error> {
    let query = Query::of(query);
    let Some(signature) = query.get("X-Amz-Signature") else { return Ok(()) };
    let names = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"];
    if let Some(name) = names.iter().find(|name| query.get(name).is_none()) {
        return Err(s3_error!(AuthorizationQueryParametersError, "A signed address has the parameter {name}."));
    }
    let seconds: u32 = query.get("X-Amz-Expires").and_then(|text| text.parse().ok()).unwrap_or(0);
    if !(1..=LONGEST).contains(&seconds) {
        let text = "X-Amz-Expires must be between 1 and 604800 seconds, which is a week";
        return Err(s3_error!(AuthorizationQueryParametersError, "{text}"));
    }
    if signature.len() != 64 || !signature.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(s3_error!(SignatureDoesNotMatch, "A signature is 64 digits of 0 to 9 and a to f."));
    }
    Ok(())
}

/// Whether the signature is one of version 4 and covers every header that tells the store what to do. Without this,
/// who was given an address to put one object could make the store copy another one there with a header of his own.
fn covered(query: &Query, headers: &HeaderMap) -> Result<(), S3Error> {
    let authorization = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let field = |name: &str| {
        let fields = authorization.strip_prefix("AWS4-HMAC-SHA256")?.split(',');
        fields.map(str::trim).find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    };
    let (scope, names) = if query.get("Signature").is_some() {
        (None, None)
    } else if query.get("X-Amz-Signature").is_some() {
        (query.get("X-Amz-Credential"), query.get("X-Amz-SignedHeaders"))
    } else {
        (field("Credential"), field("SignedHeaders"))
    };
    let (Some(scope), Some(names)) = (scope, names) else {
        let text = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
        return Err(s3_error!(InvalidRequest, "{text}"));
    };
    if !scope.ends_with("/s3/aws4_request") {
        return Err(s3_error!(AuthorizationHeaderMalformed, "incorrect service. This endpoint belongs to \"s3\"."));
    }
    let signed: Vec<&str> = names.split(';').collect();
    let must = |name: &str| name == "host" || name.starts_with("x-amz-") && !NEED_NO_SIGNATURE.contains(&name);
    match headers.keys().map(|name| name.as_str()).find(|name| must(name) && !signed.contains(name)) {
        Some(name) => {
            Err(s3_error!(AccessDenied, "There were headers present in the request which were not signed: {name}"))
        }
        None => Ok(()),
    }
}

fn doable(method: &Method, query: &Query, headers: &HeaderMap) -> Result<(), S3Error> {
    let no = |what: &str| Err(s3_error!(NotImplemented, "{what} implies functionality that is not implemented"));
    for (name, value) in headers {
        let name = name.as_str();
        let allowed = ONLY.iter().find(|(only, _)| *only == name).map(|(_, values)| *values);
        if NOT_HERE.iter().any(|start| name.starts_with(start))
            || allowed.is_some_and(|values| !values.iter().any(|one| one.as_bytes() == value.as_bytes()))
        {
            return no(name);
        }
    }
    if let Some((name, _)) = query.0.iter().find(|(name, value)| {
        value.is_empty() && !MAY_BE_EMPTY.contains(&name.as_str()) && !name.starts_with("x-") && !name.starts_with("X-")
    }) {
        return no(name);
    }
    // Half an address of a part: what was meant as one must not become a whole object.
    if method == Method::PUT && query.get("uploadId").is_some() != query.get("partNumber").is_some() {
        return Err(s3_error!(InvalidArgument, "a part has an uploadId and a partNumber"));
    }
    match query.get("versionId") {
        None | Some("null") => Ok(()),
        // Taken for the object itself, deleting an old version would delete the only one.
        Some(_) => Err(s3_error!(NoSuchVersion, "This store keeps no versions.")),
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderName;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn refusal(answer: Result<(), S3Error>) -> String {
        answer.err().map_or("fine".into(), |error| error.code().as_str().to_owned())
    }

    #[test]
    fn every_header_of_s3_is_signed() {
        let signed =
            "AWS4-HMAC-SHA256 Credential=a/20261123/x/s3/aws4_request, SignedHeaders=host;x-amz-acl, Signature=0";
        let judge = |query: Option<&str>, pairs: &[(&'static str, &'static str)]| {
            refusal(covered(&Query::of(query), &headers(pairs)))
        };
        assert_eq!(judge(None, &[("authorization", signed), ("host", "a"), ("x-amz-acl", "private")]), "fine");
        assert_eq!(judge(None, &[("authorization", signed), ("x-amz-copy-source", "b/c")]), "AccessDenied");
        assert_eq!(judge(None, &[("authorization", "AWS key:signature")]), "InvalidRequest");
        assert_eq!(judge(Some("Signature=a&X-Amz-Signature=b&X-Amz-SignedHeaders=host"), &[]), "InvalidRequest");
        let foreign = "AWS4-HMAC-SHA256 Credential=a/20261123/x/sts/aws4_request,SignedHeaders=host,Signature=0";
        assert_eq!(judge(None, &[("authorization", foreign), ("host", "a")]), "AuthorizationHeaderMalformed");
        let query = "X-Amz-Credential=a%2F1%2Fx%2Fs3%2Faws4_request&X-Amz-Signature=0\
                     &X-Amz-SignedHeaders=host%3Bx-amz-acl";
        assert_eq!(judge(Some(query), &[("host", "a"), ("x-amz-acl", "private"), ("range", "bytes=0-")]), "fine");
        assert_eq!(judge(Some(query), &[("x-amz-meta-a", "b")]), "AccessDenied");
    }

    #[test]
    fn a_signed_address_is_whole() {
        let signature = "0a".repeat(32);
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=604800\
             &X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
        );
        let judge = |query: &str| refusal(address(Some(query)));
        assert_eq!((judge(&query), judge("list-type=2")), ("fine".into(), "fine".into()));
        for seconds in ["604801", "0", "-1", "", "9999999999"] {
            let query = query.replace("604800", seconds);
            assert_eq!(judge(&query), "AuthorizationQueryParametersError", "{seconds}");
        }
        assert_eq!(judge(&query.replace("X-Amz-Date", "x")), "AuthorizationQueryParametersError");
        assert_eq!(judge(&query.replace("0a", "0A")), "SignatureDoesNotMatch");
        assert_eq!(judge(&format!("{query}0")), "SignatureDoesNotMatch");
    }

    #[test]
    fn what_is_not_here_is_not_ignored() {
        let judge = |query, pairs: &[_]| refusal(doable(&Method::PUT, &Query::of(query), &headers(pairs)));
        assert_eq!(judge(None, &[("x-amz-storage-class", "STANDARD"), ("x-amz-acl", "private")]), "fine");
        assert_eq!(judge(None, &[("x-amz-storage-class", "GLACIER")]), "NotImplemented");
        assert_eq!(judge(None, &[("x-amz-acl", "public-read")]), "NotImplemented");
        assert_eq!(judge(None, &[("x-amz-object-lock-mode", "GOVERNANCE")]), "NotImplemented");
        assert_eq!(judge(Some("list-type=2&prefix=&delimiter="), &[]), "fine");
        assert_eq!(judge(Some("uploads"), &[]), "fine");
        assert_eq!(judge(Some("renameObject"), &[]), "NotImplemented");
        assert_eq!(judge(Some("uploadId=a&partNumber=1"), &[]), "fine");
        assert_eq!(judge(Some("uploadId=a"), &[]), "InvalidArgument");
        assert_eq!(judge(Some("partNumber=1"), &[]), "InvalidArgument");
        assert_eq!(judge(Some("versionId=null"), &[]), "fine");
        assert_eq!(judge(Some("versionId=3"), &[]), "NoSuchVersion");
    }

    #[test]
    fn names_are_decoded() {
        assert_eq!((plain("a%3Bb%zz%"), plain("%E5%BE%AE")), ("a;b%zz%".into(), "微".into()));
    }
}
