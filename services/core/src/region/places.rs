//! Which place is meant by what stands in a roster: a village's name, with its town or county where the name alone is not
//! enough. Pure.

use std::collections::HashMap;

use super::rules::clean_query;

/// A living place.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Place {
    pub code: String,
    pub name: String,
    pub raw_name: Option<String>,
    pub level: i64,
    pub path: String,
}

/// All places that somebody may put people into, by their names.
pub struct Places {
    /// Names of all places above them too.
    names: HashMap<String, String>,
    /// By name, as it is shown, published, or was once.
    by_name: HashMap<String, Vec<Place>>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    One(&'a Place),
    /// Several of that name: the town would tell them apart.
    Several,
    None,
}

impl Places {
    /// `names`: of places above these, by their codes. `former`: names that lead to a place, by its code.
    pub fn new(places: Vec<Place>, mut names: HashMap<String, String>, former: Vec<(String, String)>) -> Places {
        let mut by_name: HashMap<String, Vec<Place>> = HashMap::new();
        let by_code: HashMap<&str, &Place> = places.iter().map(|place| (place.code.as_str(), place)).collect();
        let mut add = |name: &str, place: &Place| {
            let same = by_name.entry(name.to_owned()).or_default();
            if same.iter().all(|other| other.code != place.code) {
                same.push(place.clone());
            }
        };
        for place in &places {
            add(&place.name, place);
            if let Some(raw) = &place.raw_name {
                add(&clean_query(raw), place);
            }
            names.insert(place.code.clone(), place.name.clone());
        }
        for (code, name) in &former {
            if let Some(place) = by_code.get(code.as_str()) {
                add(&clean_query(name), place);
            }
        }
        Places { names, by_name }
    }

    /// `parts`: the largest first, each in a cell of its own or all in one: 龙山县 里耶镇 捞车村, 龙山县里耶镇捞车村.
    pub fn find(&self, parts: &[String]) -> Found<'_> {
        let Some((last, above)) = parts.split_last() else { return Found::None };
        let last = clean_query(last);
        let Some((before, same)) = self.ending(&last) else { return Found::None };
        let above = format!("{}{before}", above.concat());
        let score = |place: &Place| self.ancestors(place).filter(|name| mentions(&above, name)).count();
        let best = same.iter().map(score).max().unwrap_or(0);
        if best == 0 && !above.is_empty() {
            return Found::None;
        }
        let mut found = same.iter().filter(|place| score(place) == best);
        match (found.next(), found.next()) {
            (Some(place), None) => Found::One(place),
            (Some(_), Some(_)) => Found::Several,
            _ => Found::None,
        }
    }

    /// The places whose name the text is, or ends in, and what stands before it.
    fn ending<'t>(&self, text: &'t str) -> Option<(&'t str, &[Place])> {
        let starts = text.char_indices().map(|(at, _)| at);
        starts.filter_map(|at| Some((&text[..at], self.by_name.get(&text[at..])?.as_slice()))).next()
    }

    fn ancestors(&self, place: &Place) -> impl Iterator<Item = &str> {
        let codes = place.path.split('/').filter(|code| !code.is_empty() && *code != place.code);
        codes.filter_map(|code| self.names.get(code).map(String::as_str))
    }
}

/// People leave away what kind of place it is, and whose: 里耶 is 里耶镇, 湘西 is 湘西土家族苗族自治州.
fn mentions(text: &str, name: &str) -> bool {
    let whose = ["土家族", "苗族", "侗族", "瑶族"].iter().filter_map(|people| name.find(people)).min();
    let kind = || name.strip_suffix(['省', '市', '州', '县', '区', '镇', '乡']);
    let short = whose.map(|at| &name[..at]).or_else(kind).filter(|short| short.chars().count() > 1);
    text.contains(short.unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(code: &str, name: &str, raw: Option<&str>, path: &str) -> Place {
        let level = path.matches('/').count() as i64;
        Place { code: code.into(), name: name.into(), raw_name: raw.map(str::to_owned), level, path: path.into() }
    }
    fn places() -> Places {
        let above =
            [("43", "湖南省"), ("4331", "湘西土家族苗族自治州")].map(|(code, name)| (code.to_owned(), name.to_owned()));
        let list = vec![
            place("433130", "龙山县", None, "43/4331/433130/"),
            place("433130108", "里耶镇", None, "43/4331/433130/433130108/"),
            place("433130108201", "捞车村", Some("捞车村村民委员会"), "43/4331/433130/433130108/433130108201/"),
            place("433130108202", "双坪村", None, "43/4331/433130/433130108/433130108202/"),
            place("433130109", "苗儿滩镇", None, "43/4331/433130/433130109/"),
            place("433130109201", "惹巴拉村", None, "43/4331/433130/433130109/433130109201/"),
            place("433130109202", "双坪村", None, "43/4331/433130/433130109/433130109202/"),
        ];
        Places::new(list, above.into_iter().collect(), vec![("433130109201".into(), "老惹巴拉村委会".into())])
    }
    fn code(places: &Places, text: &str) -> String {
        let parts: Vec<String> = text.split(' ').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        match places.find(&parts) {
            Found::One(place) => place.code.clone(),
            Found::Several => "several".into(),
            Found::None => "none".into(),
        }
    }

    #[test]
    fn a_place_is_found_by_its_name_and_by_what_stands_before_it() {
        let places = places();
        for (text, found) in [
            ("捞车村", "433130108201"),
            ("捞车村村民委员会", "433130108201"),
            ("龙山县里耶镇捞车村", "433130108201"),
            ("龙山县 里耶镇 捞车村", "433130108201"),
            ("湘西 龙山 里耶 捞车村委会", "433130108201"),
            ("湘西州捞车村", "433130108201"),
            ("老惹巴拉村", "433130109201"),
            ("双坪村", "several"),
            ("龙山县 双坪村", "several"),
            ("苗儿滩 双坪村", "433130109202"),
            ("里耶镇双坪村", "433130108202"),
            ("里耶镇", "433130108"),
            ("永顺县 捞车村", "none"),
            ("不知道村", "none"),
            ("", "none"),
        ] {
            assert_eq!(code(&places, text), found, "{text}");
        }
    }
}
