//! Ringfence py.
