//! Records that are a header alone.

use super::{MAX_ARGS, MAX_TEXT_BYTES, bound, read};
use crate::error::RecordError;
use crate::record::{Command, CommandKind, ContentHash, Control, Loss};
use crate::v1::{self, control_record::What};

impl From<CommandKind> for v1::CommandKind {
    fn from(kind: CommandKind) -> Self {
        match kind {
            CommandKind::ApproveFirstSeen => Self::ApproveFirstSeen,
            CommandKind::RemoveFirstSeen => Self::RemoveFirstSeen,
            CommandKind::QuarantineRule => Self::QuarantineRule,
            CommandKind::ReleaseRule => Self::ReleaseRule,
        }
    }
}

/// A command's arguments are within their bounds.
fn check_args(args: &[String]) -> Result<(), RecordError> {
    bound("arguments of a command", args.len(), MAX_ARGS)?;
    args.iter()
        .try_for_each(|a| bound("argument of a command", a.len(), MAX_TEXT_BYTES))
}

/// The header of a control record.
pub(super) fn control(control: &Control) -> Result<v1::ControlRecord, RecordError> {
    let what = match control {
        Control::Tick => What::Tick(v1::Tick {}),
        Control::Rules(hash) => What::Rules(hash.0.to_vec()),
        Control::Context(hash) => What::Context(hash.0.to_vec()),
        Control::Command(command) => {
            check_args(&command.args)?;
            What::Command(v1::OperatorCommand {
                kind: v1::CommandKind::from(command.kind).into(),
                args: command.args.clone(),
            })
        }
    };
    Ok(v1::ControlRecord { what: Some(what) })
}

/// The hash of a rule set or a context.
fn hash(bytes: &[u8]) -> Result<ContentHash, RecordError> {
    <[u8; 32]>::try_from(bytes)
        .map(ContentHash)
        .map_err(|_| RecordError::Header("a hash is not of 32 bytes"))
}

/// Reads the header of a control record.
pub(super) fn read_control(header: &[u8]) -> Result<Control, RecordError> {
    let record: v1::ControlRecord = read(header)?;
    match record.what {
        None => Err(RecordError::Header("a control record of unknown content")),
        Some(What::Tick(v1::Tick {})) => Ok(Control::Tick),
        Some(What::Rules(bytes)) => Ok(Control::Rules(hash(&bytes)?)),
        Some(What::Context(bytes)) => Ok(Control::Context(hash(&bytes)?)),
        Some(What::Command(command)) => {
            let kind = match command.kind() {
                v1::CommandKind::Unspecified => {
                    return Err(RecordError::Header("a command of unknown kind"));
                }
                v1::CommandKind::ApproveFirstSeen => CommandKind::ApproveFirstSeen,
                v1::CommandKind::RemoveFirstSeen => CommandKind::RemoveFirstSeen,
                v1::CommandKind::QuarantineRule => CommandKind::QuarantineRule,
                v1::CommandKind::ReleaseRule => CommandKind::ReleaseRule,
            };
            check_args(&command.args)?;
            let args = command.args;
            Ok(Control::Command(Command { kind, args }))
        }
    }
}

/// The header of a loss marker.
pub(super) fn loss(loss: &Loss) -> Result<v1::LossMarker, RecordError> {
    loss.check()?;
    bound("site", loss.site.len(), MAX_TEXT_BYTES)?;
    bound("sensor", loss.sensor.len(), MAX_TEXT_BYTES)?;
    Ok(v1::LossMarker {
        site: loss.site.to_string(),
        sensor: loss.sensor.to_string(),
        epoch: loss.epoch,
        from_seq: loss.from_seq,
        to_seq: loss.to_seq,
        rows: loss.rows,
    })
}

/// Reads the header of a loss marker.
pub(super) fn read_loss(header: &[u8]) -> Result<Loss, RecordError> {
    let marker: v1::LossMarker = read(header)?;
    bound("site", marker.site.len(), MAX_TEXT_BYTES)?;
    bound("sensor", marker.sensor.len(), MAX_TEXT_BYTES)?;
    let loss = Loss {
        site: marker.site.into(),
        sensor: marker.sensor.into(),
        epoch: marker.epoch,
        from_seq: marker.from_seq,
        to_seq: marker.to_seq,
        rows: marker.rows,
    };
    loss.check()?;
    Ok(loss)
}
