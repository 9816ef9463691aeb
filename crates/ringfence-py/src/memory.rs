//! Where memory comes from, and in what portions.

/// A message makes some dozens of small allocations of every size; glibc's allocator took 8 % of an order's CPU time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Has memory come in small pages, all of the process's.
///
/// A page is cleared by the thread that first touches it. The allocator asks for large ones, which are 512 small ones each: as
/// connections come, an engine thread would stand still for some milliseconds again and again, and with it all that wait for it.
#[cfg(target_os = "linux")]
pub(crate) fn in_small_pages() {
    // Without it all goes on, slower at times.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Elsewhere nothing is asked for.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn in_small_pages() {}
