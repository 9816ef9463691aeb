//! Ringfence core.
