//! dnp3 (being written).
