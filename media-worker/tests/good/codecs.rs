//! What phones, browsers and editors encode with.

use crate::{Film, all_play};

#[test]
fn every_codec_of_the_list_is_read() {
    let small = ("testsrc2=size=176x144:rate=15", (176, 144));
    all_play([
        Film::new("H.264 baseline", "mp4", "-c:v libx264 -profile:v baseline"),
        Film::new("H.264 main", "mp4", "-c:v libx264 -bf 2 -coder 1"),
        Film::new("H.264 4:2:2 of 10 bits", "mp4", "-c:v libx264 -pix_fmt yuv422p10le"),
        Film::new("H.264 4:4:4", "mp4", "-c:v libx264 -pix_fmt yuv444p"),
        Film::new("H.264 of 10 bits", "mov", "-c:v libx264 -pix_fmt yuv420p10le"),
        Film::new("HEVC of 8 bits", "mp4", "-c:v libx265 -tag:v hvc1 -x265-params log-level=error"),
        Film::new(
            "HEVC of 10 bits",
            "mov",
            "-c:v libx265 -tag:v hvc1 -pix_fmt yuv420p10le -x265-params log-level=error",
        ),
        Film::new("HEVC with its sets in the stream", "mp4", "-c:v libx265 -tag:v hev1 -x265-params log-level=error"),
        Film::new("H.263 of an old phone", "3gp", "-c:v h263 -c:a aac -ar 16000 -ac 1").picture(small.0, small.1),
        Film::new("MPEG-4 part 2", "mp4", "-c:v mpeg4 -q:v 3"),
        Film::new("MPEG-4 part 2 with B-frames", "mp4", "-c:v mpeg4 -q:v 3 -bf 2"),
        Film::new("Motion JPEG of a camera", "mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj420p -c:a pcm_s16le"),
        Film::new("Motion JPEG 4:2:2", "mov", "-c:v mjpeg -q:v 3 -pix_fmt yuvj422p -c:a pcm_u8"),
        Film::new("MPEG-2", "ts", "-c:v mpeg2video -q:v 3 -c:a mp2"),
        Film::new("MPEG-1", "mkv", "-c:v mpeg1video -q:v 3 -c:a libmp3lame"),
        Film::new("VP8 and Vorbis", "webm", "-c:v libvpx -deadline realtime -b:v 2M -c:a libvorbis"),
        Film::new("VP9 and Opus", "webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 2M -c:a libopus"),
        Film::new("AV1 and Opus", "webm", "-c:v libsvtav1 -preset 12 -crf 30 -c:a libopus"),
        Film::new("AV1 in MP4", "mp4", "-c:v libsvtav1 -preset 12 -crf 30"),
        Film::new("AV1 of 10 bits", "mkv", "-c:v libsvtav1 -preset 12 -crf 30 -pix_fmt yuv420p10le -c:a libopus"),
        Film::new("ProRes of an editor", "mov", "-c:v prores -pix_fmt yuv422p10le -c:a pcm_s24le"),
        Film::new("DV of a camcorder", "mov", "-c:v dvvideo -s 720x576 -r 25 -aspect 4:3 -c:a pcm_s16le")
            .picture("testsrc2=size=720x576:rate=25", (768, 576)),
    ]);
}
