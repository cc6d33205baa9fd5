//! The one error that crosses rooms: what happened, and what the caller can do about it.
//!
//! Each room has its own `thiserror` enum; at its edge that enum becomes an [`Error`] by naming a [`Reason`]. The wire and
//! the audit log tell a [`Reason`] by its SQLSTATE, the web by an HTTP status, the cli by an exit code, one match each.

pub mod sqlstate;

use std::error::Error as StdError;
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong as written: change it.
    Invalid,
    /// The principal may not do this: ask for a grant.
    Denied,
    /// What is named does not exist, or is hidden from the principal.
    Missing,
    /// It clashes with what exists or with a concurrent change: look, then try again.
    Conflict,
    /// A limit is reached: ask for less, or raise the limit.
    Exhausted,
    /// It may work later.
    Unavailable,
    /// Someone asked for it to stop.
    Cancelled,
    /// Stored bytes are not what was written: restore them.
    Corrupt,
    /// A defect of this program.
    Bug,
}

/// What happened, as fine as a client of PostgreSQL tells conditions apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    Syntax,
    UndefinedTable,
    UndefinedColumn,
    UndefinedFunction,
    UndefinedSchema,
    UndefinedDatabase,
    UndefinedObject,
    UndefinedParameter,
    AmbiguousColumn,
    AmbiguousFunction,
    DuplicateObject,
    DuplicateTable,
    DuplicateSchema,
    DuplicateColumn,
    DuplicateStatement,
    DuplicateCursor,
    DependentObjects,
    /// It is in use by a session: that one must end first.
    ObjectInUse,
    ReservedName,
    /// What an object says of itself makes no sense, for example a policy that needs itself.
    InvalidDefinition,
    InvalidGrant,
    DatatypeMismatch,
    CannotCoerce,
    Grouping,
    /// A table or view whose columns cannot be as they are defined.
    InvalidColumns,
    /// It exists, and is another kind of thing.
    WrongKind,
    InvalidText,
    InvalidDatetime,
    /// A date or a time with a field that no calendar or clock has.
    DatetimeOutOfRange,
    InvalidParameter,
    /// NULL where there must be a value.
    NullNotAllowed,
    InvalidBinary,
    /// A regular expression that is none.
    InvalidRegex,
    /// A mark that shall escape others and is not one character.
    InvalidEscape,
    OutOfRange,
    TooLong,
    DivisionByZero,
    /// An array whose size does not fit.
    Subscript,
    /// A logarithm of what has none.
    InvalidLogarithm,
    /// A power or a root of what has none.
    InvalidPower,
    /// Buckets that no width can be given to.
    InvalidBuckets,
    Cardinality,
    NotNull,
    Check,
    Unique,
    InvalidRow,
    Privilege,
    Authentication,
    LoginThrottled,
    Unsupported,
    PlanChanged,
    TransactionFailed,
    TransactionActive,
    NoTransaction,
    UndefinedSavepoint,
    ReadOnly,
    ReadOnlySetting,
    CursorUnknown,
    /// A cursor that cannot do this, or no longer.
    CursorState,
    StatementUnknown,
    Cancelled,
    TimedOut,
    Shutdown,
    ConnectionsExhausted,
    MemoryExhausted,
    DiskFull,
    LimitExceeded,
    /// Too much waits to be done already.
    TooBusy,
    /// A statement that is too large to be planned.
    TooComplex,
    Serialization,
    /// A key that marks a repeat came with something else than the first time.
    KeyReused,
    Locked,
    FileMissing,
    FileInvalid,
    Io,
    Configuration,
    Protocol,
    Corrupt,
    Internal,
}

impl Reason {
    /// What the caller can do about it.
    pub fn kind(self) -> Kind {
        use Reason::*;
        match self {
            Syntax | AmbiguousColumn | AmbiguousFunction | DatatypeMismatch | CannotCoerce | Grouping | InvalidText
            | InvalidDatetime | DatetimeOutOfRange | InvalidLogarithm | InvalidPower | InvalidBuckets
            | InvalidParameter | NullNotAllowed | InvalidBinary | InvalidRegex | InvalidEscape | OutOfRange
            | TooLong | DivisionByZero | Subscript | Cardinality | InvalidDefinition | InvalidColumns | WrongKind
            | ReservedName | DuplicateColumn | NotNull | Check | InvalidRow | Unsupported | TransactionFailed
            | TransactionActive | NoTransaction | CursorState | ReadOnly | ReadOnlySetting | FileInvalid
            | Configuration | Protocol | UndefinedParameter | InvalidGrant => Kind::Invalid,
            Privilege | Authentication | LoginThrottled => Kind::Denied,
            UndefinedTable | UndefinedColumn | UndefinedFunction | UndefinedSchema | UndefinedDatabase
            | UndefinedObject | UndefinedSavepoint | CursorUnknown | StatementUnknown | FileMissing => Kind::Missing,
            DuplicateObject | DuplicateTable | DuplicateSchema | DuplicateStatement | DuplicateCursor
            | DependentObjects | ObjectInUse | Unique | Serialization | KeyReused | PlanChanged => Kind::Conflict,
            ConnectionsExhausted | MemoryExhausted | DiskFull | LimitExceeded | TooComplex => Kind::Exhausted,
            Locked | Shutdown | Io | TooBusy => Kind::Unavailable,
            Cancelled | TimedOut => Kind::Cancelled,
            Corrupt => Kind::Corrupt,
            Internal => Kind::Bug,
        }
    }
}

/// A failure as the caller sees it. `Display` is the message alone; `source` is the cause, where one exists.
#[derive(Debug)]
pub struct Error {
    reason: Reason,
    message: String,
    detail: Option<Box<str>>,
    hint: Option<Box<str>>,
    context: Option<Box<str>>,
    position: Option<usize>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), detail: None, hint: None, context: None, position: None, source: None }
    }

    /// An error whose text is that of `cause`, which stays reachable as the source of its own causes.
    pub fn of<E: StdError + Send + Sync + 'static>(reason: Reason, cause: E) -> Self {
        let message = cause.to_string();
        Self { source: Some(Box::new(cause)), ..Self::new(reason, message) }
    }

    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into().into_boxed_str());
        self
    }

    /// What to do about it, shown beneath the message.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into_boxed_str());
        self
    }

    /// Where among the data it was, such as `COPY t, line 3`.
    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into().into_boxed_str());
        self
    }

    /// Where in the statement, counted in characters from 1.
    pub fn at(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    pub fn reason(&self) -> Reason {
        self.reason
    }

    pub fn kind(&self) -> Kind {
        self.reason.kind()
    }

    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    pub fn position(&self) -> Option<usize> {
        self.position
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // `of` already shows the cause's own text as the message.
        self.source.as_deref().and_then(StdError::source)
    }
}
