//! What `build.rs` made of `/schemas`.
#![allow(clippy::too_many_lines, clippy::match_same_arms)]

use crate::columns::{
    NullCache, Opt, OptBool, OptIp, OptList, OptText, Req, ReqBool, ReqIp, ReqText, ReqTime, STAGE,
};
use crate::defs::{
    CodeMatch, ColumnDef, ColumnKind, Decision, DecisionRow, EnumDef, Function, FunctionDef,
    SchemaError, Sensitivity, TableDef, UnknownName,
};
use crate::frame::TableBatch;
use crate::macros::table_builder;
use arrow_array::ArrayRef;
use arrow_schema::ArrowError;

include!(concat!(env!("OUT_DIR"), "/generated.rs"));

impl Function {
    /// The name as rules and text outputs write it; `unknown` for a number outside the vocabulary.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        function_name(self.0).unwrap_or("unknown")
    }

    /// The function of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        function_id(name).map(Function)
    }
}
