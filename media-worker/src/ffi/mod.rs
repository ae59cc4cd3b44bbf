//! The one module, with its parts, that makes raw calls into ffmpeg: what the safe wrapper lacks. Everything it gives
//! out is safe to use.
//!
//! Options are handed to ffmpeg by name, and ffmpeg skips a name that it does not know: a limit would be gone and
//! nobody would notice. So every call here that takes options fails when one is left over.

mod captions;
mod codecs;
mod muxer;
mod packets;
mod sound;

use std::ffi::{CStr, CString, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use ffmpeg_next as ff;
use ffmpeg_next::ffi::*;

use crate::gate::MAX_PIXELS;
use crate::plan::{Colours, Size};

pub use captions::{CaptionDecoder, read_only};
pub use codecs::{decoder, is_damaged, name as codec_name, open_codec, reader, strict_decoder};
pub use muxer::{Muxer, Sink};
pub use packets::{WithoutMessages, additional_bytes, has_new_head, is_cut_away};
pub use sound::{SoundSource, sound_frame, sound_header, sound_source};

#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("{0}: {1}")]
    Call(&'static str, ff::Error),
    #[error("ffmpeg knows no option {0}")]
    UnknownOption(String),
    #[error("{0} is missing in this ffmpeg")]
    Missing(String),
    #[error("out of memory")]
    NoMemory,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Other(&'static str),
}

pub type Result<T, E = MediaError> = std::result::Result<T, E>;

pub fn call(what: &'static str) -> impl Fn(ff::Error) -> MediaError {
    move |e| MediaError::Call(what, e)
}

fn check(what: &'static str, code: c_int) -> Result<c_int> {
    if code < 0 { Err(MediaError::Call(what, ff::Error::from(code))) } else { Ok(code) }
}

/// No single block of memory may be larger than this: a 4096 x 4096 picture of 16 bits fits many times.
const MAX_ALLOC: usize = 512 << 20;

/// What a source may be read with. Nothing it names is opened: the only protocol is the local file that is open.
pub const INPUT_OPTIONS: &[(&str, &str)] = &[
    ("protocol_whitelist", "file"),
    ("format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,flv"),
    ("probesize", "5000000"),
    ("analyzeduration", "5000000"),
    // Cameras and editors write dozens of tracks beside the film; a decoder is opened only for those we want.
    ("max_streams", "500"),
];

pub fn init() {
    // Nothing is opened here: `init` only registers, and a second call does nothing.
    let _ = ff::init();
    ff::log::set_level(ff::log::Level::Error);
    // SAFETY: sets a number inside ffmpeg.
    unsafe { av_max_alloc(MAX_ALLOC) };
}

/// Options for one call, freed when dropped.
struct Options(*mut AVDictionary);

impl Options {
    fn new(pairs: &[(&str, &str)]) -> Result<Options> {
        let mut options = Options(ptr::null_mut());
        for (key, value) in pairs {
            options.set(key, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (text(key)?, text(value)?);
        // SAFETY: both strings live through the call, which copies them.
        check("av_dict_set", unsafe { av_dict_set(&mut self.0, key.as_ptr(), value.as_ptr(), 0) }).map(drop)
    }

    /// After the call that took them: none may be left.
    fn used_up(&self) -> Result<()> {
        // SAFETY: walks a dictionary that we own.
        let left = unsafe { av_dict_get(self.0, c"".as_ptr(), ptr::null(), AV_DICT_IGNORE_SUFFIX) };
        if left.is_null() {
            return Ok(());
        }
        // SAFETY: an entry's key is a string that lives as long as the dictionary.
        Err(MediaError::UnknownOption(unsafe { CStr::from_ptr((*left).key) }.to_string_lossy().into_owned()))
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: ours, and freed once.
        unsafe { av_dict_free(&mut self.0) };
    }
}

fn text(value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| MediaError::Other("a text with a zero in it"))
}

/// Opens a local file, whatever is in it, and finds out about its streams.
pub fn open(path: &Path) -> Result<ff::format::context::Input> {
    open_with(path, &[])
}

/// The same, with options that only the demuxer of this file knows.
pub fn open_with(path: &Path, own: &[(&str, &str)]) -> Result<ff::format::context::Input> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| MediaError::Other("a path with a zero in it"))?;
    let mut options = Options::new(INPUT_OPTIONS)?;
    options.set("codec_whitelist", &codecs::whitelist())?;
    for (key, value) in own {
        options.set(key, value)?;
    }
    let mut context = ptr::null_mut();
    // SAFETY: on failure ffmpeg frees the context; on success it is wrapped, and closed when the wrapper is dropped.
    let input = unsafe {
        check("avformat_open_input", avformat_open_input(&mut context, name.as_ptr(), ptr::null(), &mut options.0))?;
        ff::format::context::Input::wrap(context)
    };
    options.used_up()?;
    // SAFETY: the context is open and ours. One set of options for each stream that is known so far.
    unsafe {
        let streams = (*context).nb_streams as usize;
        let pixels = MAX_PIXELS.to_string();
        let mut each = Vec::with_capacity(streams);
        for _ in 0..streams {
            each.push(Options::new(&[("max_pixels", &pixels), ("threads", "1")])?);
        }
        let mut pointers: Vec<*mut AVDictionary> = each.iter().map(|o| o.0).collect();
        let code = avformat_find_stream_info(context, pointers.as_mut_ptr());
        for (options, pointer) in each.iter_mut().zip(pointers) {
            options.0 = pointer;
        }
        check("avformat_find_stream_info", code)?;
    }
    Ok(input)
}

/// What a stream's header says about its pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureHeader {
    pub size: Size,
    /// ffmpeg's name of the pixel format; empty when no picture told it.
    pub pixels: String,
    pub profile: i32,
    /// Its pictures hold the lines of two moments each.
    pub interlaced: bool,
    pub colours: Colours,
}

pub fn picture_header(parameters: &ff::codec::Parameters) -> PictureHeader {
    // SAFETY: reads plain fields of a valid structure. Enumerations are read as the numbers they are, because a
    // number from a stranger's file need not be one that the enumeration names.
    unsafe {
        let p = parameters.as_ptr();
        let number = |field: *const i32| field.read();
        PictureHeader {
            size: Size { width: (*p).width.max(0) as u32, height: (*p).height.max(0) as u32 },
            pixels: pixel_format_name((*p).format),
            profile: (*p).profile,
            interlaced: number((&raw const (*p).field_order).cast()) > AVFieldOrder::AV_FIELD_PROGRESSIVE as i32,
            colours: colours(
                number((&raw const (*p).color_primaries).cast()),
                number((&raw const (*p).color_space).cast()),
                number((&raw const (*p).color_trc).cast()),
                number((&raw const (*p).color_range).cast()),
            ),
        }
    }
}

pub fn picture_colours(frame: &ff::frame::Video) -> Colours {
    // SAFETY: as above.
    unsafe {
        let f = frame.as_ptr();
        let number = |field: *const i32| field.read();
        let mut colours = colours(
            number((&raw const (*f).color_primaries).cast()),
            number((&raw const (*f).colorspace).cast()),
            number((&raw const (*f).color_trc).cast()),
            number((&raw const (*f).color_range).cast()),
        );
        // The old names of full-range formats say it in the format.
        colours.full_range |= pixel_format_name((*f).format).starts_with("yuvj");
        colours
    }
}

/// ffmpeg's name of a picture's format.
pub fn pixels(frame: &ff::frame::Video) -> String {
    // SAFETY: reads a plain field.
    pixel_format_name(unsafe { (*frame.as_ptr()).format })
}

/// The shape of a stream's pixels: the container's word goes before the codec's.
pub fn pixel_shape(stream: &ff::format::stream::Stream<'_>) -> (u32, u32) {
    // SAFETY: reads plain fields of a stream that lives as long as its file is open.
    let (told, coded) = unsafe {
        let s = stream.as_ptr();
        (ratio((*s).sample_aspect_ratio), ratio((*(*s).codecpar).sample_aspect_ratio))
    };
    if told.0 > 0 && told.1 > 0 { told } else { coded }
}

/// What `[in]` of a picture graph has to be told about the pictures that will come.
pub fn picture_source(frame: &ff::frame::Video, time_base: ff::Rational) -> String {
    // SAFETY: reads plain fields.
    let (w, h, format) = unsafe { ((*frame.as_ptr()).width, (*frame.as_ptr()).height, (*frame.as_ptr()).format) };
    format!(
        "video_size={w}x{h}:pix_fmt={}:time_base={}/{}:pixel_aspect=1/1",
        pixel_format_name(format),
        time_base.numerator(),
        time_base.denominator()
    )
}

fn ratio(r: AVRational) -> (u32, u32) {
    (r.num.max(0) as u32, r.den.max(0) as u32)
}

fn pixel_format_name(format: i32) -> String {
    // SAFETY: ffmpeg answers null for a number that it does not know. The enumeration is a plain number in C.
    unsafe {
        let name = av_get_pix_fmt_name(std::mem::transmute::<i32, AVPixelFormat>(format.clamp(-1, 200)));
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

/// Numbers as ITU-T H.273 assigns them.
fn colours(primaries: i32, matrix: i32, transfer: i32, range: i32) -> Colours {
    let wide = match primaries {
        9 => "bt2020",
        11 => "smpte431",
        12 => "smpte432",
        _ => "",
    };
    let matrix = match matrix {
        1 => "bt709",
        4 => "fcc",
        5 => "bt470bg",
        6 => "smpte170m",
        7 => "smpte240m",
        9 => "bt2020nc",
        10 => "bt2020c",
        _ => "",
    };
    let transfer = match transfer {
        16 => "smpte2084",
        18 => "arib-std-b67",
        _ => "",
    };
    let [wide, matrix, transfer] = [wide, matrix, transfer].map(str::to_owned);
    Colours { wide, matrix, transfer, full_range: range == 2 }
}

/// What a muxer has to know about a stream that this encoder makes.
pub fn parameters_of(context: &ff::codec::Context) -> Result<ff::codec::Parameters> {
    let mut parameters = ff::codec::Parameters::new();
    // SAFETY: copies out of an opened context into a structure of ours.
    unsafe {
        check(
            "avcodec_parameters_from_context",
            avcodec_parameters_from_context(parameters.as_mut_ptr(), context.as_ptr()),
        )?;
    }
    Ok(parameters)
}

pub fn extradata(parameters: &ff::codec::Parameters) -> Vec<u8> {
    // SAFETY: pointer and length belong together; the bytes are copied.
    unsafe {
        let p = parameters.as_ptr();
        if (*p).extradata.is_null() || (*p).extradata_size <= 0 {
            return Vec::new();
        }
        std::slice::from_raw_parts((*p).extradata, (*p).extradata_size as usize).to_vec()
    }
}

/// How many pictures an encoder's output may be decoded before they are shown.
pub fn decodes_ahead(context: &ff::codec::Context) -> i64 {
    // SAFETY: reads a field of a context that is valid as long as the borrow.
    i64::from(unsafe { (*context.as_ptr()).has_b_frames })
}

/// How many samples an opened encoder of sound wants at a time.
pub fn frame_size(context: &ff::codec::Context) -> u32 {
    // SAFETY: reads a plain field.
    unsafe { (*context.as_ptr()).frame_size }.max(1) as u32
}

/// A second reference to the same picture; the pixels are shared.
pub fn share(frame: &ff::frame::Video) -> Result<ff::frame::Video> {
    let mut other = ff::frame::Video::empty();
    // SAFETY: both are valid; the other is empty.
    check("av_frame_ref", unsafe { av_frame_ref(other.as_mut_ptr(), frame.as_ptr()) })?;
    Ok(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_for_reading_is_known_to_ffmpeg() {
        init();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, b"no film").unwrap();
        // A typo would come before the verdict about the bytes only if it were noticed: so look names up one by one.
        // SAFETY: a fresh context whose options are looked up and which is then freed.
        unsafe {
            let context = avformat_alloc_context();
            for name in INPUT_OPTIONS.iter().map(|(name, _)| *name).chain(["codec_whitelist"]) {
                let name = CString::new(name).unwrap();
                assert!(!av_opt_find(context.cast(), name.as_ptr(), ptr::null(), 0, 0).is_null(), "{name:?}");
            }
            avformat_free_context(context);
        }
        assert!(matches!(open(&path), Err(MediaError::Call("avformat_open_input", _))));
    }

    #[test]
    fn numbers_of_colours_are_understood() {
        assert!(colours(9, 9, 18, 1).is_hdr());
        let full = Colours { matrix: "bt709".into(), full_range: true, ..Default::default() };
        assert_eq!(colours(1, 1, 1, 2), full);
        assert_eq!(colours(12, 1, 1, 2), Colours { wide: "smpte432".into(), ..full });
        assert_eq!(colours(77, -5, 9999, 77), Colours::default());
        assert_eq!(pixel_format_name(-1), "");
        assert_eq!(pixel_format_name(0), "yuv420p");
    }
}
