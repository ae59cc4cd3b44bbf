//! Uploads through the real server, on a store that can be told to fail.

mod concat;
mod creation;
mod extensions;
mod faults;
mod protocol;
mod quota;
mod refused;
mod resume;
mod reuse;
mod small;
mod store;
mod support;
