//! Text as ffmpeg's decoders of captions give it: a line of SSA.

use super::CueText;
use super::markup::References;

impl CueText {
    /// The text of `ReadOrder,Layer,Style,Name,MarginL,MarginR,MarginV,Effect,Text`; a drawing has none.
    pub fn of_ass(line: &str) -> CueText {
        let text = line.splitn(9, ',').nth(8).unwrap_or_default();
        CueText::of(&marked_up(text), References::Resolved)
    }
}

fn marked_up(text: &str) -> String {
    let (mut out, mut rest, mut drawing) = (String::new(), text, false);
    while let Some(next) = rest.chars().next() {
        if let Some((codes, behind)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            for code in codes.split('\\').skip(1) {
                match (code, code.strip_prefix('p').and_then(|n| n.parse::<u32>().ok())) {
                    (_, Some(scale)) => drawing = scale > 0,
                    ("i1" | "b1" | "u1", _) => out.push_str(&format!("<{}>", &code[..1])),
                    ("i0" | "b0" | "u0", _) => out.push_str(&format!("</{}>", &code[..1])),
                    // Back to plain; the film's own captions end their styles so.
                    (reset, _) if reset.starts_with('r') => out.push_str("</i></b></u>"),
                    _ => {}
                }
            }
            rest = behind;
            continue;
        }
        let (piece, length) = match next {
            '\\' if rest.starts_with("\\N") || rest.starts_with("\\n") => ("\n", 2),
            '\\' if rest.starts_with("\\h") => (" ", 2),
            '&' => ("&amp;", 1),
            '<' => ("&lt;", 1),
            '>' => ("&gt;", 1),
            other => (&rest[..other.len_utf8()], other.len_utf8()),
        };
        if !drawing {
            out.push_str(piece);
        }
        rest = &rest[length..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ssa_is_text() {
        for (line, is) in [
            ("0,0,Default,,0,0,0,,第一句\\N第二句, 还有", "第一句\n第二句, 还有"),
            ("1,0,Default,,0,0,0,,{\\i1}斜{\\i0}{\\b1\\an8}粗", "<i>斜</i><b>粗</b>"),
            ("1,0,Default,,0,0,0,,一{\\b1}二{\\r}三{\\rDefault}四", "一<b>二</b>三四"),
            ("2,0,Default,,0,0,0,,{\\p1}m 0 0 l 100 0{\\p0}字", "字"),
            ("3,0,Default,,0,0,0,,{\\pos(10,20)\\c&Hff&}1 < 2 & <script>", "1 &lt; 2 &amp; &lt;script&gt;"),
            ("4,0,Default,,0,0,0,,空\\h格", "空 格"),
            ("5,0,Default", ""),
        ] {
            assert_eq!(CueText::of_ass(line).as_str(), is, "{line}");
        }
    }
}
