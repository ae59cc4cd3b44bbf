//! What a child says, read within bounds.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::task::JoinHandle;

/// The longest line; most have a few hundred bytes, and the measures of ten minutes some ten thousand.
pub const LONGEST: usize = 64 << 10;

/// Lines of bounded length. [`Lines::next`] may be dropped and called again: nothing is lost.
pub struct Lines<R> {
    from: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn of(from: R) -> Lines<R> {
        Lines { from: BufReader::new(from), line: Vec::new() }
    }

    /// None at the end.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let room = (LONGEST - self.line.len()) as u64;
        (&mut self.from).take(room).read_until(b'\n', &mut self.line).await?;
        if self.line.len() >= LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end"));
        }
        Ok(if self.line.is_empty() { None } else { Some(std::mem::take(&mut self.line)) })
    }
}

/// The end of what a child says about itself, gathered while it works.
pub struct LastWords {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl LastWords {
    const KEPT: usize = 2_000;

    pub fn of(mut from: impl AsyncRead + Unpin + Send + 'static) -> LastWords {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mine = kept.clone();
        let reader = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut buffer).await {
                let mut kept = lock(&mine);
                kept.extend_from_slice(&buffer[..n]);
                if kept.len() > 2 * Self::KEPT {
                    let surplus = kept.len() - Self::KEPT;
                    kept.drain(..surplus);
                }
            }
        });
        LastWords { kept, reader }
    }

    /// Waits for the end of it, but only so long: a process that the child left behind may hold the pipe.
    pub async fn within(mut self, time: Duration) -> String {
        let _ = tokio::time::timeout(time, &mut self.reader).await;
        let kept = lock(&self.kept);
        let end = &kept[kept.len().saturating_sub(Self::KEPT)..];
        without_addresses(String::from_utf8_lossy(end).trim())
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn lock(kept: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// ffmpeg writes `[h264 @ 0x55d0c8]`; without the address the same death has the same words. No line of them may
/// steer a terminal.
fn without_addresses(text: &str) -> String {
    let mut parts = text.split(" @ 0x");
    let first = parts.next().unwrap_or_default().to_owned();
    let plain = parts.fold(first, |plain, part| plain + part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    plain.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_come_whole_and_an_endless_one_is_an_error() {
        let text = [b"one\ntwo".as_slice(), &vec![b'x'; LONGEST - 10], b"\nlast"].concat();
        let mut lines = Lines::of(text.as_slice());
        assert_eq!(lines.next().await.unwrap().unwrap(), b"one\n");
        assert_eq!(lines.next().await.unwrap().unwrap().len(), LONGEST - 6);
        assert_eq!(lines.next().await.unwrap().unwrap(), b"last");
        assert_eq!(lines.next().await.unwrap(), None);
        let mut endless = Lines::of(tokio::io::repeat(b'x'));
        assert!(endless.next().await.is_err());
        assert_eq!(endless.line.len(), LONGEST);
    }

    #[tokio::test]
    async fn only_the_end_is_kept_of_a_flood() {
        let said = LastWords::of(tokio::io::repeat(b'x').take(10 << 20));
        assert_eq!(said.within(Duration::from_secs(20)).await.len(), LastWords::KEPT);
    }

    #[test]
    fn the_same_death_has_the_same_words() {
        assert_eq!(without_addresses("[h264 @ 0x7f00aB] no frame [aac @ 0x1] x"), "[h264] no frame [aac] x");
        assert_eq!(without_addresses("a\u{1b}[2Jb\nc"), "a [2Jb\nc");
    }
}
