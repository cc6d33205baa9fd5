//! Which source a file is of: the one whose recognised headers the file has.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::error::IngestError;
use super::reader::{HeaderChanges, Input, Reader, inputs, key};
use crate::dataset::{Dataset, Layout, Origin, Source};

/// Files and the source that all of them are of.
pub struct Arrivals {
    /// `None` where they are in canonical form.
    pub source: Option<Source>,
    pub inputs: Vec<Input>,
    pub changes: HeaderChanges,
}

/// The files that `names` mean. `source` names their source; without it each is of the source that recognises it.
pub fn arrivals(
    dataset: &Dataset,
    table: &str,
    source: Option<&str>,
    names: &[String],
) -> Result<Arrivals, IngestError> {
    let mut found: Vec<(Option<&Source>, Input)> = Vec::new();
    let forced = source.map(|name| named(dataset, name)).transpose()?;
    for sheets in inputs(names)? {
        match forced {
            Some(source) => found.extend(sheets_of(source, &sheets)?.into_iter().map(|input| (Some(source), input))),
            None => found.extend(recognised(dataset, Some(table), &sheets)?),
        }
    }
    let source = found.first().and_then(|(source, _)| *source);
    if found.iter().any(|(other, _)| other.map(|source| &source.name) != source.map(|source| &source.name)) {
        let mut names: Vec<String> = found
            .iter()
            .map(|(source, input)| format!("{} is of {}", input.name, source.map_or("none", |source| &source.name)))
            .collect();
        names.dedup();
        names.truncate(4);
        return Err(IngestError::SourcesDiffer { found: names.join(", ") });
    }
    let inputs: Vec<Input> = found.into_iter().map(|(_, input)| input).collect();
    Ok(Arrivals { source: source.cloned(), changes: changes(&inputs)?, inputs })
}

pub fn named<'a>(dataset: &'a Dataset, name: &str) -> Result<&'a Source, IngestError> {
    dataset.source(name).ok_or_else(|| IngestError::SourceUnknown {
        source_name: name.to_owned(),
        known: dataset.sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

/// The sheets of one file that are of a source that is known: the one it names, else those it recognises, else the first.
pub fn sheets_of(source: &Source, sheets: &[Input]) -> Result<Vec<Input>, IngestError> {
    let all = || sheets.iter().map(|input| input.shaped(&source.layout));
    if let Some(wanted) = source.layout.sheet.as_deref().filter(|_| sheets.iter().any(|input| input.sheet.is_some())) {
        let named: Vec<Input> = all().filter(|input| input.sheet.as_deref() == Some(wanted)).collect();
        return if named.is_empty() { Err(sheet_absent(wanted, sheets)) } else { Ok(named) };
    }
    let known: Vec<Input> =
        all().filter(|input| matches(&source.layout, input, &mut KnownHeaders::default()).is_some()).collect();
    Ok(if known.is_empty() { all().take(1).collect() } else { known })
}

fn sheet_absent(wanted: &str, sheets: &[Input]) -> IngestError {
    IngestError::SheetAbsent {
        file: sheets.first().map(|input| input.name.to_string()).unwrap_or_default(),
        sheet: wanted.to_owned(),
        known: sheets.iter().filter_map(|input| input.sheet.as_deref()).collect::<Vec<_>>().join(", "),
    }
}

/// The sheets of one file that a source recognises; the first sheet as it is where none does. With a table sources that feed it
/// go before others, and a file that only others recognise is refused.
pub fn recognised<'a>(
    dataset: &'a Dataset,
    table: Option<&str>,
    sheets: &[Input],
) -> Result<Vec<(Option<&'a Source>, Input)>, IngestError> {
    let feeds = |source: &Source| table.is_none_or(|table| source.tables.contains_key(table));
    let (mut found, mut elsewhere) = (Vec::new(), None);
    for sheet in sheets {
        let mut headers = KnownHeaders::default();
        let matching = |source: &'a Source| Some((matches(&source.layout, sheet, &mut headers)?, source));
        let mut known: Vec<(usize, &Source)> = dataset.sources.iter().filter_map(matching).collect();
        elsewhere = elsewhere.or_else(|| known.first().map(|(_, source)| *source));
        known.retain(|(_, source)| feeds(source));
        let most = known.iter().map(|(headers, _)| *headers).max();
        known.retain(|(headers, _)| Some(*headers) == most);
        match known.as_slice() {
            [] => {}
            [(_, source)] => found.push((Some(*source), sheet.shaped(&source.layout))),
            several => {
                let names = several.iter().map(|(_, source)| source.name.as_str());
                let candidates = names.collect::<Vec<_>>().join(" or ");
                return Err(IngestError::SourceAmbiguous { file: sheet.name.to_string(), candidates });
            }
        }
    }
    match (found.is_empty(), elsewhere, table) {
        (false, ..) => Ok(found),
        (true, Some(source), Some(table)) => Err(IngestError::SourceElsewhere {
            file: sheets.first().map(|input| input.name.to_string()).unwrap_or_default(),
            source_name: source.name.clone(),
            table: table.to_owned(),
            known: source.tables.keys().cloned().collect::<Vec<_>>().join(", "),
        }),
        (true, ..) => Ok(sheets.first().map(|input| (None, input.clone())).into_iter().collect()),
    }
}

/// Encoding, delimiter, row of the header.
type Way = (Option<String>, Option<u8>, u32);

/// The headers of one sheet, read once for each way in which layouts read it.
#[derive(Default)]
struct KnownHeaders {
    by_way: HashMap<Way, Option<HashSet<String>>>,
}

impl KnownHeaders {
    /// `None` where the sheet cannot be read in this way; whether it can be read at all the load will say.
    fn of(&mut self, layout: &Arc<Layout>, sheet: &Input) -> Option<&HashSet<String>> {
        let way = (layout.encoding.clone(), layout.delimiter, layout.header_row);
        let read = || {
            let plain = Layout { columns: Vec::new(), ..layout.as_ref().clone() };
            let mut reader = Reader::open(&sheet.shaped(&Arc::new(plain)), None, &Arc::default()).ok()?;
            if reader.header().is_none() {
                reader.next().ok()?;
            }
            Some(reader.file_header().iter().map(|name| key(name)).collect())
        };
        self.by_way.entry(way).or_insert_with(read).as_ref()
    }
}

/// How many of the layout's headers the sheet has; `None` where it lacks one by which the source is recognised.
fn matches(layout: &Arc<Layout>, sheet: &Input, known: &mut KnownHeaders) -> Option<usize> {
    let another_sheet =
        sheet.sheet.is_some() && layout.sheet.is_some() && sheet.sheet.as_deref() != layout.sheet.as_deref();
    if layout.recognise.is_empty() || another_sheet {
        return None;
    }
    let header = known.of(layout, sheet)?;
    let has = |name: &String| header.contains(&key(name));
    let of_columns = layout.columns.iter().filter_map(|column| match &column.origin {
        Origin::Header(aliases) => Some(aliases.iter()),
        Origin::Prefix(_) | Origin::Constant(_) => None,
    });
    let headers = of_columns.flatten().chain(&layout.others).chain(&layout.may_have).chain(&layout.left_out);
    layout.recognise.iter().all(has).then(|| headers.filter(|name| has(name)).count())
}

/// What the headers of the files together have changed.
pub fn changes(inputs: &[Input]) -> Result<HeaderChanges, IngestError> {
    let mut all = HeaderChanges::default();
    for input in inputs.iter().filter(|input| input.layout.is_some()) {
        let mut reader = Reader::open(input, None, &Arc::default())?;
        if reader.header().is_none() {
            reader.next()?;
        }
        let Some(found) = reader.shape().map(|shape| shape.changes()) else { continue };
        all.renamed.extend(found.renamed.into_iter().filter(|pair| !all.renamed.contains(pair)).collect::<Vec<_>>());
        all.missing.extend(found.missing.into_iter().filter(|name| !all.missing.contains(name)).collect::<Vec<_>>());
        all.new.extend(found.new.into_iter().filter(|name| !all.new.contains(name)).collect::<Vec<_>>());
    }
    Ok(all)
}
