//! The screenshot behind the numbers: a picture that decodes, within limits, or nothing.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, ImageReader, Limits};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use weijia_core::error::{Error, Refusal};

pub const MOST_BYTES: usize = 8 << 20;
/// A phone's longest scrolling screenshot; decoding more is a way to fill memory.
const MOST_SIDE: u32 = 20_000;
const MOST_DECODED: u64 = 192 << 20;

/// Decoding is the one place where a picture costs memory: one at a time each on two cores.
static TURN: Semaphore = Semaphore::const_new(2);

pub struct Picture {
    pub bytes: Bytes,
    pub content_type: &'static str,
    pub sha256: String,
}

fn refusal(message: &str, next_step: &str) -> Error {
    Refusal::new("evidence_invalid", message, next_step).into()
}

pub fn too_large() -> Error {
    refusal("截图太大了。", "截图最多 8 MB，重新截一张再传。")
}

/// Looks at every pixel before believing that it is a picture. Name and declared type count for nothing.
pub async fn check(bytes: Bytes) -> Result<Picture, Error> {
    if bytes.is_empty() {
        return Err(refusal("还没有选截图。", "选一张平台后台的截图，数字才算数。"));
    }
    if bytes.len() > MOST_BYTES {
        return Err(too_large());
    }
    let _turn = TURN.acquire().await.map_err(|e| Error::Damaged(e.to_string()))?;
    let decoded = tokio::task::spawn_blocking(move || decode(bytes)).await;
    decoded.map_err(|e| Error::Damaged(format!("decoding a picture: {e}")))?
}

fn decode(bytes: Bytes) -> Result<Picture, Error> {
    let unreadable = || refusal("这张截图打不开。", "用手机重新截一张，存成 jpg 或 png 再传。");
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().map_err(|_| unreadable())?;
    let content_type = match reader.format() {
        Some(ImageFormat::Jpeg) => "image/jpeg",
        Some(ImageFormat::Png) => "image/png",
        Some(ImageFormat::WebP) => "image/webp",
        _ => return Err(refusal("这不是截图。", "选一张 jpg、png 或 webp 的图片。")),
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_SIDE);
    limits.max_image_height = Some(MOST_SIDE);
    limits.max_alloc = Some(MOST_DECODED);
    reader.limits(limits);
    let picture = reader.decode().map_err(|_| unreadable())?;
    if picture.width() < 64 || picture.height() < 64 {
        return Err(refusal("这张图太小，看不清数字。", "截一整屏再传。"));
    }
    let sha256 = hex::encode(Sha256::digest(&bytes));
    Ok(Picture { bytes, content_type, sha256 })
}

#[cfg(test)]
pub(super) fn picture(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 90]));
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn code(bytes: Vec<u8>) -> String {
        match check(bytes.into()).await {
            Ok(picture) => picture.content_type.to_owned(),
            Err(Error::Refused(refusal)) => refusal.message,
            Err(other) => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn only_a_picture_that_decodes_is_evidence() {
        for (format, kind) in
            [(ImageFormat::Png, "image/png"), (ImageFormat::Jpeg, "image/jpeg"), (ImageFormat::WebP, "image/webp")]
        {
            assert_eq!(code(picture(format, 90, 160)).await, kind);
        }
        assert_eq!(code(vec![]).await, "还没有选截图。");
        assert_eq!(code(b"<svg onload=alert(1)>".to_vec()).await, "这不是截图。");
        assert_eq!(code(b"GIF89a\x01\x00\x01\x00\x00\x00\x00".to_vec()).await, "这不是截图。");
        assert_eq!(code(picture(ImageFormat::Png, 8, 8)).await, "这张图太小，看不清数字。");
        assert_eq!(code(vec![0; MOST_BYTES + 1]).await, "截图太大了。");
        // Cut off, and a few bytes that claim to be a gigapixel.
        let mut cut = picture(ImageFormat::Png, 200, 200);
        cut.truncate(cut.len() / 2);
        assert_eq!(code(cut).await, "这张截图打不开。");
        let mut huge = picture(ImageFormat::Png, 64, 64);
        huge[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        huge[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        assert_eq!(code(huge).await, "这张截图打不开。");
    }
}
