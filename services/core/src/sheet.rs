//! Tables as offices send them: XLSX, or CSV of whatever program. Their cells as text, and nothing is computed.

use std::io::{Cursor, Read};

use calamine::{Data, Reader, Xlsx};

use crate::text::{decoded, one_line};

/// The longest roster has a few hundred rows, and a workbook little else.
pub const MAX_BYTES: usize = 2 << 20;
pub const MAX_ROWS: usize = 2_000;
const MAX_COLUMNS: usize = 60;
/// What a workbook may hold unpacked: a small file can hold a thousand times its length.
const MAX_UNPACKED: u64 = 24 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    TooLarge,
    TooManyRows,
    /// An XLS of before 2007, or a workbook with a password: both begin alike.
    OldOrLocked,
    NoTable,
}

/// One row: its number as the program that made it shows it, counted from 1, and its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub n: usize,
    pub cells: Vec<String>,
}

/// The rows in which something stands; of a workbook, those of the first sheet that has any.
pub fn rows(bytes: &[u8]) -> Result<Vec<Row>, Unreadable> {
    if bytes.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge);
    }
    if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return Err(Unreadable::OldOrLocked);
    }
    let rows = if bytes.starts_with(b"PK") { of_workbook(bytes)? } else { of_text(bytes)? };
    match rows.len() {
        0 => Err(Unreadable::NoTable),
        1..=MAX_ROWS => Ok(rows),
        _ => Err(Unreadable::TooManyRows),
    }
}

fn of_workbook(bytes: &[u8]) -> Result<Vec<Row>, Unreadable> {
    unpacks_within_bounds(bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|_| Unreadable::NoTable)?;
    for name in book.sheet_names() {
        let rows = of_sheet(&mut book, &name)?;
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    Ok(Vec::new())
}

/// Unpacks all of it once, and keeps nothing: the reader takes whole files into memory, and believes what they say.
fn unpacks_within_bounds(bytes: &[u8]) -> Result<(), Unreadable> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|_| Unreadable::NoTable)?;
    let mut left = MAX_UNPACKED;
    for n in 0..archive.len() {
        let file = archive.by_index(n).map_err(|_| Unreadable::NoTable)?;
        let read = std::io::copy(&mut file.take(left + 1), &mut std::io::sink()).map_err(|_| Unreadable::NoTable)?;
        left = left.checked_sub(read).ok_or(Unreadable::TooLarge)?;
    }
    Ok(())
}

/// Cell by cell: a sheet with one cell in its last row would be a table of a million rows otherwise.
fn of_sheet(book: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Result<Vec<Row>, Unreadable> {
    let mut cells = book.worksheet_cells_reader(name).map_err(|_| Unreadable::NoTable)?;
    let mut rows: Vec<Row> = Vec::new();
    while let Some(cell) = cells.next_cell().map_err(|_| Unreadable::NoTable)? {
        let (row, column) = cell.get_position();
        let text = shown(&Data::from(cell.get_value().clone()));
        if text.is_empty() || column as usize >= MAX_COLUMNS {
            continue;
        }
        let n = row as usize + 1;
        if rows.last().is_none_or(|last| last.n != n) {
            if rows.len() > MAX_ROWS {
                return Err(Unreadable::TooManyRows);
            }
            rows.push(Row { n, cells: Vec::new() });
        }
        if let Some(Row { cells, .. }) = rows.last_mut() {
            if cells.len() <= column as usize {
                cells.resize(column as usize + 1, String::new());
            }
            cells[column as usize] = text;
        }
    }
    Ok(rows)
}

/// As it stands in the sheet: a phone number is a number there, and has no decimal point.
fn shown(data: &Data) -> String {
    let text = match data {
        Data::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Data::Error(_) | Data::Empty => String::new(),
        other => other.to_string(),
    };
    one_line(&text)
}

fn of_text(bytes: &[u8]) -> Result<Vec<Row>, Unreadable> {
    let text = decoded(bytes).ok_or(Unreadable::NoTable)?;
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |mark: char| first.matches(mark).count();
    let mark = [',', '\t', ';'].into_iter().max_by_key(|mark| (count(*mark), *mark == ',')).unwrap_or(',');
    let mut reader =
        csv::ReaderBuilder::new().delimiter(mark as u8).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut rows, mut n, mut counted) = (Vec::new(), 1, 0);
    for record in reader.records() {
        let record = record.map_err(|_| Unreadable::NoTable)?;
        // The reader counts no empty lines, and people do.
        let begun = record.position().map_or(0, |at| at.byte() as usize);
        let begun = begun + text[begun..].len() - text[begun..].trim_start_matches(['\r', '\n']).len();
        n += text[counted..begun].matches('\n').count();
        counted = begun;
        let cells: Vec<String> = record.iter().take(MAX_COLUMNS).map(one_line).collect();
        if cells.iter().all(String::is_empty) {
            continue;
        }
        if rows.len() > MAX_ROWS {
            return Err(Unreadable::TooManyRows);
        }
        rows.push(Row { n, cells });
    }
    Ok(rows)
}

#[cfg(test)]
#[path = "sheet_tests.rs"]
mod tests;
