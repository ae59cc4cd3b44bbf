//! Whether it is a video at all: its first bytes decide, before anything of it is stored.

use bytes::Bytes;
use futures_util::StreamExt;
use weijia_core::upload::sniff::{self, Verdict};

use super::pieces::load;
use super::{End, Writer};

impl Writer {
    /// A resumed upload of a few bytes is judged together with what came before.
    pub(super) async fn remember_head(&mut self) -> Result<(), End> {
        if self.head.is_none() {
            return Ok(());
        }
        let mut before = load(&self.uploads, &self.pieces);
        while let Some(bytes) = before.next().await {
            self.judge_head(&bytes?, false)?;
            if self.head.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Judges the file by its beginning, of which these are the next bytes.
    pub(super) fn judge(&mut self, bytes: &Bytes) -> Result<(), End> {
        let whole = self.upload.ends_at(self.offset + bytes.len() as i64);
        self.judge_head(bytes, whole)
    }

    fn judge_head(&mut self, bytes: &Bytes, whole: bool) -> Result<(), End> {
        let Some(head) = &mut self.head else { return Ok(()) };
        let wanted = (sniff::ENOUGH - head.len().min(sniff::ENOUGH)).min(bytes.len());
        head.extend_from_slice(&bytes[..wanted]);
        match sniff::sniff(head, whole) {
            Verdict::Video => self.head = None,
            Verdict::NeedMore => {}
            Verdict::Refused(code) => match &mut self.held {
                // What came may have been spoilt on its way: the checksum speaks first.
                Some(held) => {
                    held.refusal = Some(code);
                    self.head = None;
                }
                None => return Err(End::Refused(code)),
            },
        }
        Ok(())
    }
}
