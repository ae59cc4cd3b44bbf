//! What was seen, for whoever runs this machine.

use std::fmt::Write as _;

use weijia_core::size;
use weijia_core::upkeep::mend::Mended;
use weijia_core::upkeep::{Counted, Kind};

use super::{Outcome, Repaired};

/// Lines of one kind that are shown; all of them are in the JSON.
const SHOWN: usize = 20;

pub fn words(outcome: &Outcome) -> String {
    let mut text = String::new();
    if let Some(rebuilt) = &outcome.rebuilt {
        let _ = writeln!(
            text,
            "照 {} 份说明找片子：找回 {} 个版本，{} 个本来就在。",
            rebuilt.sidecars, rebuilt.back, rebuilt.known
        );
        if rebuilt.without_file > 0 {
            let _ = writeln!(text, "  {} 个只剩说明，原片和能放的画面都不在了，没有找回。", rebuilt.without_file);
        }
        for path in &rebuilt.places {
            let _ = writeln!(text, "  区划 {path} 现在没有了，那里的人和片子先放在离它最近的上一级。");
        }
        if !rebuilt.strangers.is_empty() {
            let _ = writeln!(
                text,
                "  {} 个人的手机号读不出来（{} 等），因为密钥不是原来那份，她们还不能登录。先别启动服务：把原来的 \
                 secret.key 放回数据文件夹，再运行一次 weijia fsck --rebuild，她们就回来了。密钥真的没了，请县里把她们重新加进班，从前的片子还在原来的名下。",
                rebuilt.strangers.len(),
                rebuilt.strangers.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("、"),
            );
        }
        if rebuilt.back > 0 {
            let again = rebuilt.back - rebuilt.playing;
            let _ = writeln!(
                text,
                "  密码、班级、点评、数据和星不在存储里，要从数据库的备份恢复。没有备份，就请县里照手机号把她加进班，会给她新密码。\n  {} 个版本现在就能放；{again} 个在启动 weijia serve 以后重新处理，好了能放的就能放。",
                rebuilt.playing
            );
        }
    }
    if !outcome.repaired.is_empty() {
        repaired(&mut text, &outcome.repaired);
        text.push_str("再查一遍：\n");
    }
    counted(&mut text, &outcome.report.counted);
    let kinds = outcome.report.by_kind();
    if kinds.is_empty() {
        text.push_str("对得上，没有不对的地方。\n");
        return text;
    }
    let _ = writeln!(text, "有 {} 处不对：", outcome.report.findings.len());
    for (kind, count) in &kinds {
        let _ = writeln!(text, "{}，{count} 处", title(*kind));
        let of_kind = outcome.report.findings.iter().filter(|f| f.kind == *kind);
        for finding in of_kind.take(SHOWN) {
            let _ = writeln!(text, "  {}：{}", finding.about, finding.seen);
        }
        if *count > SHOWN {
            let _ = writeln!(text, "  还有 {} 处，加 --json 看全部", count - SHOWN);
        }
        let _ = writeln!(text, "  怎么办：{}", next_step(*kind));
    }
    text
}

fn repaired(text: &mut String, repaired: &[Repaired]) {
    let how_many = |how: Option<Mended>| repaired.iter().filter(|r| r.mended == how).count();
    let _ = writeln!(text, "查出 {} 处：", repaired.len());
    for (how, words) in [
        (Some(Mended::Fixed), "修好"),
        (Some(Mended::LetGo), "没人要，收走"),
        (Some(Mended::NotNeeded), "再看已经好了，没有动"),
        (Some(Mended::Lost), "原片找不到了，记成丢失（能放的照样放，放不了的请她再传）"),
        (Some(Mended::ByHand), "要人来定，没有动"),
        (None, "没修成"),
    ] {
        match how_many(how) {
            0 => {}
            n => drop(writeln!(text, "  {words}：{n} 处")),
        }
    }
    for each in repaired.iter().filter(|r| r.mended.is_none()) {
        let _ = writeln!(text, "  没修成：{} {}：{}", title(each.kind), each.about, each.why);
    }
    if repaired.iter().any(|each| each.why == TOO_MANY) {
        let _ = writeln!(text, "{TOO_MANY}");
    }
}

/// Why nothing was noted as lost.
pub const TOO_MANY: &str =
    "不见的原片太多，一条也没有记成丢失：多半是存储没搬完，或者连错了桶。看看 S3_ENDPOINT 和 S3_BUCKET，搬全了再来。";

fn counted(text: &mut String, seen: &Counted) {
    let _ = writeln!(
        text,
        "看了 {} 条片子的 {} 个版本、{} 次没传完的上传、{} 个对象（{}）、{} 个开着的分段上传。",
        seen.clips,
        seen.versions,
        seen.uploads_open,
        seen.objects,
        size::words(seen.bytes as i64),
        seen.multiparts_open
    );
    if seen.originals_read > 0 {
        let _ = writeln!(text, "{} 条原片从头到尾读过，核对了哈希。", seen.originals_read);
    }
    if seen.in_trash > 0 {
        let _ = writeln!(text, "{} 样已经不要了，服务开着时过十分钟会删掉。", seen.in_trash);
    }
    if seen.foreign > 0 {
        let _ = writeln!(text, "桶里有 {} 个不是微家放的东西，没有动。", seen.foreign);
    }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::OriginalMissing => "原片不见了",
        Kind::OriginalLength => "原片的长度不对",
        Kind::OriginalBytes => "原片的内容不对",
        Kind::OriginalUnreadable => "原片读不出来",
        Kind::OriginalUnnamed => "没有记下原片在哪里",
        Kind::OriginalFound => "丢过的原片又在了",
        Kind::MediaMissing => "播放用的文件不全",
        Kind::CaptionMissing => "她加的字幕不见了",
        Kind::SidecarMissing => "缺找回片子用的说明",
        Kind::SidecarStale => "找回片子用的说明过时了",
        Kind::SidecarUnreadable => "找回片子用的说明读不懂",
        Kind::EvidenceMissing => "账号数据的截图不见了",
        Kind::EvidenceBytes => "账号数据的截图不对",
        Kind::PartsMissing => "没传完的上传缺了存好的部分",
        Kind::UploadStuck => "上传卡住了",
        Kind::JobMissing => "收到的片子没人处理",
        Kind::Unknown => "存储里有数据库不认识的片子",
        Kind::Orphan => "没人要的对象",
        Kind::OrphanMultipart => "没人要的分段上传",
    }
}

const REPAIR: &str = "运行 weijia fsck --repair";

fn next_step(kind: Kind) -> String {
    let then = match kind {
        Kind::OriginalMissing | Kind::OriginalLength | Kind::OriginalUnnamed => {
            return format!(
                "有存储的备份就先从备份拿回来再查；没有就{REPAIR}：还在别处的会找回来，找不到的记成丢失，能放的照样放，放不了的会请她再传一次。"
            );
        }
        Kind::OriginalBytes => {
            return "有存储的备份就从备份拿回来再查；没有就放着不动，能放的照样放。我们不会删它。".into();
        }
        Kind::Unknown => {
            return "数据库不是最新的。先恢复备份，再 weijia fsck --rebuild。两样都做过还剩下的，是没传完的、收回了的或缺说明的，我们不会自己删。".into();
        }
        Kind::OriginalUnreadable => {
            return "先看看对象存储和它的磁盘，再查一次；还是读不出来，就从存储的备份把它拿回来。东西都没有动。".into();
        }
        Kind::SidecarUnreadable => {
            return "从存储的备份把这份说明拿回来，再运行 weijia fsck --rebuild；它旁边的原片都没有动。".into();
        }
        Kind::EvidenceMissing | Kind::EvidenceBytes => {
            return "从备份拿回来；没有备份就请县里重新登记一次这份数据。".into();
        }
        Kind::CaptionMissing => {
            return "从存储的备份把它拿回来；没有备份就请她再加一次字幕。片子照样放。".into();
        }
        Kind::MediaMissing => "会用原片重做。原片也不在或坏了的不动，从备份拿回来再修",
        Kind::OriginalFound => "会核对一遍，没坏就接着用",
        Kind::SidecarMissing | Kind::SidecarStale => "会照数据库补上",
        Kind::PartsMissing => "会从还在的地方接着传，她手机里有原片，不会丢",
        Kind::UploadStuck => "会替它收尾；修不动就看看服务的日志和存储",
        Kind::JobMissing => "会重新排上队",
        Kind::Orphan | Kind::OrphanMultipart => "会收走；服务开着时也会自己收",
    };
    format!("{REPAIR}，{then}。")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weijia_core::upkeep::{Finding, Report, Subject};

    #[test]
    fn every_kind_is_told_in_words_with_what_to_do() {
        let kinds = [
            Kind::OriginalMissing,
            Kind::OriginalLength,
            Kind::OriginalBytes,
            Kind::OriginalUnreadable,
            Kind::OriginalUnnamed,
            Kind::OriginalFound,
            Kind::MediaMissing,
            Kind::CaptionMissing,
            Kind::SidecarMissing,
            Kind::SidecarStale,
            Kind::SidecarUnreadable,
            Kind::EvidenceMissing,
            Kind::EvidenceBytes,
            Kind::PartsMissing,
            Kind::UploadStuck,
            Kind::JobMissing,
            Kind::Unknown,
            Kind::Orphan,
            Kind::OrphanMultipart,
        ];
        let finding = |kind| Finding {
            kind,
            subject: Subject::Object("originals/x".into()),
            about: "那一条".into(),
            seen: "没有了".into(),
        };
        let report = Report { counted: Counted::default(), findings: kinds.map(finding).into() };
        let text = words(&Outcome { report, ..Outcome::default() });
        assert_eq!(text.matches("怎么办").count(), kinds.len(), "{text}");
        assert!(text.lines().filter(|line| line.contains("怎么办")).all(|line| line.ends_with('。')), "{text}");
        assert!(words(&Outcome::default()).contains("对得上"));
    }

    #[test]
    fn what_was_lost_or_left_is_not_called_mended() {
        let each = |mended, why: &str| Repaired {
            kind: Kind::OriginalMissing,
            about: "那一条".into(),
            mended,
            why: why.into(),
        };
        let outcome = |repaired| Outcome { repaired, ..Outcome::default() };
        for good in [Mended::Fixed, Mended::LetGo, Mended::NotNeeded] {
            assert!(outcome(vec![each(Some(good), "")]).is_in_order(), "{good:?}");
        }
        let all = [None, Some(Mended::Lost), Some(Mended::ByHand)];
        for bad in all {
            assert!(!outcome(vec![each(bad, "")]).is_in_order(), "{bad:?}");
        }
        let text = words(&outcome(all.map(|how| each(how, "坏了")).into()));
        assert!(!text.contains("修好：") && text.matches("：1 处").count() == 3, "{text}");
        let held = words(&outcome(vec![each(Some(Mended::ByHand), TOO_MANY)]));
        assert!(held.contains("连错了桶"), "{held}");
    }
}
