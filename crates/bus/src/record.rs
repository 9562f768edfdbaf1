//! What travels.

use crate::error::RecordError;
use std::sync::Arc;
use telltale_schema::Frame;

/// Names a rule set or a site's content: its BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl std::fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

/// One record of the telemetry topic or of the spool.
#[derive(Debug, Clone)]
pub enum Record {
    /// Rows of a sensor.
    Frame(SensorFrame),
    /// Changes what the partition does.
    Control(Control),
    /// Frames that were dropped before they could be delivered.
    Loss(Loss),
}

/// A frame, and which spool of its sensor it is from.
#[derive(Debug, Clone)]
pub struct SensorFrame {
    /// A sensor that starts a new spool takes a new epoch; `seq` then starts at 0 again.
    pub epoch: u64,
    /// The rows.
    pub frame: Frame,
}

/// Changes what a partition does, from its place in the log on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Time passes while nothing else comes.
    Tick,
    /// This rule set holds from here on.
    Rules(ContentHash),
    /// This content of the site holds from here on.
    Context(ContentHash),
    /// What an operator asked for.
    Command(Command),
}

/// What an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What to do.
    pub kind: CommandKind,
    /// With what: rule id, key, reason.
    pub args: Vec<String>,
}

/// Kinds of operator commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandKind {
    /// A key that was seen first is expected from now on.
    ApproveFirstSeen,
    /// A key that was learned is forgotten.
    RemoveFirstSeen,
    /// A rule stops running.
    QuarantineRule,
    /// A quarantined rule runs again.
    ReleaseRule,
}

/// Frames of a sensor that were dropped before they could be delivered: the spool
/// was full. It stands in the log where they would have stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Name of the site.
    pub site: Arc<str>,
    /// Name of the sensor.
    pub sensor: Arc<str>,
    /// Which spool of the sensor.
    pub epoch: u64,
    /// First lost frame.
    pub from_seq: u64,
    /// Last lost frame.
    pub to_seq: u64,
    /// Rows in them.
    pub rows: u64,
}

impl Loss {
    /// A loss has a first and a last frame, in this order.
    pub(crate) fn check(&self) -> Result<(), RecordError> {
        match self.from_seq <= self.to_seq {
            true => Ok(()),
            false => Err(RecordError::Header("a loss ends before it begins")),
        }
    }
}
