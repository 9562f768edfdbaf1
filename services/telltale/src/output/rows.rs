//! Rows of tables as JSON lines, CSV, Arrow IPC or Parquet.
//!
//! The text formats show names instead of numbers; Arrow and Parquet hold the
//! numbers, with the names in the fields' metadata.

use anyhow::{Context as _, Result, bail};
use arrow_array::cast::AsArray as _;
use arrow_array::types::UInt64Type;
use arrow_ipc::writer::FileWriter as ArrowWriter;
use parquet::arrow::ArrowWriter as ParquetWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use telltale_schema::{Frame, TableBatch, TableId, col, value};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RowFormat {
    /// One JSON object a line; columns without a value are left out.
    Jsonl,
    /// Comma-separated values with a header; one table.
    Csv,
    /// Arrow IPC file; one table.
    Arrow,
    /// Parquet, zstd; one table.
    Parquet,
    /// Nothing: decode and count only.
    None,
}

impl RowFormat {
    fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
            Self::None => "",
        }
    }
}

type Out = Box<dyn Write + Send>;

/// Where rows go.
enum Sink {
    /// All wanted tables into one stream, in the order of `row_no`.
    Stream(Out),
    Csv(Box<csv::Writer<Out>>),
    Arrow(Box<ArrowWriter<Out>>),
    Parquet(Box<ParquetWriter<Out>>),
}

/// Writes frames in one format, to one stream or to a file per table.
pub struct RowWriter {
    format: RowFormat,
    only: Option<TableId>,
    out: Target,
    sinks: BTreeMap<TableId, Sink>,
    stream: Option<Sink>,
    rows: u64,
}

/// Standard output, one file, or a folder with a file per table.
pub enum Target {
    /// Standard output.
    Stdout,
    /// One file.
    File(PathBuf),
    /// `<table>.<format>` in this folder.
    Folder(PathBuf),
}

impl Target {
    /// A path that is a folder, or that ends in `/`, is a folder.
    #[must_use]
    pub fn new(path: Option<&Path>) -> Self {
        match path {
            None => Self::Stdout,
            Some(p) if p == Path::new("-") => Self::Stdout,
            Some(p) if p.is_dir() || p.as_os_str().to_string_lossy().ends_with('/') => {
                Self::Folder(p.to_owned())
            }
            Some(p) => Self::File(p.to_owned()),
        }
    }
}

fn create(path: &Path) -> Result<Out> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(BufWriter::with_capacity(1 << 20, file)))
}

impl RowWriter {
    /// A writer of `format`; `only` names the one table to write, if not all.
    ///
    /// # Errors
    /// When a format that holds one table is asked to write all into one stream.
    pub fn new(format: RowFormat, only: Option<TableId>, out: Target) -> Result<Self> {
        let one_table = matches!(
            format,
            RowFormat::Csv | RowFormat::Arrow | RowFormat::Parquet
        );
        if one_table && only.is_none() && !matches!(out, Target::Folder(_)) {
            bail!(
                "{} holds one table: name it with --table, or give --out FOLDER/ for a file per table",
                format.extension()
            );
        }
        if let Target::Folder(dir) = &out {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot make folder {}", dir.display()))?;
        }
        Ok(Self {
            format,
            only,
            out,
            sinks: BTreeMap::new(),
            stream: None,
            rows: 0,
        })
    }

    /// Writes the wanted rows of a frame.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn write(&mut self, frame: &Frame) -> Result<()> {
        let wanted = |b: &&TableBatch| self.only.is_none_or(|t| t == b.table);
        if self.format == RowFormat::None {
            return Ok(());
        }
        if self.format == RowFormat::Jsonl && !matches!(self.out, Target::Folder(_)) {
            let batches: Vec<&TableBatch> = frame.batches.iter().filter(wanted).collect();
            return self.write_merged(&batches);
        }
        for batch in frame.batches.iter().filter(wanted) {
            self.rows += batch.batch.num_rows() as u64;
            let sink = match self.sinks.entry(batch.table) {
                std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
                std::collections::btree_map::Entry::Vacant(e) => {
                    e.insert(open(self.format, batch, &self.out)?)
                }
            };
            match sink {
                Sink::Stream(out) => {
                    for row in 0..batch.batch.num_rows() {
                        write_json(out, batch, row)?;
                    }
                }
                Sink::Csv(out) => {
                    for row in 0..batch.batch.num_rows() {
                        let values = value::row(batch, row);
                        let columns = batch.table.def().columns.iter();
                        out.write_record(columns.map(|c| match values.get(c.name) {
                            value::Value::Null => String::new(),
                            value => value.to_string(),
                        }))?;
                    }
                }
                Sink::Arrow(out) => out.write(&batch.batch)?,
                Sink::Parquet(out) => out.write(&batch.batch)?,
            }
        }
        Ok(())
    }

    /// All tables of a frame into one stream, in the order of `row_no`.
    fn write_merged(&mut self, batches: &[&TableBatch]) -> Result<()> {
        if self.stream.is_none() {
            self.stream = Some(Sink::Stream(match &self.out {
                Target::File(path) => create(path)?,
                Target::Stdout | Target::Folder(_) => stdout(),
            }));
        }
        let Some(Sink::Stream(out)) = &mut self.stream else {
            return Ok(());
        };
        let mut order: Vec<(u64, usize, usize)> = Vec::new();
        for (i, batch) in batches.iter().enumerate() {
            let numbers = batch
                .batch
                .column(col::ROW_NO)
                .as_primitive::<UInt64Type>()
                .values();
            order.extend(numbers.iter().enumerate().map(|(row, no)| (*no, i, row)));
        }
        order.sort_unstable();
        for (_, i, row) in order {
            if let Some(batch) = batches.get(i) {
                write_json(out, batch, row)?;
                self.rows += 1;
            }
        }
        Ok(())
    }

    /// Ends all files.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(mut self) -> Result<u64> {
        for sink in std::mem::take(&mut self.sinks)
            .into_values()
            .chain(self.stream.take())
        {
            match sink {
                Sink::Stream(mut out) => out.flush()?,
                Sink::Csv(mut out) => out.flush()?,
                Sink::Arrow(mut out) => out.finish()?,
                Sink::Parquet(out) => {
                    out.close()?;
                }
            }
        }
        Ok(self.rows)
    }
}

fn stdout() -> Out {
    Box::new(BufWriter::with_capacity(1 << 16, std::io::stdout()))
}

fn open(format: RowFormat, batch: &TableBatch, target: &Target) -> Result<Sink> {
    let out: Out = match target {
        Target::Stdout => stdout(),
        Target::File(path) => create(path)?,
        Target::Folder(dir) => {
            create(&dir.join(format!("{}.{}", batch.table.name(), format.extension())))?
        }
    };
    let schema = batch.batch.schema();
    Ok(match format {
        RowFormat::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(schema.fields().iter().map(|f| f.name()))?;
            Sink::Csv(Box::new(csv))
        }
        RowFormat::Arrow => Sink::Arrow(Box::new(ArrowWriter::try_new(out, &schema)?)),
        RowFormat::Parquet => {
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default()))
                .build();
            Sink::Parquet(Box::new(ParquetWriter::try_new(
                out,
                schema,
                Some(properties),
            )?))
        }
        RowFormat::Jsonl | RowFormat::None => Sink::Stream(out),
    })
}

fn write_json(out: &mut Out, batch: &TableBatch, row: usize) -> Result<()> {
    let mut object = serde_json::Map::new();
    object.insert("table".into(), batch.table.name().into());
    for (column, value) in value::row(batch, row).iter() {
        if !value.is_null() {
            object.insert((*column).to_owned(), value.to_json());
        }
    }
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")?;
    Ok(())
}
