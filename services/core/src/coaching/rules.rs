//! The table of rules, and what it makes of a clip's measures. Pure.
//!
//! A rule holds in a second in which all of its conditions do, and speaks when it held for `seconds` on end. Of rules that
//! are about the same thing (`about`) the weightiest speaks, and of all that speak, the weightiest [`Rules::most`].

use serde::{Deserialize, Serialize};
use weijia_signals::Measures;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    pub version: String,
    pub most: usize,
    pub rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub code: String,
    /// For staff.
    pub title: String,
    /// What it is about: one thing is said once.
    pub about: String,
    pub weight: i64,
    /// How long it has to be so.
    pub seconds: usize,
    pub when: Vec<Condition>,
    /// It says nothing.
    #[serde(default)]
    pub muted: bool,
    /// What she reads. `{at}` becomes the place.
    pub say: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub measure: Measure,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<i16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<i16>,
}

/// What a condition looks at; units as in `weijia_signals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    Light,
    Middle,
    Backlight,
    Sharp,
    Shake,
    Change,
    Level,
    Clipped,
    Low,
    /// 1 for a clip that is wider than it is high.
    Sideways,
}

impl Measure {
    /// What it can be: a limit beyond that would never speak, or always.
    pub const fn range(self) -> std::ops::RangeInclusive<i16> {
        match self {
            Measure::Light | Measure::Middle => 16..=235,
            Measure::Backlight => -219..=219,
            Measure::Sharp | Measure::Shake | Measure::Clipped => 0..=10_000,
            Measure::Change => 0..=21_900,
            Measure::Level => -99..=0,
            Measure::Low => 0..=100,
            Measure::Sideways => 0..=1,
        }
    }
}

/// One sentence for her, and where in the clip it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    pub code: String,
    pub at_ms: i64,
    pub until_ms: i64,
    pub text: String,
}

impl Measure {
    /// None: nothing is known of that second.
    fn of(self, measures: &Measures, second: usize) -> Option<i16> {
        let picture = measures.pictures.get(second);
        let sound = measures.sound.as_ref().and_then(|sound| sound.get(second));
        match self {
            Measure::Light => picture.map(|p| p.light),
            Measure::Middle => picture.map(|p| p.middle),
            Measure::Backlight => picture.map(|p| p.backlight),
            Measure::Sharp => picture.map(|p| p.sharp),
            Measure::Shake => picture.map(|p| p.shake),
            Measure::Change => picture.map(|p| p.change),
            Measure::Level => sound.map(|s| s.level),
            Measure::Clipped => sound.map(|s| s.clipped),
            Measure::Low => sound.map(|s| s.low),
            Measure::Sideways => Some(i16::from(measures.sideways)),
        }
    }
}

impl Condition {
    /// Whether there is something that it can hold for.
    pub fn is_possible(&self) -> bool {
        let within = |limit: Option<i16>| limit.is_none_or(|limit| self.measure.range().contains(&limit));
        let between = self.above.zip(self.below).is_none_or(|(above, below)| below.saturating_sub(above) > 1);
        within(self.above) && within(self.below) && between
    }

    fn holds(&self, measures: &Measures, second: usize) -> bool {
        let Some(value) = self.measure.of(measures, second) else { return false };
        self.above.is_none_or(|limit| value > limit) && self.below.is_none_or(|limit| value < limit)
    }
}

impl Rule {
    /// The longest run of seconds in which it holds, if that is long enough: the first and how many.
    fn found(&self, measures: &Measures, seconds: usize) -> Option<(usize, usize)> {
        let is_known = |second| self.when.iter().all(|condition| condition.measure.of(measures, second).is_some());
        let known = (0..seconds).filter(|second| is_known(*second)).count();
        let holds = |second| self.when.iter().all(|condition| condition.holds(measures, second));
        let (mut longest, mut run) = ((0, 0), (0, 0));
        for second in 0..seconds {
            run = match (holds(second), run.1) {
                (false, _) => (second, 0),
                (true, 0) => (second, 1),
                (true, n) => (run.0, n + 1),
            };
            if run.1 > longest.1 {
                longest = run;
            }
        }
        // A clip that is shorter than the rule asks for can hold to it from its beginning to its end.
        (longest.1 > 0 && longest.1 >= self.seconds.min(known)).then_some(longest)
    }

    fn hint(&self, (first, length): (usize, usize), seconds: usize) -> Hint {
        let place = match (first, length) {
            (_, length) if length * 10 >= seconds * 9 => "整条".to_owned(),
            (0, _) => "开头".to_owned(),
            (first, _) if first < 60 => format!("第 {first} 秒起"),
            (first, _) => format!("第 {} 分 {} 秒起", first / 60, first % 60),
        };
        let text = self.say.replace("{at}", &place);
        let ms = |second: usize| second as i64 * 1000;
        Hint { code: self.code.clone(), at_ms: ms(first), until_ms: ms(first + length), text }
    }
}

/// What to say about a clip, the weightiest first. What it was `warned` of as a whole is said already.
pub fn hints(rules: &Rules, measures: &Measures, warned: &[&str]) -> Vec<Hint> {
    let seconds = measures.pictures.len();
    let mut table: Vec<&Rule> = rules.rules.iter().filter(|rule| !rule.muted).collect();
    table.sort_by_key(|rule| std::cmp::Reverse(rule.weight));
    let all = rules.rules.iter();
    let mut said: Vec<&str> =
        all.filter(|rule| warned.contains(&rule.code.as_str())).map(|rule| rule.about.as_str()).collect();
    let mut hints = Vec::new();
    for rule in table {
        if hints.len() == rules.most {
            break;
        }
        if said.contains(&rule.about.as_str()) {
            continue;
        }
        if let Some(found) = rule.found(measures, seconds) {
            said.push(&rule.about);
            hints.push(rule.hint(found, seconds));
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use weijia_signals::{PictureSecond, SoundSecond};

    use super::*;
    use crate::content;

    const GOOD: PictureSecond =
        PictureSecond { light: 110, middle: 105, backlight: 5, sharp: 400, shake: 10, change: 300 };
    const CLEAR: SoundSecond = SoundSecond { level: -20, clipped: 0, low: 10 };

    fn clip(seconds: usize) -> Measures {
        Measures { pictures: vec![GOOD; seconds], sound: Some(vec![CLEAR; seconds]), sideways: false }
    }
    fn codes(measures: &Measures) -> Vec<String> {
        hints(content::coaching(), measures, &[]).into_iter().map(|hint| hint.code).collect()
    }

    #[test]
    fn nothing_is_said_about_what_is_well() {
        assert!(codes(&clip(20)).is_empty());
        assert!(codes(&Measures { sound: None, ..clip(20) }).is_empty());
        assert!(codes(&Measures::default()).is_empty());
    }

    #[test]
    fn a_hint_names_its_place() {
        let mut measures = clip(20);
        measures.pictures[8..13].fill(PictureSecond { light: 35, ..GOOD });
        let [hint] = &hints(content::coaching(), &measures, &[])[..] else { panic!() };
        assert_eq!((hint.code.as_str(), hint.at_ms, hint.until_ms), ("dark", 8_000, 13_000));
        assert!(hint.text.starts_with("第 8 秒起画面太暗"), "{}", hint.text);
        measures.pictures.fill(PictureSecond { light: 35, ..GOOD });
        assert!(hints(content::coaching(), &measures, &[])[0].text.starts_with("整条画面太暗"));
        measures.pictures[10..].fill(GOOD);
        assert!(hints(content::coaching(), &measures, &[])[0].text.starts_with("开头画面太暗"));
    }

    #[test]
    fn what_was_warned_of_is_not_said_again_and_takes_no_place() {
        let mut measures = clip(70);
        measures.pictures[62..].fill(PictureSecond { light: 16, shake: 900, ..GOOD });
        assert_eq!(codes(&measures), ["black", "shaky"]);
        let [hint] = &hints(content::coaching(), &measures, &["black"])[..] else { panic!() };
        assert!(hint.code == "shaky" && hint.text.starts_with("第 1 分 2 秒起"), "{hint:?}");
    }

    #[test]
    fn a_moment_is_no_fault_and_a_short_clip_is_judged_whole() {
        let mut measures = clip(20);
        measures.pictures[8..10].fill(PictureSecond { light: 35, ..GOOD });
        assert!(codes(&measures).is_empty());
        let silent = vec![SoundSecond { level: -90, clipped: 0, low: 0 }; 3];
        assert_eq!(
            codes(&Measures { sound: Some(silent), ..clip(4) }),
            ["silent"],
            "a rest of a second has no sound of its own"
        );
        let short = Measures { pictures: vec![PictureSecond { light: 35, ..GOOD }; 2], ..clip(2) };
        assert_eq!(codes(&short), ["dark"]);
    }

    #[test]
    fn three_things_at_most_each_once_and_the_weightiest_first() {
        let mut measures = Measures { sideways: true, ..clip(20) };
        measures.pictures.fill(PictureSecond {
            light: 35,
            middle: 20,
            backlight: 90,
            sharp: 10,
            shake: 900,
            change: 300,
        });
        measures.sound = Some(vec![SoundSecond { level: -10, clipped: 300, low: 90 }; 20]);
        assert_eq!(codes(&measures), ["dark", "windy", "shaky"]);
    }

    #[test]
    fn the_table_is_whole_and_speaks_plainly() {
        let table = content::coaching();
        assert_eq!(table.most, 3);
        for (n, rule) in table.rules.iter().enumerate() {
            assert!(table.rules[..n].iter().all(|other| other.code != rule.code && other.weight != rule.weight));
            assert!(rule.seconds > 0 && !rule.when.is_empty(), "{}", rule.code);
            assert!(rule.when.iter().all(|c| c.above.is_some() || c.below.is_some()), "{}", rule.code);
            assert!(rule.when.iter().all(Condition::is_possible), "{}", rule.code);
            assert!(rule.say.ends_with('。') && rule.say.chars().count() <= 40, "{}", rule.say);
            for word in ["您", "！", "错误", "失败"] {
                assert!(!rule.say.contains(word), "{}", rule.say);
            }
        }
    }
}
