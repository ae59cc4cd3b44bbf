//! A cohort as a table that offices work on: one row a trainee, one column an assignment.

use std::collections::HashMap;

use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use weijia_core::cohort::{MemberState, Progress};
use weijia_core::course::Mark;
use weijia_core::ids::UserId;
use weijia_core::time::At;

const HEAD: [&str; 12] =
    ["组", "座", "姓名", "手机号", "县", "村", "学籍", "学了几课", "一共几课", "在等什么", "上次来", "星级"];

/// `phones` are masked: what leaves this place cannot be called back.
pub fn write(progress: &Progress, phones: &HashMap<UserId, String>, now: At) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet().set_name(format!("第{}期", progress.cohort.series_no))?;
    let heads = HEAD.iter().map(|head| (*head).to_owned());
    let heads = heads.chain(progress.assignments.iter().map(|a| format!("{} {}", a.code, a.title)));
    for (column, head) in heads.enumerate() {
        sheet.write_string_with_format(0, column as u16, head, &bold)?;
    }
    for (n, trainee) in progress.trainees.iter().enumerate() {
        let mut line = Line { sheet, row: n as u32 + 1, column: 0 };
        line.number(trainee.group_no)?;
        line.number(trainee.seat_no)?;
        line.text(&trainee.person.name)?;
        line.text(phones.get(&trainee.person.id).map_or("", String::as_str))?;
        line.text(&trainee.person.county)?;
        line.text(&trainee.person.village)?;
        line.text(standing(trainee.state))?;
        line.number(Some(trainee.lessons_done))?;
        line.number(Some(trainee.lessons_total))?;
        line.text(trainee.waiting.as_ref().map_or("", |waiting| &waiting.what))?;
        line.text(&trainee.last_active_at.map(|at| at.china_date().to_string()).unwrap_or_default())?;
        line.number(trainee.star_level)?;
        for assignment in &progress.assignments {
            line.text(trainee.marks.get(&assignment.code).map_or("", |mark| word(mark.state)))?;
        }
    }
    sheet.set_freeze_panes(1, 3)?;
    sheet.autofit();
    // Below the table, and not as wide as its first column.
    let told = format!("导出于 {}，共 {} 位。手机号只留头尾。", now.china_date(), progress.trainees.len());
    sheet.write_string(progress.trainees.len() as u32 + 2, 0, told)?;
    workbook.save_to_buffer()
}

struct Line<'a> {
    sheet: &'a mut Worksheet,
    row: u32,
    column: u16,
}

impl Line<'_> {
    /// A text is never a formula, whatever it begins with.
    fn text(&mut self, text: &str) -> Result<(), XlsxError> {
        self.sheet.write_string(self.row, self.column, text)?;
        self.column += 1;
        Ok(())
    }
    /// What is not there stays empty: it is not zero.
    fn number(&mut self, number: Option<i64>) -> Result<(), XlsxError> {
        if let Some(number) = number {
            self.sheet.write_number(self.row, self.column, number as f64)?;
        }
        self.column += 1;
        Ok(())
    }
}

fn standing(state: MemberState) -> &'static str {
    match state {
        MemberState::Active => "在学",
        MemberState::Graduated => "结业",
        MemberState::Withdrawn => "退出",
    }
}

fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::None => "",
        Mark::Draft => "还没交",
        Mark::Submitted => "等点评",
        Mark::Reviewing => "在点评",
        Mark::Returned => "退回",
        Mark::Passed => "通过",
    }
}
