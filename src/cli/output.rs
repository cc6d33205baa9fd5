//! Rows on standard output: a table for the eye, CSV and JSON lines for programs.

use std::io::{BufWriter, StdoutLock, Write};

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::json::LineDelimitedWriter;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::ValueEnum;
use datafusion::physical_plan::SendableRecordBatchStream;
use futures::StreamExt;

use crate::error::{Error, Reason, Result};
use crate::query::failure;

/// Rows that are looked at to find the widths of a table's columns; later rows may be wider, and are then not aligned.
const ROWS_MEASURED_MAX: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
}

/// Writes the rows as they come; none but the first few are held.
pub async fn write_rows(mut stream: SendableRecordBatchStream, schema: SchemaRef, format: Format) -> Result<()> {
    match format {
        Format::Table => Table::new(schema).write(stream).await,
        Format::Csv => {
            let mut header = true;
            while let Some(batch) = stream.next().await {
                let batch = flat(&batch.map_err(failure)?)?;
                let mut writer = WriterBuilder::new().with_header(header).build(std::io::stdout().lock());
                writer.write(&batch).map_err(written)?;
                header = false;
            }
            if header && !schema.fields().is_empty() {
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                println!("{}", names.join(","));
            }
            Ok(())
        }
        Format::Json => {
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(failure)?;
                let mut writer = LineDelimitedWriter::new(std::io::stdout().lock());
                writer.write(&batch).map_err(written)?;
            }
            Ok(())
        }
    }
}

/// Nested columns as text, which CSV needs.
fn flat(batch: &RecordBatch) -> Result<RecordBatch> {
    let fields = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (column, field) in batch.columns().iter().zip(fields.fields()) {
        let column = if field.data_type().is_nested() {
            let options = FormatOptions::new();
            let shown = ArrayFormatter::try_new(column, &options).map_err(written)?;
            let texts = (0..column.len()).map(|row| shown.value(row).to_string());
            std::sync::Arc::new(texts.map(Some).collect::<arrow::array::StringArray>())
        } else {
            std::sync::Arc::clone(column)
        };
        columns.push((field.name().clone(), column));
    }
    RecordBatch::try_from_iter(columns).map_err(written)
}

/// A table with a header, aligned as psql aligns.
struct Table {
    schema: SchemaRef,
    rows: usize,
}

impl Table {
    fn new(schema: SchemaRef) -> Self {
        Self { schema, rows: 0 }
    }

    async fn write(mut self, mut stream: SendableRecordBatchStream) -> Result<()> {
        if self.schema.fields().is_empty() {
            return Ok(());
        }
        let mut measured: Vec<Vec<String>> = Vec::new();
        let mut widths: Option<Vec<usize>> = None;
        while let Some(batch) = stream.next().await {
            let cells = cells(&batch.map_err(failure)?)?;
            self.rows += cells.len();
            match &widths {
                Some(widths) => self.lines(&mut out(), &cells, widths)?,
                None => {
                    measured.extend(cells);
                    if measured.len() >= ROWS_MEASURED_MAX {
                        widths = Some(self.begin(&mut out(), &std::mem::take(&mut measured))?);
                    }
                }
            }
        }
        if widths.is_none() {
            self.begin(&mut out(), &measured)?;
        }
        println!("({} row{})", self.rows, if self.rows == 1 { "" } else { "s" });
        Ok(())
    }

    fn begin(&self, out: &mut impl Write, cells: &[Vec<String>]) -> Result<Vec<usize>> {
        let names: Vec<String> = self.schema.fields().iter().map(|field| field.name().clone()).collect();
        let width = |column: usize| {
            let longest = cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
            longest.unwrap_or(0).max(names.get(column).map_or(0, |name| name.chars().count()))
        };
        let widths: Vec<usize> = (0..names.len()).map(width).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        let head: Vec<String> = names.iter().zip(&widths).map(|(name, width)| format!(" {name:^width$} ")).collect();
        writeln!(out, "{}\n{}", head.join("|"), rule.join("+")).map_err(lost)?;
        self.lines(out, cells, &widths)?;
        Ok(widths)
    }

    fn lines(&self, out: &mut impl Write, cells: &[Vec<String>], widths: &[usize]) -> Result<()> {
        for row in cells {
            let padded = row.iter().zip(widths).zip(self.schema.fields()).map(|((cell, width), field)| {
                if is_number(field.data_type()) { format!(" {cell:>width$} ") } else { format!(" {cell:<width$} ") }
            });
            writeln!(out, "{}", padded.collect::<Vec<_>>().join("|").trim_end()).map_err(lost)?;
        }
        Ok(())
    }
}

fn out() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(std::io::stdout().lock())
}

fn is_number(kind: &DataType) -> bool {
    kind.is_numeric()
}

/// The rows as texts; a NULL is empty.
pub fn cells(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let options = FormatOptions::new().with_null("");
    let columns: Result<Vec<Vec<String>>> = batch
        .columns()
        .iter()
        .map(|column| {
            let text = cast(column, &DataType::Utf8).ok().filter(|_| !column.data_type().is_nested());
            if let Some(text) = text {
                return Ok(text.as_string::<i32>().iter().map(|cell| cell.unwrap_or("").to_owned()).collect());
            }
            let shown = ArrayFormatter::try_new(column, &options).map_err(written)?;
            Ok((0..column.len()).map(|row| shown.value(row).to_string()).collect())
        })
        .collect();
    let columns = columns?;
    Ok((0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect())
}

fn written(error: arrow::error::ArrowError) -> Error {
    Error::of(Reason::Io, error)
}

fn lost(error: std::io::Error) -> Error {
    Error::of(Reason::Io, error)
}
