//! cip (being written).
