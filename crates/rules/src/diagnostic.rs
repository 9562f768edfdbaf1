use serde::Serialize;

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Loads, but look at it.
    Warning,
    /// Does not load.
    Error,
}

/// What is wrong in a file, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad.
    pub level: Level,
    /// Stable code, such as `TT-RULE-004`.
    pub code: &'static str,
    /// The file.
    pub file: String,
    /// Line from 1; 0 when the file as a whole is meant.
    pub line: u32,
    /// Column from 1; 0 when unknown.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error in `file` at `place` (line, column).
    pub fn error(
        code: &'static str,
        file: &str,
        place: (u32, u32),
        message: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Error,
            code,
            file: file.to_owned(),
            line: place.0,
            column: place.1,
            message: message.into(),
            help: None,
        }
    }

    /// A warning.
    pub fn warning(
        code: &'static str,
        file: &str,
        place: (u32, u32),
        message: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            ..Self::error(code, file, place, message)
        }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        let level = if self.level == Level::Error {
            "error"
        } else {
            "warning"
        };
        write!(f, ": {level}[{}]: {}", self.code, self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n    help: {help}")?;
        }
        Ok(())
    }
}
