//! Where she is and what comes next. Pure: content and rows in, her course out.

use std::collections::BTreeMap;

use super::{Answer, Assignment, CohortRef, Course, Lesson, Mark, Module, Next, NextKind};
use crate::clip::ClipState;
use crate::content;
use crate::time::At;

/// Lessons she completed, by code.
pub type Done = BTreeMap<String, At>;

impl Mark {
    fn of(state: ClipState) -> Option<Mark> {
        Some(match state {
            ClipState::Draft => Mark::Draft,
            ClipState::Submitted => Mark::Submitted,
            ClipState::Reviewing => Mark::Reviewing,
            ClipState::Returned => Mark::Returned,
            ClipState::Passed => Mark::Passed,
            ClipState::Withdrawn => return None,
        })
    }
}

/// Where an assignment stands, and by which clip: passed once is passed; else the clip that a mentor knows of speaks,
/// and among those the one that moved last.
pub fn mark<'a>(code: &str, answers: impl IntoIterator<Item = &'a Answer>) -> (Mark, Option<&'a Answer>) {
    let answers = answers.into_iter().filter(|a| a.assignment_code == code && a.state != ClipState::Withdrawn);
    let best = answers.max_by_key(|a| (a.state == ClipState::Passed, a.state != ClipState::Draft, a.updated_at));
    let mark = best.and_then(|a| Mark::of(a.state)).unwrap_or(Mark::None);
    (mark, best)
}

pub fn course(content: &content::Course, cohort: CohortRef, done: &Done, answers: &[Answer]) -> Course {
    let modules = content.modules.iter().map(|module| Module {
        code: module.code.clone(),
        title: module.title.clone(),
        required: module.required,
        lessons: module
            .lessons
            .iter()
            .map(|lesson| Lesson {
                code: lesson.code.clone(),
                title: lesson.title.clone(),
                minutes: lesson.minutes,
                completed_at: done.get(&lesson.code).copied(),
            })
            .collect(),
    });
    let assignments: Vec<Assignment> = content
        .assignments
        .iter()
        .map(|a| {
            let (state, best) = mark(&a.code, answers);
            Assignment {
                code: a.code.clone(),
                title: a.title.clone(),
                kind: a.kind.clone(),
                module: a.module.clone(),
                clip: a.is_clip(),
                state,
                clip_id: best.map(|answer| answer.clip_id.clone()),
            }
        })
        .collect();
    let modules: Vec<Module> = modules.collect();
    let lessons_done = modules.iter().flat_map(|m| &m.lessons).filter(|l| l.completed_at.is_some()).count() as i64;
    Course {
        cohort_id: cohort.id.clone(),
        cohort,
        version: content.version.clone(),
        title: content.title.clone(),
        next: next(&modules, &assignments, answers),
        lessons_total: content.lessons_total() as i64,
        lessons_done,
        modules,
        assignments,
    }
}

/// First what her mentor said, because somebody waits for her there; then the required modules in their order, each
/// with its lessons before its assignments; then the piece that spans the whole course; then the rest.
fn next(modules: &[Module], assignments: &[Assignment], answers: &[Answer]) -> Next {
    let said = answers.iter().filter(|a| {
        let last_word = mark(&a.assignment_code, answers).1.is_some_and(|best| best.clip_id == a.clip_id);
        let live = a.state != ClipState::Withdrawn;
        live && (a.unheard > 0 || (a.state == ClipState::Returned && last_word))
    });
    if let Some(answer) = said.min_by_key(|a| (a.unheard == 0, a.updated_at)) {
        return Next {
            kind: NextKind::Feedback,
            code: answer.assignment_code.clone(),
            title: answer.title.clone(),
            clip_id: Some(answer.clip_id.clone()),
        };
    }
    let lesson_of = |module: &Module| {
        module.lessons.iter().find(|l| l.completed_at.is_none()).map(|lesson| Next {
            kind: NextKind::Lesson,
            code: lesson.code.clone(),
            title: lesson.title.clone(),
            clip_id: None,
        })
    };
    let assignment_of = |module: &str| {
        let open = |a: &&Assignment| a.module == module && a.clip && matches!(a.state, Mark::None | Mark::Draft);
        assignments.iter().find(open).map(|a| Next {
            kind: NextKind::Assignment,
            code: a.code.clone(),
            title: a.title.clone(),
            clip_id: a.clip_id.clone(),
        })
    };
    let in_module = |module: &Module| lesson_of(module).or_else(|| assignment_of(&module.code));
    let spanning = || {
        let spans = |a: &&Assignment| modules.iter().all(|m| m.code != a.module);
        assignments.iter().filter(spans).find_map(|a| assignment_of(&a.module))
    };
    modules
        .iter()
        .filter(|m| m.required)
        .find_map(in_module)
        .or_else(spanning)
        .or_else(|| modules.iter().filter(|m| !m.required).find_map(in_module))
        .unwrap_or_else(|| Next {
            kind: NextKind::Done,
            code: String::new(),
            title: "课都学完了，作业也交齐了".to_owned(),
            clip_id: None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ClipId, CohortId};

    fn answer(code: &str, state: ClipState, updated_at: i64) -> Answer {
        Answer {
            clip_id: ClipId::new(),
            assignment_code: code.into(),
            title: "我的片子".into(),
            state,
            updated_at: At(updated_at),
            unheard: 0,
        }
    }

    fn course_of(done: &[&str], answers: &[Answer]) -> Course {
        let cohort = CohortRef { id: CohortId::new(), series_no: 49, title: "第49期".into() };
        let done = done.iter().map(|code| ((*code).to_owned(), At(1))).collect();
        course(content::course(), cohort, &done, answers)
    }

    fn lessons(filter: impl Fn(&content::Module) -> bool) -> Vec<&'static str> {
        let modules = content::course().modules.iter().filter(|m| filter(m));
        modules.flat_map(|m| &m.lessons).map(|l| l.code.as_str()).collect()
    }

    #[test]
    fn it_begins_with_the_first_lesson() {
        let course = course_of(&[], &[]);
        assert_eq!((course.next.kind, course.next.code.as_str()), (NextKind::Lesson, "M0-1"));
        assert_eq!((course.lessons_done, course.lessons_total), (0, 54));
        assert!(course.assignments.iter().all(|a| a.state == Mark::None));
        let clips: Vec<&str> = course.assignments.iter().filter(|a| a.clip).map(|a| a.code.as_str()).collect();
        assert_eq!(clips, ["A1", "A4", "A5", "A6", "A7", "A11", "A12"]);
    }

    #[test]
    fn a_modules_lessons_come_before_its_assignment() {
        let m0 = lessons(|m| m.code == "M0");
        let course = course_of(&m0, &[]);
        assert_eq!((course.next.kind, course.next.code.as_str()), (NextKind::Assignment, "A1"));
        let handed_in = course_of(&m0, &[answer("A1", ClipState::Submitted, 5)]);
        assert_eq!((handed_in.next.kind, handed_in.next.code.as_str()), (NextKind::Lesson, "M1-1"));
    }

    #[test]
    fn what_her_mentor_said_comes_first() {
        let returned = answer("A1", ClipState::Returned, 5);
        let course = course_of(&[], std::slice::from_ref(&returned));
        assert_eq!((course.next.kind, course.next.clip_id), (NextKind::Feedback, Some(returned.clip_id)));
        let passed = Answer { unheard: 2, ..answer("A1", ClipState::Passed, 5) };
        assert_eq!(course_of(&[], std::slice::from_ref(&passed)).next.kind, NextKind::Feedback);
        assert_eq!(course_of(&[], &[Answer { unheard: 0, ..passed }]).next.kind, NextKind::Lesson);
    }

    #[test]
    fn a_returned_clip_that_another_has_overtaken_asks_for_nothing() {
        let answers = [answer("A1", ClipState::Returned, 5), answer("A1", ClipState::Passed, 4)];
        assert_eq!(course_of(&[], &answers).next.kind, NextKind::Lesson);
    }

    #[test]
    fn passed_once_is_passed_and_a_draft_never_hides_what_was_handed_in() {
        let two = [answer("A4", ClipState::Passed, 1), answer("A4", ClipState::Returned, 9)];
        assert_eq!(mark("A4", &two).0, Mark::Passed);
        let two = [answer("A4", ClipState::Submitted, 1), answer("A4", ClipState::Draft, 9)];
        assert_eq!(mark("A4", &two).0, Mark::Submitted);
        assert_eq!(mark("A4", &[answer("A4", ClipState::Withdrawn, 1)]), (Mark::None, None));
        assert_eq!(mark("A1", &two), (Mark::None, None));
    }

    #[test]
    fn it_ends_after_the_last_piece() {
        let all_required = lessons(|m| m.required);
        let clips = |codes: &[&str]| codes.iter().map(|c| answer(c, ClipState::Passed, 1)).collect::<Vec<_>>();
        let course = course_of(&all_required, &clips(&["A1", "A4", "A5", "A6", "A7"]));
        assert_eq!((course.next.kind, course.next.code.as_str()), (NextKind::Assignment, "A12"));
        let course = course_of(&all_required, &clips(&["A1", "A4", "A5", "A6", "A7", "A12"]));
        assert_eq!((course.next.kind, course.next.code.as_str()), (NextKind::Lesson, "M7-1"));
        let course = course_of(&lessons(|_| true), &clips(&["A1", "A4", "A5", "A6", "A7", "A11", "A12"]));
        assert_eq!(course.next.kind, NextKind::Done);
    }
}
