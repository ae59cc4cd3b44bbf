use super::super::write;
use encoding_rs::GB18030;

use super::*;

const LONG: i64 = 600_000;

fn read(text: &str) -> String {
    write(&parse(text.as_bytes(), LONG).unwrap())
}

fn refused(text: &str) -> Unreadable {
    parse(text.as_bytes(), LONG).unwrap_err()
}

const TWO: &str = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n我是谁\n\n00:00:03.000 --> 00:00:04.000\n我们村\n在山上\n";

#[test]
fn the_same_words_in_every_way_of_writing_them_are_the_same() {
    let srt = "1\n00:00:01,000 --> 00:00:02,500\n我是谁\n\n2\n00:00:03,000 --> 00:00:04,000\n我们村\n在山上\n";
    for text in [
        srt.to_owned(),
        srt.replace('\n', "\r\n"),
        srt.replace('\n', "\r"),
        srt.replace(',', "."),
        srt.replace(',', "，").replace(':', "："),
        srt.replace("\n\n", "\n"),
        srt.replace("1\n00", "00").replace("2\n00", "00"),
        srt.replace(" --> ", "-->"),
        srt.replace("2,500", "2,500 X1:100 X2:200 Y1:1 Y2:2"),
        srt.replace("我们村\n", "我们村\n\n"),
        format!("\n\n{srt}\n\n3\n"),
        format!("{srt}\n3\n00:00:05,000 --> 00:00:05,000\n没有时候\n\n4\n00:00:06,000 --> 00:00:07,000\n\n"),
        TWO.to_owned(),
        TWO.replace("00:00:", "00:"),
        TWO.replace(".500", ".500 line:0 position:10% align:start"),
        TWO.replace("00:00:03", "village 二\n00:00:03"),
        TWO.replace("WEBVTT", "WEBVTT - 标题\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\nKind: captions"),
        TWO.replace("WEBVTT\n", "WEBVTT\n\nSTYLE\n::cue { background: url(http://10.0.0.1/) }\n\nREGION\nid:a\n\nNOTE +27.1+109.5/\nx --> y\n"),
    ] {
        assert_eq!(read(&text), TWO, "{text}");
    }
    assert_eq!(read(TWO), TWO, "what is ours stays as it is");
}

#[test]
fn it_may_be_in_the_encodings_that_chinese_programs_write() {
    let text = "1\n00:00:01,000 --> 00:00:02,500\n我是谁，土家𠀀\n";
    let expected = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n我是谁，土家𠀀\n";
    let utf16 = |mark: &[u8], bytes: fn(u16) -> [u8; 2]| {
        [mark, &text.encode_utf16().flat_map(bytes).collect::<Vec<_>>()].concat()
    };
    for bytes in [
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        utf16(b"\xff\xfe", u16::to_le_bytes),
        utf16(b"\xfe\xff", u16::to_be_bytes),
        GB18030.encode(text).0.into_owned(),
    ] {
        assert_eq!(write(&parse(&bytes, LONG).unwrap()), expected);
    }
    for bytes in [
        &b"\xff\xfe\x31"[..],
        b"\xef\xbb\xbf\xff",
        b"\0\0\0\x18ftypmp42",
        b"1\n00:00:01,000 --> 00:00:02,500\n\xff\xff\n",
        &"1\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
    ] {
        assert_eq!(parse(bytes, LONG), Err(Unreadable::NotText), "{bytes:?}");
    }
}

#[test]
fn what_cannot_be_read_is_named_by_its_line() {
    let second = |line: &str| format!("1\n00:00:01,000 --> 00:00:02,000\n一\n\n2\n{line}\n二\n");
    for (text, why) in [
        (second("00:00:0x,000 --> 00:00:04,000"), Unreadable::BadTime(6)),
        (second("00:61:00,000 --> 00:62:04,000"), Unreadable::BadTime(6)),
        (second("00:00:03,000 -->"), Unreadable::BadTime(6)),
        (second("00:00:03,0000 --> 00:00:04,000"), Unreadable::BadTime(6)),
        (second("00:00:03,000 -> 00:00:04,000"), Unreadable::BadTime(6)),
        (second("00:00:03,000 → 00:00:04,000"), Unreadable::BadTime(6)),
        (second("00:00:04,000 --> 00:00:03,000"), Unreadable::EndsBeforeItBegins(6)),
        ("1\n我是谁\n".into(), Unreadable::NoTime(2)),
        ("我是谁\n00:00:01,000 --> 00:00:02,000\n一".into(), Unreadable::NoTime(1)),
        ("00:00:01,000 - 00:00:02,000\n一".into(), Unreadable::BadTime(1)),
        (TWO.replace("00:00:03.000", "3.000"), Unreadable::BadTime(6)),
        (second("00:00:03,000 --> 00:00:04,000").replace('二', &"二".repeat(1001)), Unreadable::LongCue(6)),
        (String::new(), Unreadable::NoCues),
        ("WEBVTT\n\nNOTE 没有字幕\n".into(), Unreadable::NoCues),
        ("1\n00:00:01,000 --> 00:00:02,000\n<img src=x>\n".into(), Unreadable::NoCues),
        ("a".repeat(MAX_BYTES + 1), Unreadable::TooLarge),
        ("00:00:01,000 --> 00:00:02,000\n一\n\n".repeat(MAX_CUES + 1), Unreadable::TooManyCues),
    ] {
        let start: String = text.chars().take(80).collect();
        assert_eq!(refused(&text), why, "{start}");
        let refusal = Refusal::from(why);
        assert!(refusal.message.ends_with('。') && refusal.next_step.ends_with('。'), "{refusal:?}");
    }
    assert!(Refusal::from(Unreadable::BadTime(6)).message.contains("第 6 行"));
}

#[test]
fn cues_lie_within_the_clip_and_in_order() {
    let text = "00:00:08,000 --> 00:00:12,000\n三\n\n00:00:02,000 --> 00:00:05,000\n二\n\n00:00:01,000 --> 00:00:09,000\n一\n\n\
                00:00:10,000 --> 00:00:11,000\n四\n";
    let cues = parse(text.as_bytes(), 10_000).unwrap();
    let seen: Vec<_> = cues.iter().map(|cue| (cue.start_ms, cue.end_ms, cue.text.as_str())).collect();
    assert_eq!(seen, [(1_000, 9_000, "一"), (2_000, 5_000, "二"), (8_000, 10_000, "三")]);
    assert_eq!(parse(text.as_bytes(), 1_000), Err(Unreadable::BeyondTheEnd));
}

#[test]
fn no_script_and_no_style_comes_through() {
    let text = "WEBVTT\n\nSTYLE\n::cue{color:red}\n\n00:01.000 --> 00:02.000\n<script>alert(1)</script><c.x>字</c>\n\n\
                NOTE\n00:03.000 --> 00:04.000\n这也是注\n";
    assert_eq!(read(text), "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nalert(1)字\n");
    // A text that looks like the head of another file, or ends its own cue, stays a text.
    let odd = read("1\n00:00:01,000 --> 00:00:02,000\n&lt;i&gt; --x> 00:00:05,000\nWEBVTT\nSTYLE\n");
    assert_eq!(odd, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n&amp;lt;i&amp;gt; --x&gt; 00:00:05,000\nWEBVTT\nSTYLE\n");
    assert_eq!(read(&odd), odd);
}

#[test]
fn whatever_it_is_given_it_comes_to_an_end() {
    // The same twenty thousand odd files in every run.
    let mut seed = 7_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % below
    };
    let pieces = [
        "\n",
        "1",
        "00:00:01,000",
        " --> ",
        "-->",
        "<",
        ">",
        "</",
        "i",
        "b",
        "&",
        "amp;",
        "{\\",
        "}",
        "字",
        "WEBVTT\n",
        "NOTE ",
        "\r",
        ":",
        ".",
    ];
    for _ in 0..20_000 {
        let text: String = (0..random(30)).map(|_| pieces[random(pieces.len())]).collect();
        if let Ok(cues) = parse(text.as_bytes(), LONG) {
            let once = write(&cues);
            assert_eq!(write(&parse(once.as_bytes(), LONG).unwrap()), once, "{text:?}");
        }
    }
}
