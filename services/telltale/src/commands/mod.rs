//! One file per command.

pub mod decode;
pub mod demo;
pub mod replay;
pub mod rule;
pub mod schema;
pub mod site;
