//! modbus (being written).
