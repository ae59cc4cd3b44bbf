use std::io::Write;

use super::*;

/// A workbook with these rows, each cell as it stands in the sheet's own markup.
pub fn workbook(cells: &str) -> Vec<u8> {
    let files = [
        ("[Content_Types].xml", r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#.to_owned()),
        ("_rels/.rels", r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#.to_owned()),
        ("xl/workbook.xml", r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="名单" sheetId="1" r:id="a"/></sheets></workbook>"#.to_owned()),
        ("xl/_rels/workbook.xml.rels", r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#.to_owned()),
        ("xl/worksheets/sheet1.xml", format!(r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>"#)),
    ];
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, body) in files {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(body.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn texts(rows: &[Row]) -> Vec<(usize, Vec<&str>)> {
    rows.iter().map(|row| (row.n, row.cells.iter().map(String::as_str).collect())).collect()
}

#[test]
fn a_workbook_is_read_as_it_is_shown() {
    let book = workbook(
        r#"<row r="1"><c r="A1" t="inlineStr"><is><t>姓名</t></is></c><c r="C1" t="inlineStr"><is><t>手机号</t></is></c></row>
           <row r="4"><c r="A4" t="inlineStr"><is><t> 向春梅 </t></is></c><c r="C4"><v>13800000001</v></c><c r="D4"><v>1.5</v></c></row>"#,
    );
    let rows = rows(&book).unwrap();
    assert_eq!(texts(&rows), [(1, vec!["姓名", "", "手机号"]), (4, vec!["向春梅", "", "13800000001", "1.5"])]);
}

#[test]
fn text_of_any_program_is_read() {
    let expected = [(1, vec!["姓名", "手机号"]), (3, vec!["向春梅", "13800000001"])];
    let gb = encoding_rs::GB18030.encode("姓名,手机号\n\n向春梅,13800000001\n").0.into_owned();
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend("姓名\t手机号\r\n\r\n向春梅\t13800000001\r\n".encode_utf16().flat_map(u16::to_le_bytes));
    for file in [
        "姓名,手机号\n\n向春梅,13800000001".as_bytes().to_vec(),
        "\u{feff}\"姓名\";手机号\r\n\r\n向春梅;13800000001\r\n".as_bytes().to_vec(),
        gb,
        utf16,
    ] {
        assert_eq!(texts(&rows(&file).unwrap()), expected, "{file:?}");
    }
}

#[test]
fn what_is_no_table_is_told_from_what_is_too_much() {
    assert_eq!(rows(b""), Err(Unreadable::NoTable));
    assert_eq!(rows(b"\xff\xd8\xff\xe0\0\0"), Err(Unreadable::NoTable));
    assert_eq!(rows(b"PK\x03\x04 nothing"), Err(Unreadable::NoTable));
    assert_eq!(rows(&[0xd0, 0xcf, 0x11, 0xe0, 0xa1]), Err(Unreadable::OldOrLocked));
    assert_eq!(rows(&vec![b','; MAX_BYTES + 1]), Err(Unreadable::TooLarge));
    assert_eq!(rows("a\n".repeat(MAX_ROWS + 1).as_bytes()), Err(Unreadable::TooManyRows));
    assert_eq!(rows("a\n".repeat(MAX_ROWS).as_bytes()).unwrap().len(), MAX_ROWS);
    assert_eq!(rows(&workbook("")), Err(Unreadable::NoTable));
    let far = r#"<row r="1048576"><c r="XFD1048576"><v>1</v></c><c r="A1048576"><v>2</v></c></row>"#;
    assert_eq!(texts(&rows(&workbook(far)).unwrap()), [(1_048_576, vec!["2"])]);
    let bomb = workbook(&format!("<!--{}-->", " ".repeat(MAX_UNPACKED as usize)));
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    assert_eq!(rows(&bomb), Err(Unreadable::TooLarge));
    let many: String =
        (1..=MAX_ROWS + 1).map(|n| format!(r#"<row r="{n}"><c r="A{n}"><v>{n}</v></c></row>"#)).collect();
    assert_eq!(rows(&workbook(&many)), Err(Unreadable::TooManyRows));
}
