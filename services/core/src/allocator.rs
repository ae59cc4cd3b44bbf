//! The C library's allocator. Left to itself it learns from the first 8 MiB buffer or password hash that is freed to
//! keep such pieces, in every thread's arena, and a server that has had one busy minute stays large for ever.

/// Large pieces come from the system and go back to it at once. To be called first thing by a program that serves.
pub fn give_back_large_pieces() {
    // SAFETY: sets a number in the allocator, before there are threads.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
    }
}
