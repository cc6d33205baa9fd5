//! How the rows of a COPY look: text with backslashes, CSV, or binary.

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyForm {
    Text(CopyText),
    Csv(CopyCsv),
    Binary,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyText {
    pub delimiter: u8,
    pub null: String,
    pub header: CopyHeader,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyCsv {
    pub delimiter: u8,
    pub quote: u8,
    pub escape: u8,
    pub null: String,
    pub header: CopyHeader,
    /// Quoted on their way out even where they need not be.
    pub force_quote: Columns,
    /// On their way in, a quoted value that is the null text is NULL, too.
    pub force_null: Columns,
    /// On their way in, never NULL.
    pub force_not_null: Columns,
}

/// The line of names before the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CopyHeader {
    #[default]
    Absent,
    Present,
    /// On its way in it must say the names of the columns.
    Match,
}

/// Columns that an option is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Columns {
    All,
    Named(Vec<String>),
}

impl Columns {
    pub fn none() -> Self {
        Self::Named(Vec::new())
    }

    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|named| named == name),
        }
    }
}
