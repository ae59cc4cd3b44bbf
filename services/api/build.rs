//! The web app is compiled in: a new build of it is a new build of this crate. Without one the API still builds, and
//! says what is missing when a page is asked for.
fn main() {
    println!("cargo:rerun-if-changed=../../web/dist");
}
