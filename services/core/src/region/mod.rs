//! Territory: the five levels from province to village, which merge and are renamed but never forget.
//!
//! A place is chosen by its code, never by its name: 9,077 village names of Hunan occur more than once, so whatever
//! is shown to a person carries the whole path of names.

mod places;
mod rules;
mod sql;
#[cfg(test)]
mod tests;

pub use places::{Found, Place, Places};
pub use rules::{Merge, clean_query, code_at, display_name, merge_allowed};
pub use sql::{Names, children, current, get, import, merge, names, path_names, places_within, reference, search};

/// The levels that have desks, as the length of a path in codes.
pub const PROVINCE: usize = 1;
pub const CITY: usize = 2;
pub const COUNTY: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Region {
    pub code: String,
    /// 1 province, 2 city, 3 county, 4 township, 5 village.
    pub level: i64,
    pub parent_code: Option<String>,
    /// The name to show.
    pub name: String,
    /// The published name, where the one shown was cleaned.
    pub raw_name: Option<String>,
    pub kind: String,
    /// `43/4307/430723/`: the codes from the province down to this place.
    pub path: String,
    pub valid_from: Option<String>,
    /// The last day this code was in use; its history keeps it.
    pub valid_to: Option<String>,
    pub successor_code: Option<String>,
}

impl Region {
    pub fn is_live(&self) -> bool {
        self.valid_to.is_none() && self.successor_code.is_none()
    }
}

/// A place as every answer shows it: never the bare name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct RegionRef {
    pub code: String,
    pub name: String,
    /// From the province down to the place itself.
    pub path_names: Vec<String>,
}
