//! Ringfence ledger.
