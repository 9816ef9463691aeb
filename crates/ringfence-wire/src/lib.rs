//! Ringfence wire.
