//! Prefixed, sortable text ids: `clip_01h455vb4pex5vsknk084sn02q` is a UUIDv7 in Crockford's base32 behind a word.

use std::fmt;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new id's text: sorts by the time it was made.
fn new_text(prefix: &str) -> String {
    let bits = uuid::Uuid::now_v7().as_u128();
    let mut text = String::with_capacity(prefix.len() + 27);
    text.push_str(prefix);
    text.push('_');
    for digit in (0..26).rev() {
        text.push(ALPHABET[(bits >> (5 * digit)) as usize & 31] as char);
    }
    text
}

fn is_text(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .is_some_and(|digits| digits.len() == 26 && digits.bytes().all(|b| ALPHABET.contains(&b)))
}

/// That text is not an id of this kind. Callers answer it like an id that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, serde::Serialize, utoipa::ToSchema)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        #[schema(value_type = String)]
        pub struct $name(String);

        impl $name {
            #[allow(clippy::new_without_default, reason = "a fresh id is an act, not a default value")]
            pub fn new() -> Self { Self(new_text($prefix)) }
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl std::str::FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                if is_text($prefix, text) { Ok(Self(text.to_owned())) } else { Err(NotAnId) }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    UserId "user";
    GrantId "grant";
    CohortId "cohort";
    WindowId "door";
    RequestId "ask";
    ClipId "clip";
    VersionId "ver";
    UploadId "up";
    RenditionId "ren";
    CaptionId "cap";
    JobId "job";
    TicketId "ticket";
    ReviewId "review";
    ItemId "item";
    ReplyId "reply";
    AmendmentId "amend";
    AccountId "acct";
    SnapshotId "snap";
    EvaluationId "eval";
    AwardId "award";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_sorts_by_age() {
        let (old, new) = (ClipId::new(), {
            std::thread::sleep(std::time::Duration::from_millis(2));
            ClipId::new()
        });
        assert!(old < new);
        assert_eq!(old.to_string().parse::<ClipId>().unwrap(), old);
        assert_eq!(old.as_str().len(), "clip_".len() + 26);
    }

    #[test]
    fn another_kinds_id_is_refused() {
        let user = UserId::new().to_string();
        assert!(user.parse::<ClipId>().is_err());
        for text in ["", "clip_", "clip_01h455vb4pex5vsknk084sn02", "clip_01H455VB4PEX5VSKNK084SN02Q", "../x"] {
            assert!(text.parse::<ClipId>().is_err(), "{text}");
        }
    }
}
