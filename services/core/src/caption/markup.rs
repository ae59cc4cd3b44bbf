//! The text of a cue. A browser gets it as WebVTT, so of what looks like a tag only italics, bold and underlining stay,
//! each closed again, and everything else is escaped.

/// What stands in a cue of ours: nothing in it but text, `<i>`, `<b>` and `<u>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CueText(String);

/// Whether `&amp;` is an ampersand, as in WebVTT, or these five characters, as in SRT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum References {
    Resolved,
    Plain,
}

const NAMED: [(&str, char); 6] =
    [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&nbsp;", '\u{a0}'), ("&lrm;", '\u{200e}'), ("&rlm;", '\u{200f}')];

impl References {
    /// The character that stands for itself in this way here, and what is behind it.
    fn at(self, rest: &str) -> Option<(char, &str)> {
        let mut named = NAMED.iter().filter(|_| self == References::Resolved);
        named.find_map(|(name, plain)| Some((*plain, rest.strip_prefix(name)?)))
    }
}

impl CueText {
    pub fn of(raw: &str, references: References) -> CueText {
        let (mut text, mut open) = (String::new(), Vec::new());
        let mut rest = raw;
        while let Some(next) = rest.chars().next() {
            if let Some((tag, behind)) = tag(rest) {
                tag.write(&mut text, &mut open);
                rest = behind;
            } else if let Some(behind) = style_override(rest) {
                rest = behind;
            } else if let Some((plain, behind)) = references.at(rest) {
                escaped(&mut text, plain);
                rest = behind;
            } else {
                escaped(&mut text, next);
                rest = &rest[next.len_utf8()..];
            }
        }
        while let Some(name) = open.pop() {
            text.push_str(&format!("</{name}>"));
        }
        // An empty line would end the cue.
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        CueText(lines.collect::<Vec<_>>().join("\n"))
    }

    pub fn is_empty(&self) -> bool {
        let without =
            ["<i>", "</i>", "<b>", "</b>", "<u>", "</u>"].iter().fold(self.0.clone(), |t, tag| t.replace(tag, ""));
        without.trim().is_empty()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn escaped(text: &mut String, c: char) {
    match c {
        '&' => text.push_str("&amp;"),
        '<' => text.push_str("&lt;"),
        '>' => text.push_str("&gt;"),
        '\n' => text.push('\n'),
        '\t' => text.push(' '),
        c if c.is_control() => {}
        c => text.push(c),
    }
}

enum Tag {
    Open(char),
    Close(char),
    /// A font, a voice, a class, a moment: its text stays.
    Other,
}

impl Tag {
    fn write(self, text: &mut String, open: &mut Vec<char>) {
        match self {
            Tag::Open(name) if !open.contains(&name) => {
                open.push(name);
                text.push_str(&format!("<{name}>"));
            }
            Tag::Close(name) if open.contains(&name) => {
                while let Some(inner) = open.pop() {
                    text.push_str(&format!("</{inner}>"));
                    if inner == name {
                        break;
                    }
                }
            }
            Tag::Open(_) | Tag::Close(_) | Tag::Other => {}
        }
    }
}

/// The tag that this begins with, and what stands behind it.
fn tag(rest: &str) -> Option<(Tag, &str)> {
    let (inner, behind) = rest.strip_prefix('<')?.split_once('>')?;
    let (closing, inner) = inner.strip_prefix('/').map_or((false, inner), |inner| (true, inner));
    let name: String = inner.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let is_moment =
        inner.starts_with(|c: char| c.is_ascii_digit()) && inner.chars().all(|c| "0123456789:.,".contains(c));
    let is_named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && inner[name.len()..].chars().next().is_none_or(|c| c.is_whitespace() || ['.', '/', '='].contains(&c));
    if inner.contains('<') || !(is_moment || is_named) {
        return None;
    }
    let mark = ['i', 'b', 'u'].into_iter().find(|mark| name.len() == 1 && name.starts_with(*mark));
    Some((mark.map_or(Tag::Other, |mark| if closing { Tag::Close(mark) } else { Tag::Open(mark) }), behind))
}

/// `{\an8}`: where a line stands, in files that were once SSA.
fn style_override(rest: &str) -> Option<&str> {
    rest.strip_prefix("{\\")?.split_once('}').map(|(_, behind)| behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(raw: &str) -> String {
        CueText::of(raw, References::Plain).0
    }

    #[test]
    fn of_marks_only_three_stay_each_closed_again() {
        for (raw, is) in [
            ("<i>晒秋</i>了", "<i>晒秋</i>了"),
            ("<B>一<i>二</B>三", "<b>一<i>二</i></b>三"),
            ("</i>一<u>二", "一<u>二</u>"),
            ("<i><i>一</i></i>", "<i>一</i>"),
            ("<b.loud>大</b>", "<b>大</b>"),
            ("<font color=\"#ff0000\">红</font>", "红"),
            ("<v 向春桃>我是谁</v>", "我是谁"),
            ("<c.yellow.bg>黄</c>", "黄"),
            ("<00:00:01.500>一", "一"),
            ("{\\an8}上面", "上面"),
            ("{一}", "{一}"),
        ] {
            assert_eq!(safe(raw), is, "{raw}");
        }
    }

    #[test]
    fn everything_else_is_text() {
        for (raw, is) in [
            ("<script>alert(1)</script>", "alert(1)"),
            ("<img src=x onerror=alert(1)>", ""),
            ("<style>::cue{background:url(//x)}</style>", "::cue{background:url(//x)}"),
            ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
            ("<3 你", "&lt;3 你"),
            ("1 --> 2", "1 --&gt; 2"),
            ("<<i>x", "&lt;<i>x</i>"),
            ("<", "&lt;"),
            ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
            ("一\0\u{1b}[2J\u{7}二", "一[2J二"),
            (" 一 \n\n \n二 ", "一\n二"),
        ] {
            assert_eq!(safe(raw), is, "{raw}");
        }
        assert!(CueText::of("<i> </i>", References::Plain).is_empty());
    }

    #[test]
    fn what_is_safe_stays_as_it_is() {
        for raw in ["<b>一&</b><i", "a<b>c", "&lt;script&gt;", "x&nbsp;y", "<i>1\n\n2"] {
            let once = CueText::of(raw, References::Resolved);
            assert_eq!(CueText::of(once.as_str(), References::Resolved), once, "{raw}");
        }
        assert_eq!(CueText::of("&lt;b&gt;", References::Resolved).0, "&lt;b&gt;");
    }
}
