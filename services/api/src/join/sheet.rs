//! What is printed before a class begins, as a PDF (ISO 32000-1): a page for the wall and a card for everybody.
//!
//! Its writing is in a font that every reader of Chinese has (one of those that PDF knows by name, 9.7.5.2), so none is
//! carried along.

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, TextRenderingMode};
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str};
use weijia_core::cohort::Cohort;
use weijia_core::join::Card;

use super::qr;

pub struct Sheet<'a> {
    pub cohort: &'a Cohort,
    /// Where phones reach us.
    pub origin: &'a str,
    /// What the code on the wall says.
    pub wall: &'a str,
    pub cards: &'a [Card],
}

/// A4, in points.
const WIDTH: f32 = 595.28;
const HEIGHT: f32 = 841.89;
const MARGIN: f32 = 28.0;
const COLUMNS: usize = 2;
const ROWS: usize = 5;

const FONT: Name = Name(b"F");
/// For what is typed letter by letter: one of the fonts that every reader has, with every letter as wide as the others.
const LETTERS: Name = Name(b"L");
/// Of its size.
const LETTER_WIDTH: f32 = 0.6;

/// As the web's tokens have them.
type Colour = [u8; 3];
const LEAF: Colour = [0x1b, 0x5b, 0x45];
const INK: Colour = [0x18, 0x21, 0x1b];
const SOFT: Colour = [0x46, 0x51, 0x49];

/// How a line is written.
#[derive(Clone, Copy)]
struct Pen {
    size: f32,
    colour: Colour,
    bold: bool,
}

const fn plain(size: f32, colour: Colour) -> Pen {
    Pen { size, colour, bold: false }
}

const fn bold(size: f32, colour: Colour) -> Pen {
    Pen { size, colour, bold: true }
}

pub fn print(sheet: &Sheet<'_>) -> Vec<u8> {
    let mut pages = vec![wall(sheet)];
    for cards in sheet.cards.chunks(COLUMNS * ROWS) {
        pages.push(page_of_cards(sheet, cards));
    }
    let [catalog, tree, font, cid_font, descriptor, letters] = [1, 2, 3, 4, 5, 6].map(Ref::new);
    let page = |n: usize| Ref::new(7 + 2 * n as i32);
    let content = |n: usize| Ref::new(8 + 2 * n as i32);

    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids((0..pages.len()).map(page)).count(pages.len() as i32);
    for (n, drawn) in pages.into_iter().enumerate() {
        let mut written = pdf.page(page(n));
        written.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(content(n));
        written.resources().fonts().pair(FONT, font).pair(LETTERS, letters);
        written.finish();
        pdf.stream(content(n), &drawn.finish());
    }
    write_font(&mut pdf, font, cid_font, descriptor);
    pdf.type1_font(letters).base_font(Name(b"Courier-Bold"));
    pdf.finish()
}

fn write_font(pdf: &mut Pdf, font: Ref, cid_font: Ref, descriptor: Ref) {
    pdf.type0_font(font)
        .base_font(Name(b"STSong-Light-UniGB-UCS2-H"))
        .encoding_predefined(Name(b"UniGB-UCS2-H"))
        .descendant_font(cid_font);
    let info = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"GB1"), supplement: 2 };
    let mut cid = pdf.cid_font(cid_font);
    cid.subtype(CidFontType::Type0).base_font(Name(b"STSong-Light")).system_info(info);
    cid.font_descriptor(descriptor).default_width(1000.0);
    // Latin letters and digits are half as wide.
    cid.widths().same(1, 95, 500.0);
    cid.finish();
    pdf.font_descriptor(descriptor)
        .name(Name(b"STSong-Light"))
        .flags(FontFlags::SERIF | FontFlags::SYMBOLIC)
        .bbox(Rect::new(-25.0, -254.0, 1000.0, 880.0))
        .italic_angle(0.0)
        .ascent(752.0)
        .descent(-271.0)
        .cap_height(737.0)
        .stem_v(58.0);
}

fn wall(sheet: &Sheet<'_>) -> Content {
    let Sheet { cohort, origin, wall, .. } = sheet;
    let mut page = Content::new();
    band(&mut page, HEIGHT - 18.0);
    centred(&mut page, HEIGHT - 110.0, bold(40.0, INK), &format!("第{}期", cohort.series_no));
    centred(&mut page, HEIGHT - 162.0, bold(34.0, INK), &cohort.title);
    centred(&mut page, HEIGHT - 200.0, plain(16.0, SOFT), &cohort.host);
    let side = 380.0;
    code(&mut page, &format!("{origin}/join/{wall}"), (WIDTH - side) / 2.0, 216.0, side);
    centred(&mut page, 176.0, bold(28.0, LEAF), "用手机扫一扫，进班");
    centred(&mut page, 132.0, plain(16.0, INK), "扫不了，就用手机打开下面的网址，按老师念的四个数字：");
    letters(&mut page, 104.0, 18.0, &format!("{origin}/join"));
    band(&mut page, 0.0);
    page
}

fn page_of_cards(sheet: &Sheet<'_>, cards: &[Card]) -> Content {
    let mut page = Content::new();
    let (width, height) = ((WIDTH - 2.0 * MARGIN) / COLUMNS as f32, (HEIGHT - 2.0 * MARGIN) / ROWS as f32);
    for (n, card) in cards.iter().enumerate() {
        let (column, row) = (n % COLUMNS, n / COLUMNS);
        let (left, top) = (MARGIN + column as f32 * width, HEIGHT - MARGIN - row as f32 * height);
        page.save_state();
        stroke_with(&mut page, SOFT).set_line_width(0.5).set_dash_pattern([3.0, 3.0], 0.0);
        page.rect(left, top - height, width, height).stroke();
        page.restore_state();
        one_card(&mut page, sheet, card, left, top);
    }
    page
}

fn one_card(page: &mut Content, sheet: &Sheet<'_>, card: &Card, left: f32, top: f32) {
    const SIDE: f32 = 118.0;
    code(page, &format!("{}/card/{}", sheet.origin, card.token), left + 4.0, top - 10.0 - SIDE, SIDE);
    let (x, seat) = (left + SIDE + 10.0, &card.seat);
    let room = (WIDTH - 2.0 * MARGIN) / COLUMNS as f32 - SIDE - 16.0;
    let line = |page: &mut Content, y: f32, pen: Pen, says: &str| text(page, x, y, pen.within(room, says), says);
    line(page, top - 38.0, bold(22.0, INK), &seat.person.name);
    line(page, top - 58.0, plain(11.0, SOFT), &format!("{}{}", seat.person.county, seat.person.village));
    line(page, top - 78.0, bold(12.0, LEAF), &format!("第{}期 {}", sheet.cohort.series_no, sheet.cohort.title));
    let place = match (seat.group_no, seat.seat_no) {
        (Some(group), Some(no)) => format!("{group} 组　{no} 号座"),
        (None, Some(no)) => format!("{no} 号座"),
        (Some(group), None) => format!("{group} 组"),
        (None, None) => String::new(),
    };
    line(page, top - 98.0, plain(12.0, INK), &place);
    text(page, left + 14.0, top - 138.0, plain(10.0, INK), "开班那天扫左边的码，定六个自己的数字，就进班了。");
    text(page, left + 14.0, top - 152.0, plain(10.0, SOFT), "这张卡只给你用，别借给人，也别拍到网上。");
}

fn fill_with(page: &mut Content, colour: Colour) -> &mut Content {
    let [r, g, b] = colour.map(|part| f32::from(part) / 255.0);
    page.set_fill_rgb(r, g, b)
}

fn stroke_with(page: &mut Content, colour: Colour) -> &mut Content {
    let [r, g, b] = colour.map(|part| f32::from(part) / 255.0);
    page.set_stroke_rgb(r, g, b)
}

fn band(page: &mut Content, y: f32) {
    fill_with(page, LEAF).rect(0.0, y, WIDTH, 18.0).fill_nonzero();
}

/// A QR code with what is around it, in a square of that side.
fn code(page: &mut Content, says: &str, left: f32, bottom: f32, side: f32) {
    let qr = qr::encode(says);
    let unit = side / qr::side(&qr) as f32;
    fill_with(page, [0, 0, 0]);
    for (x, y, width) in qr::runs(&qr) {
        // A hair taller than it is: readers that smooth edges would show white lines between the rows.
        page.rect(left + x as f32 * unit, bottom + side - (y + 1) as f32 * unit, width as f32 * unit, unit * 1.02);
    }
    page.fill_nonzero();
}

fn centred(page: &mut Content, y: f32, pen: Pen, says: &str) {
    let room = WIDTH - 2.0 * MARGIN;
    let pen = pen.within(room, says);
    text(page, (WIDTH - pen.length(says)) / 2.0, y, pen, says);
}

/// An address, in the middle.
fn letters(page: &mut Content, y: f32, size: f32, says: &str) {
    let length = says.len() as f32 * LETTER_WIDTH;
    let size = size.min((WIDTH - 2.0 * MARGIN) / length);
    page.save_state();
    fill_with(page, INK);
    page.begin_text().set_font(LETTERS, size).next_line((WIDTH - length * size) / 2.0, y);
    page.show(Str(says.as_bytes())).end_text();
    page.restore_state();
}

fn text(page: &mut Content, x: f32, y: f32, pen: Pen, says: &str) {
    // The encoding of the font: two bytes a character. What it cannot write is left out.
    let written: Vec<u8> =
        says.chars().filter(|c| (*c as u32) < 0x10000).flat_map(|c| (c as u16).to_be_bytes()).collect();
    let Pen { size, colour, bold } = pen;
    page.save_state();
    fill_with(page, colour);
    stroke_with(page, colour);
    page.begin_text().set_font(FONT, size).next_line(x, y);
    if bold {
        page.set_line_width(size / 40.0).set_text_rendering_mode(TextRenderingMode::FillStroke);
    }
    page.show(Str(&written)).end_text();
    page.restore_state();
}

impl Pen {
    fn length(self, says: &str) -> f32 {
        says.chars().map(|c| if c.is_ascii() { self.size / 2.0 } else { self.size }).sum()
    }
    /// What is longer than there is room for is written smaller.
    fn within(self, room: f32, says: &str) -> Pen {
        let length = self.length(says).max(1.0);
        Pen { size: self.size.min(self.size * room / length), ..self }
    }
}

#[cfg(test)]
mod tests {
    use weijia_core::cohort::CohortState;
    use weijia_core::ids::{CohortId, UserId};
    use weijia_core::join::Seat;
    use weijia_core::person::Person;

    use super::*;

    fn card(n: i64) -> Card {
        let person = Person {
            id: UserId::new(),
            name: "向春桃".into(),
            village: "比耳村".into(),
            county: "龙山县".into(),
            avatar_char: "桃".into(),
        };
        let seat = Seat { person, group_no: Some(3), seat_no: Some(n), arrived_at: None };
        Card { seat, token: format!("TOKEN{n}") }
    }

    #[test]
    fn a_page_for_the_wall_and_ten_cards_on_each_other_one() {
        let cohort = Cohort {
            id: CohortId::new(),
            series_no: 49,
            title: "里耶班".into(),
            host: "龙山县妇联".into(),
            region_path: "43/4331/433130/".into(),
            state: CohortState::Running,
            starts_on: "2026-01-01".parse().unwrap(),
            ends_on: "2026-12-31".parse().unwrap(),
            trainees: 21,
            mentors: 1,
        };
        for (people, pages) in [(0, 1), (1, 2), (10, 2), (11, 3), (21, 4)] {
            let cards: Vec<Card> = (1..=people).map(card).collect();
            let pdf = print(&Sheet { cohort: &cohort, origin: "http://10.0.0.2:8080", wall: "WALL", cards: &cards });
            let written = String::from_utf8_lossy(&pdf);
            assert!(pdf.starts_with(b"%PDF-1.") && written.trim_end().ends_with("%%EOF"));
            assert_eq!(written.matches("/Type /Page\n").count(), pages, "{people}");
        }
    }

    #[test]
    fn a_long_line_is_written_smaller() {
        let pen = bold(22.0, INK);
        assert_eq!(pen.within(100.0, "向春桃").size, 22.0);
        let long = "阿依古丽·买买提明·吐尔逊";
        assert!(pen.within(100.0, long).length(long) <= 100.1);
        assert_eq!(pen.within(100.0, "").size, 22.0);
    }
}
