//! A filter graph with one source and some sinks.

use ffmpeg_next as ff;

use crate::ffi::{MediaError, Result, call};

pub struct Graph {
    graph: ff::filter::Graph,
}

impl Graph {
    /// Pictures: `text` goes from `[in]` to `[o0]`, `[o1]` and so on.
    pub fn pictures(source: &str, text: &str, sinks: usize) -> Result<Graph> {
        Self::new("buffer", "buffersink", source, text, sinks)
    }

    pub fn sound(source: &str, text: &str) -> Result<Graph> {
        Self::new("abuffer", "abuffersink", source, text, 1)
    }

    fn new(source_kind: &str, sink_kind: &str, source: &str, text: &str, sinks: usize) -> Result<Graph> {
        let find = |name: &str| ff::filter::find(name).ok_or_else(|| MediaError::Missing(format!("filter {name}")));
        let mut graph = ff::filter::Graph::new();
        let what = call("filter graph");
        graph.add(&find(source_kind)?, "in", source).map_err(&what)?;
        for n in 0..sinks {
            graph.add(&find(sink_kind)?, &format!("o{n}"), "").map_err(&what)?;
        }
        let mut parser = graph.output("in", 0).map_err(&what)?;
        for n in 0..sinks {
            parser = parser.input(&format!("o{n}"), 0).map_err(&what)?;
        }
        parser.parse(text).map_err(&what)?;
        graph.validate().map_err(&what)?;
        Ok(Graph { graph })
    }

    fn source(&mut self) -> Result<ff::filter::Context> {
        self.graph.get("in").ok_or(MediaError::Other("a graph without a source"))
    }

    pub fn push(&mut self, frame: &ff::Frame) -> Result<()> {
        self.source()?.source().add(frame).map_err(call("filter source"))
    }

    pub fn end(&mut self) -> Result<()> {
        self.source()?.source().flush().map_err(call("filter source"))
    }

    fn sink(&mut self, n: usize) -> Option<ff::filter::Context> {
        self.graph.get(&format!("o{n}"))
    }

    pub fn picture(&mut self, n: usize) -> Option<ff::frame::Video> {
        let mut frame = ff::frame::Video::empty();
        self.sink(n)?.sink().frame(&mut frame).ok().map(|()| frame)
    }

    pub fn sound_frame(&mut self) -> Option<ff::frame::Audio> {
        let mut frame = ff::frame::Audio::empty();
        self.sink(0)?.sink().frame(&mut frame).ok().map(|()| frame)
    }
}
