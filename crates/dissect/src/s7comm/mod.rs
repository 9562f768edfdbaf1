//! s7comm (being written).
