//! Where output goes.

pub mod rows;

use std::io::{self, IsTerminal as _, Write as _};

/// Prints to standard output; a closed pipe is an error for the caller to see.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Did the reader of our output go away?
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
            || cause.downcast_ref::<csv::Error>().is_some_and(|e| matches!(e.kind(), csv::ErrorKind::Io(e) if e.kind() == io::ErrorKind::BrokenPipe))
            || cause.downcast_ref::<serde_json::Error>().is_some_and(|e| e.io_error_kind() == Some(io::ErrorKind::BrokenPipe))
    })
}

/// Shall text be coloured?
pub fn color(setting: crate::config::Color) -> bool {
    match setting {
        crate::config::Color::Always => true,
        crate::config::Color::Never => false,
        crate::config::Color::Auto => {
            io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
        }
    }
}
