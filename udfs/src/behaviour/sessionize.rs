//! `sessionize`: the number of the session that an event belongs to.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion_common::utils::take_function_args;
use datafusion_common::{Result, exec_err};
use datafusion_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion_expr::{ColumnarValue, Documentation, PartitionEvaluator, Signature, Volatility, WindowUDFImpl};

use crate::calendar::{Instants, coerce_time};
use crate::constants::quoted;
use crate::documents::{BEHAVIOUR, Entry};
use crate::windows::{coerce_window, window_micros};

const NAME: &str = "sessionize";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: BEHAVIOUR,
        description: "Number of the session that the event belongs to within its partition, BIGINT from 1 in order of time. \
            A new session begins where more than gap has passed since the event before; times are compared at microseconds. \
            The order of time is that of ts, whatever the ORDER BY of OVER, and the whole partition counts, whatever its frame. \
            A NULL ts has no session and ends none. Source: the usual definition of web analytics, by inactivity.",
        syntax: "sessionize(ts timestamptz, gap interval) OVER ([PARTITION BY ...]) -> bigint",
        arguments: &[
            ("ts", "Time of the event: date or timestamp of any unit."),
            ("gap", "Constant interval or number of days, 0 or more: how long a session lasts without an event."),
        ],
        example: "SELECT one_id, touched_at, sessionize(touched_at, INTERVAL '30 minutes') OVER (PARTITION BY one_id) AS session FROM touches",
        related: &["path_flows"],
    }
    .build()
});

/// The window function `sessionize(ts, gap)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Sessionize {
    signature: Signature,
}

impl Default for Sessionize {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl WindowUDFImpl for Sessionize {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [ts, gap] = take_function_args(NAME, types)?;
        let zone = match coerce_time(NAME, "ts", ts)? {
            DataType::Timestamp(_, zone) => zone,
            _ => None,
        };
        Ok(vec![DataType::Timestamp(TimeUnit::Microsecond, zone), coerce_window(NAME, "gap", gap)?])
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let no_rows = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let Some(Ok(ColumnarValue::Scalar(gap))) = args.input_exprs().get(1).map(|expr| expr.evaluate(&no_rows)) else {
            return exec_err!("{NAME}: gap must be a constant");
        };
        match window_micros(NAME, "gap", &gap)? {
            Some(gap_micros) if gap_micros >= 0.0 => Ok(Box::new(Sessions { gap_micros: gap_micros as u64 })),
            _ => exec_err!("{NAME}: gap must be 0 or more, got {}", quoted(&gap)),
        }
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int64, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[derive(Debug)]
struct Sessions {
    gap_micros: u64,
}

impl PartitionEvaluator for Sessions {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let Some(ts) = values.first() else {
            return exec_err!("{NAME}: ts is missing");
        };
        let ts = Instants::of(ts)?;
        let mut in_time: Vec<usize> = (0..num_rows).filter(|row| ts.is_valid(*row)).collect();
        in_time.sort_by_key(|row| ts.raw[*row]);
        let mut sessions: Vec<Option<i64>> = vec![None; num_rows];
        let (mut session, mut before) = (0, None);
        for row in in_time {
            if before.is_none_or(|before| ts.raw[row].abs_diff(before) > self.gap_micros) {
                session += 1;
            }
            before = Some(ts.raw[row]);
            sessions[row] = Some(session);
        }
        Ok(Arc::new(Int64Array::from(sessions)))
    }
}
