//! What people type, as it is kept: text that can be seen, in the order it is read. Pure.
//!
//! Control characters do harm (PostgreSQL keeps no NUL), and marks that turn the direction of reading make one name look
//! like another. Emoji and every script stay whole.

use std::borrow::Cow;

use encoding_rs::{GB18030, UTF_16BE, UTF_16LE};

/// A text file: UTF-8; UTF-16 by its mark, as Notepad writes it; or else GB18030, as Chinese programs on Windows do. None:
/// it is no text.
pub fn decoded(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let utf16 = [(&[0xff, 0xfe][..], UTF_16LE), (&[0xfe, 0xff][..], UTF_16BE)];
    let decoded = if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        std::str::from_utf8(rest).ok().map(Cow::Borrowed)
    } else if let Some((rest, encoding)) = utf16.iter().find_map(|(mark, e)| Some((bytes.strip_prefix(*mark)?, *e))) {
        encoding.decode_without_bom_handling_and_without_replacement(rest)
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        Some(Cow::Borrowed(text))
    } else {
        GB18030.decode_without_bom_handling_and_without_replacement(bytes)
    };
    // No text holds a zero; almost everything that is none does.
    decoded.filter(|text| !text.contains('\0'))
}

/// A name, a title: one line.
pub fn one_line(text: &str) -> String {
    let spaced = text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c });
    kept(spaced.filter(|c| !is_unseen(*c)).collect())
}

/// What somebody writes to somebody: line breaks stay.
pub fn lines(text: &str) -> String {
    kept(text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_unseen(*c)).collect())
}

fn kept(text: String) -> String {
    if text.chars().any(is_seen) { text.trim().to_owned() } else { String::new() }
}

/// Control characters, marks of direction, and characters without width that join nothing.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// Shows something by itself. Joiners and variation selectors do so only with others.
fn is_seen(c: char) -> bool {
    let nothing = matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}');
    let helper = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
    !c.is_whitespace() && !nothing && !helper
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays_as_it_was_typed() {
        for text in ["油菜花开了", "<b>5 > 3</b>", "👩‍👩‍👧🏽 ❤️", "ཁ་བཏགས", "مرحبا", "Ngôn ngữ"]
        {
            assert_eq!((one_line(text).as_str(), lines(text).as_str()), (text, text));
        }
        assert_eq!(lines(" 一\r\n二\t三 \n"), "一\n二\t三");
        assert_eq!(one_line(" 一\n二 "), "一 二");
    }

    #[test]
    fn what_cannot_be_seen_goes() {
        assert_eq!(one_line("a\0b\u{1f}\u{7f}\u{202e}gpj.exe\u{2069}"), "abgpj.exe");
        for nothing in ["", " \n ", "\0", "\u{200b}", "\u{202e}\u{2066}", "\u{200d}\u{fe0f}", "\u{3164}\u{2800}"] {
            assert_eq!((one_line(nothing).as_str(), lines(nothing).as_str()), ("", ""), "{nothing:?}");
        }
    }
}
