//! What there is to hear.

use crate::{Film, all_play};

fn avc(name: &'static str, ending: &'static str, sound: &str) -> Film {
    Film::new(name, ending, &format!("-c:v libx264 {sound}"))
}

#[test]
fn sound_of_every_codec_and_rate_is_heard() {
    all_play([
        avc("none", "mp4", "").mute(),
        avc("AAC of one voice", "mp4", "-c:a aac -ac 1"),
        avc("AAC at 8 kHz", "mp4", "-c:a aac -ac 1 -ar 8000"),
        avc("AAC at 11.025 kHz", "mp4", "-c:a aac -ar 11025"),
        avc("AAC at 22.05 kHz", "mp4", "-c:a aac -ar 22050"),
        avc("AAC at 32 kHz", "mov", "-c:a aac -ar 32000"),
        avc("AAC at 96 kHz", "mp4", "-c:a aac -ar 96000"),
        avc("MP3", "mp4", "-c:a libmp3lame"),
        avc("AC-3", "mp4", "-c:a ac3"),
        avc("E-AC-3 of six channels", "mp4", "-c:a eac3 -ac 6"),
        avc("AAC of six channels", "mp4", "-c:a aac -ac 6"),
        avc("Opus in MP4", "mp4", "-c:a libopus -ar 48000"),
        avc("FLAC", "mkv", "-c:a flac"),
        avc("ALAC", "mov", "-c:a alac"),
        avc("PCM of 24 bits", "mov", "-c:a pcm_s24le"),
        avc("PCM, the other way round", "mov", "-c:a pcm_s16be"),
        avc("PCM of a telephone", "mov", "-c:a pcm_mulaw -ar 8000 -ac 1"),
        avc("PCM of 24 bits, the other way round", "mov", "-c:a pcm_s24be"),
        avc("PCM of 32 bits", "mov", "-c:a pcm_f32le"),
        avc("PCM of 32 bits, whole numbers", "mov", "-c:a pcm_s32le"),
        avc("ADPCM, which is not read", "mov", "-c:a adpcm_ima_qt").unheard(),
    ]);
}

#[test]
fn sound_begins_and_ends_when_it_likes() {
    let late = "aevalsrc='if(lt(t,0.5),0,0.5*sin(2764*t))':s=48000";
    avc("silence first", "mp4", "-c:a aac").sound(late).plays();
    avc("shorter than the pictures", "mp4", "-c:a aac").sound("sine=duration=0.5").seconds(2).plays();
    avc("longer than the pictures", "mp4", "-c:a aac")
        .picture("testsrc2=size=320x240:rate=30,trim=duration=1", (320, 240))
        .seconds(2)
        .uneven()
        .plays();
}
