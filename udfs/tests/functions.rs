//! The functions in SQL, in a plain DataFusion session.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod functions {
    mod aggregates;
    mod attribution;
    mod behaviour;
    mod churn;
    mod documentation;
    mod experiments;
    mod lifetime;
    mod market_basket;
    mod partitions;
    mod rfm;
    mod roi;
    mod sets;
    mod support;
    mod survival;
    mod trade;
}
