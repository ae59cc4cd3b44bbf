#[test]
fn placeholder() {
    assert!(std::path::Path::new(env!("CARGO_BIN_EXE_weijia-media")).exists());
}
