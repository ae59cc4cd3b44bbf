//! A roster as an office keeps it: which columns are meant, and what each row says of one person. Pure.

use std::collections::HashMap;

use crate::account::Phone;
use crate::error::Refusal;
use crate::sheet::{self, Row, Unreadable};

/// A title and a few notes may stand above the columns' names.
const HEAD_WITHIN: usize = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Column {
    Name,
    Phone,
    County,
    Town,
    Village,
    Group,
}

/// One person, as the row says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub row: usize,
    pub name: String,
    pub phone: Phone,
    /// Of the county, the town and the village what is there, the largest first.
    pub place: Vec<String>,
    pub group_no: Option<i64>,
}

/// A row that nobody can be read from, and why, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub row: usize,
    pub name: String,
    pub why: String,
}

/// Everybody on it; good rows and bad ones, in their order.
pub fn read(file: &[u8]) -> Result<Vec<Result<Line, Wrong>>, Refusal> {
    let rows = sheet::rows(file)?;
    let (head, columns) = rows
        .iter()
        .take(HEAD_WITHIN)
        .enumerate()
        .find_map(|(n, row)| Some((n, columns(row)?)))
        .ok_or_else(no_columns)?;
    let mut seen: HashMap<Phone, usize> = HashMap::new();
    let mut lines = Vec::new();
    for row in &rows[head + 1..] {
        let line = line(row, &columns).and_then(|line| match seen.insert(line.phone.clone(), line.row) {
            Some(before) => {
                Err(Wrong {
                    row: line.row, name: line.name, why: format!("手机号和第 {before} 行一样，核对一下。")
                })
            }
            None => Ok(line),
        });
        lines.push(line);
    }
    Ok(lines)
}

/// Which cell is which, if this row names the columns.
fn columns(row: &Row) -> Option<HashMap<Column, usize>> {
    let mut columns = HashMap::new();
    for (n, title) in row.cells.iter().enumerate() {
        if let Some(column) = column(title) {
            columns.entry(column).or_insert(n);
        }
    }
    (columns.contains_key(&Column::Name) && columns.contains_key(&Column::Phone)).then_some(columns)
}

fn column(title: &str) -> Option<Column> {
    let plain: String = title.chars().filter(|c| !c.is_whitespace()).collect();
    // What stands in brackets explains.
    let plain = plain.split(['（', '(']).next().unwrap_or_default().trim_end_matches(['：', ':', '*']);
    let ends = |words: &[&str]| words.iter().any(|word| plain.ends_with(word));
    if ends(&["姓名", "名字"]) && !plain.contains("村") {
        Some(Column::Name)
    } else if plain.contains("手机") || ends(&["电话", "电话号码", "联系方式"]) {
        Some(Column::Phone)
    } else if ends(&["组", "组别", "小组", "组号", "分组"]) && !plain.contains("村") {
        Some(Column::Group)
    } else if ends(&["县", "县市区", "县区", "区县", "县市", "县（市、区）"]) {
        Some(Column::County)
    } else if ends(&["乡镇", "乡", "镇", "街道", "镇街", "乡镇街道"]) {
        Some(Column::Town)
    } else if ends(&["村", "社区", "村社区", "村名", "单位", "地址", "住址", "地区", "区划", "村居"])
    {
        Some(Column::Village)
    } else {
        None
    }
}

fn line(row: &Row, columns: &HashMap<Column, usize>) -> Result<Line, Wrong> {
    let cell = |column| columns.get(&column).and_then(|n| row.cells.get(*n)).map_or("", String::as_str);
    let name = cell(Column::Name).split_whitespace().collect::<Vec<_>>();
    // Two letters of a name are spread over the width of three.
    let name = if name.iter().all(|part| part.chars().count() == 1) { name.concat() } else { name.join(" ") };
    let wrong = |why: &str| Wrong { row: row.n, name: name.clone(), why: why.to_owned() };
    if name.is_empty() {
        return Err(wrong("没写姓名。"));
    }
    let phone = phone(cell(Column::Phone)).map_err(wrong)?;
    let group_no = match cell(Column::Group) {
        "" => None,
        text => Some(group(text).ok_or_else(|| wrong("小组没看懂，写成 1 到 99 的数字。"))?),
    };
    let place = [Column::County, Column::Town, Column::Village].map(cell);
    let place = place.into_iter().filter(|part| !part.is_empty()).map(str::to_owned).collect();
    Ok(Line { row: row.n, name, phone, place, group_no })
}

/// Eleven digits, however they are written.
fn phone(text: &str) -> Result<Phone, &'static str> {
    if text.is_empty() {
        return Err("没写手机号。");
    }
    if text.to_ascii_uppercase().contains("E+") {
        return Err("手机号成了“1.38E+10”的样子，后面的数字丢了。把这一列设成文本，重新填。");
    }
    text.parse().map_err(|_| "手机号要 11 位数字，核对一下。")
}

/// `3`, `3组`, `第三组`, `十二`.
fn group(text: &str) -> Option<i64> {
    let plain = text.trim().trim_start_matches('第').trim_end_matches("小组").trim_end_matches('组');
    plain.parse().ok().or_else(|| chinese(plain)).filter(|n| (1..=99).contains(n))
}

fn chinese(text: &str) -> Option<i64> {
    let digit = |text: &str| {
        let mut chars = text.chars();
        let n = "一二三四五六七八九".chars().position(|c| Some(c) == chars.clone().next())? as i64 + 1;
        chars.next();
        chars.next().is_none().then_some(n)
    };
    match text.split_once('十') {
        None => digit(text),
        Some((tens, ones)) => {
            let tens = if tens.is_empty() { 1 } else { digit(tens)? };
            Some(tens * 10 + if ones.is_empty() { 0 } else { digit(ones)? })
        }
    }
}

fn no_columns() -> Refusal {
    Refusal::new(
        "roster_no_columns",
        "没找到“姓名”和“手机号”这两栏。",
        "在第一行写上：姓名、手机号、村、组，再传一次。",
    )
}

impl From<Unreadable> for Refusal {
    fn from(why: Unreadable) -> Refusal {
        match why {
            Unreadable::TooLarge => Refusal::new(
                "roster_too_large",
                "这个文件太大了，名单用不了这么大。",
                "只留姓名、手机号、村和组，另存一份再传。",
            ),
            Unreadable::TooManyRows => Refusal::new(
                "roster_too_long",
                format!("这张表超过 {} 行了。", sheet::MAX_ROWS),
                "一期一张表，分开再传。",
            ),
            Unreadable::OldOrLocked => Refusal::new(
                "roster_old_or_locked",
                "这是旧格式的 .xls，或者加了密码，打不开。",
                "在 WPS 或 Excel 里另存成 .xlsx，不要密码，再传一次。",
            ),
            Unreadable::NoTable => {
                Refusal::new("roster_unreadable", "这个文件里没读出表格。", "选一个 .xlsx 或 .csv 的名单。")
            }
        }
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
