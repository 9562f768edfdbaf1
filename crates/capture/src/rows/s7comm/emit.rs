//! One row of `s7comm`, from what a PDU and an item of it say.
use crate::flow::Side;
use crate::rows::Cx;
use crate::rows::scratch::{bounds, opt};
use telltale_schema::s7comm::{ObjectClass, Row};
use telltale_schema::value_free::Decision;
use telltale_schema::{Common, Direction, Outcome, Protocol, RoleSource};
