//! `rfm_segment`: the name of the segment that three scores fall in.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use crate::constants::quoted;
use crate::documents::{Entry, RFM};

const NAME: &str = "rfm_segment";

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Entry {
        section: RFM,
        description: "Segment of a customer by the scores r, f and m. Without map: scores 1 to 5 and eleven segments, \
            'Champions', 'Loyal', 'Potential Loyalist', 'New Customers', 'Promising', 'Need Attention', 'About To Sleep', \
            'At Risk', 'Cannot Lose Them', 'Hibernating', 'Lost'. NULL when a score is NULL or the map has no name for it. \
            Source: the table of 125 codes that the RFM tools of the trade share.",
        syntax: "rfm_segment(r integer, f integer, m integer [, map text]) -> text",
        arguments: &[
            ("r", "Recency score, 5 best."),
            ("f", "Frequency score, 5 best."),
            ("m", "Monetary score, 5 best."),
            ("map", "Constant JSON object from code to name, as {\"555\": \"Best\", \"*\": \"Other\"}; the code is r, f, m in digits (joined by '-' when one is above 9), \
                '*' names all codes that are not listed."),
        ],
        example: "SELECT rfm_segment(5, 5, 5), rfm_segment(r, f, m, '{\"111\": \"Lost\", \"*\": \"Others\"}') FROM scores",
        related: &["rfm_score"],
    }
    .build()
});

const CHAMPIONS: &str = "Champions";
const LOYAL: &str = "Loyal";
const POTENTIAL: &str = "Potential Loyalist";
const NEW: &str = "New Customers";
const PROMISING: &str = "Promising";
const ATTENTION: &str = "Need Attention";
const SLEEP: &str = "About To Sleep";
const AT_RISK: &str = "At Risk";
const CANNOT_LOSE: &str = "Cannot Lose Them";
const HIBERNATING: &str = "Hibernating";
const LOST: &str = "Lost";

/// One row for each (r, f) in order, m from 1 to 5 across.
const SEGMENTS: [[&str; 5]; 25] = [
    [LOST, LOST, CANNOT_LOSE, CANNOT_LOSE, CANNOT_LOSE],
    [LOST, HIBERNATING, HIBERNATING, AT_RISK, AT_RISK],
    [LOST, HIBERNATING, AT_RISK, AT_RISK, AT_RISK],
    [LOST, AT_RISK, AT_RISK, CANNOT_LOSE, AT_RISK],
    [LOST, AT_RISK, AT_RISK, CANNOT_LOSE, CANNOT_LOSE],
    [HIBERNATING, HIBERNATING, SLEEP, CANNOT_LOSE, CANNOT_LOSE],
    [SLEEP, HIBERNATING, HIBERNATING, AT_RISK, AT_RISK],
    [SLEEP, HIBERNATING, HIBERNATING, AT_RISK, AT_RISK],
    [SLEEP, AT_RISK, AT_RISK, AT_RISK, AT_RISK],
    [SLEEP, AT_RISK, AT_RISK, AT_RISK, AT_RISK],
    [NEW, SLEEP, PROMISING, PROMISING, PROMISING],
    [SLEEP, HIBERNATING, POTENTIAL, ATTENTION, ATTENTION],
    [SLEEP, HIBERNATING, POTENTIAL, ATTENTION, LOYAL],
    [POTENTIAL, POTENTIAL, ATTENTION, LOYAL, LOYAL],
    [POTENTIAL, POTENTIAL, POTENTIAL, LOYAL, LOYAL],
    [NEW, NEW, PROMISING, PROMISING, PROMISING],
    [NEW, NEW, POTENTIAL, PROMISING, PROMISING],
    [POTENTIAL, POTENTIAL, POTENTIAL, ATTENTION, LOYAL],
    [POTENTIAL, POTENTIAL, ATTENTION, LOYAL, CHAMPIONS],
    [POTENTIAL, POTENTIAL, POTENTIAL, CHAMPIONS, CHAMPIONS],
    [NEW, NEW, PROMISING, PROMISING, PROMISING],
    [PROMISING, PROMISING, PROMISING, PROMISING, PROMISING],
    [POTENTIAL, POTENTIAL, POTENTIAL, ATTENTION, ATTENTION],
    [POTENTIAL, POTENTIAL, LOYAL, CHAMPIONS, CHAMPIONS],
    [POTENTIAL, POTENTIAL, POTENTIAL, CHAMPIONS, CHAMPIONS],
];

/// The scalar `rfm_segment(r, f, m [, map])`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct RfmSegment {
    signature: Signature,
}

impl Default for RfmSegment {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for RfmSegment {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if !(3..=4).contains(&types.len()) {
            return plan_err!("{NAME}: 3 or 4 arguments are needed, got {}", types.len());
        }
        for (score, argument) in types.iter().zip(["r", "f", "m"]) {
            if !(score.is_integer() || score.is_null()) {
                return plan_err!("{NAME}: {argument} must be an integer, got {score}");
            }
        }
        let mut coerced = vec![DataType::Int64; 3];
        coerced.extend(types.get(3).cloned());
        Ok(coerced)
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let map = args.args.get(3).map(Names::of).transpose()?;
        let columns = ColumnarValue::values_to_arrays(args.args.get(..3).unwrap_or_default())?;
        let names = segments(&columns, map.as_ref());
        if args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_))) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&names, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::new(names)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

fn segments(columns: &[ArrayRef], map: Option<&Names>) -> StringArray {
    let scores: Vec<_> = columns.iter().map(|column| column.as_primitive::<Int64Type>()).collect();
    let rows = columns.first().map_or(0, |column| column.len());
    (0..rows)
        .map(|row| {
            let mut code = [0; 3];
            for (score, column) in code.iter_mut().zip(&scores) {
                *score = column.is_valid(row).then(|| column.value(row))?;
            }
            match map {
                Some(map) => map.name(code),
                None => segment(code),
            }
        })
        .collect()
}

fn segment([r, f, m]: [i64; 3]) -> Option<&'static str> {
    let in_range = [r, f, m].iter().all(|score| (1..=5).contains(score));
    in_range.then(|| SEGMENTS[((r - 1) * 5 + f - 1) as usize][(m - 1) as usize])
}

/// The names of an own map by code.
struct Names(HashMap<String, String>);

impl Names {
    fn of(map: &ColumnarValue) -> Result<Self> {
        let ColumnarValue::Scalar(value) = map else {
            return exec_err!("{NAME}: map must be a constant");
        };
        let names = value.try_as_str().flatten().and_then(|json| serde_json::from_str(json).ok());
        match names {
            Some(names) => Ok(Self(names)),
            None => exec_err!("{NAME}: map must be a JSON object from code to name, got {}", quoted(value)),
        }
    }

    fn name(&self, code: [i64; 3]) -> Option<&str> {
        let separator = if code.iter().any(|score| *score > 9) { "-" } else { "" };
        let code = code.map(|score| score.to_string()).join(separator);
        self.0.get(&code).or_else(|| self.0.get("*")).map(String::as_str)
    }
}
