//! Ringfence gate.
