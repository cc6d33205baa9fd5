//! Bitmaps and sketches.

use std::collections::BTreeSet;

use proptest::prelude::{ProptestConfig, proptest};

use super::support::{close, of, refusal, rows, session};

fn set(ids: &[u64]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("({id})")).collect();
    format!("(SELECT bitmap_build(id) FROM (VALUES {}) AS t(id))", ids.join(", "))
}

#[tokio::test]
async fn a_bitmap_has_the_bytes_of_the_specification() {
    // One map of the upper half 0; the standard Roaring format of {1, 2, 3}: cookie 12346, one container of key 0 and three values, at 16.
    let bytes = "encode(bitmap_build(id), 'hex') FROM (VALUES (3), (1), (2), (2), (NULL)) AS t(id)";
    let roaring =
        concat!("0100000000000000", "00000000", "3a300000", "01000000", "00000200", "10000000", "010002000300");
    assert_eq!(of(bytes).await, roaring);
}

#[tokio::test]
async fn sets_are_counted_searched_and_listed() {
    let (one, two) = (set(&[1, 2, 3, 5_000_000_000]), set(&[2, 3, 4]));
    for (call, expected) in [
        (format!("bitmap_count({one})"), "4"),
        (format!("bitmap_contains({one}, 5000000000)"), "true"),
        (format!("bitmap_contains({one}, 4)"), "false"),
        (format!("bitmap_contains({one}, -1)"), "false"),
        (format!("bitmap_to_array(bitmap_and({one}, {two}))"), "[2, 3]"),
        (format!("bitmap_to_array(bitmap_or({one}, {two}))"), "[1, 2, 3, 4, 5000000000]"),
        (format!("bitmap_to_array(bitmap_andnot({one}, {two}))"), "[1, 5000000000]"),
        (format!("bitmap_to_array(bitmap_xor({one}, {two}))"), "[1, 4, 5000000000]"),
        (format!("intersect_count({one}, {two})"), "2"),
        (format!("bitmap_subset({two}, {one})"), "false"),
        (format!("bitmap_subset(bitmap_and({one}, {two}), {one})"), "true"),
        (
            format!(
                "bitmap_to_array(bitmap_union_agg(s)) FROM (SELECT {one} AS s UNION ALL SELECT {two} UNION ALL SELECT NULL)"
            ),
            "[1, 2, 3, 4, 5000000000]",
        ),
        (
            format!(
                "bitmap_to_array(bitmap_intersect_agg(s)) FROM (SELECT {one} AS s UNION ALL SELECT {two} UNION ALL SELECT NULL)"
            ),
            "[2, 3]",
        ),
    ] {
        assert_eq!(of(&call).await, expected, "{call}");
    }
}

#[tokio::test]
async fn what_is_no_bitmap_is_null_or_refused() {
    for call in [
        "bitmap_count(x'00')",
        "bitmap_count(NULL)",
        "bitmap_and(x'ff', x'ff')",
        "bitmap_contains(x'', 1)",
        "bitmap_to_array(x'0102')",
        "bitmap_subset(NULL, NULL)",
        "intersect_count(x'00', x'00')",
        "bitmap_build(NULL::bigint)",
        "bitmap_union_agg(NULL)",
    ] {
        assert_eq!(of(call).await, "NULL", "{call}");
    }
    // Bytes after the bitmap are no part of it.
    assert_eq!(of("bitmap_count(x'000000000000000000')").await, "NULL");
    assert_eq!(of("bitmap_count(x'0000000000000000')").await, "0");
    for (call, message) in [
        ("bitmap_build(-5)", "bitmap_build: id must be 0 or more, got \"-5\""),
        ("bitmap_build('a')", "bitmap_build: id must be a whole number, got Utf8"),
        ("bitmap_union_agg(x'00')", "bitmap_union_agg: a value of 1 bytes is no bitmap"),
        ("bitmap_intersect_agg(5)", "bitmap_intersect_agg: set must be a bitmap (bytea), got Int64"),
        // One run of 2^16 ids in each of 257 containers: some kilobytes that would be 134 megabytes.
        (
            &format!("bitmap_to_array(x'{}')", long_runs(257)),
            "bitmap_to_array: the sets have more than 16777216 ids in a batch of rows",
        ),
        ("bitmap_and(5, x'00')", "bitmap_and: a must be a bitmap (bytea), got Int64"),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}

/// The bytes of a set of so many containers, each full, in runs: cookie 12347, a bit a container, keys, then runs (no offsets below 4 containers,
/// else one a container).
fn long_runs(containers: u32) -> String {
    let mut bytes = vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(((containers - 1) << 16 | 12_347).to_le_bytes());
    let mut marks = vec![0u8; containers.div_ceil(8) as usize];
    (0..containers as usize).for_each(|container| marks[container / 8] |= 1 << (container % 8));
    bytes.extend(marks);
    for key in 0..containers as u16 {
        bytes.extend([key.to_le_bytes(), [0xff, 0xff]].concat());
    }
    let header = bytes.len() as u32 - 12 + 4 * containers;
    (0..containers).for_each(|container| bytes.extend((header + 6 * container).to_le_bytes()));
    (0..containers).for_each(|_| bytes.extend([1, 0, 0, 0, 0xff, 0xff]));
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_sketch_counts_within_its_error() {
    for (count, error) in [(0, 0.0), (1, 1e-6), (100, 1e-3), (20_000, 0.05)] {
        for value in ["i", "i::varchar"] {
            let sql = format!(
                "coalesce(hll_estimate(hll_build({value})), 0) FROM (SELECT i FROM generate_series(1, {count}) AS g(i) UNION ALL SELECT i FROM generate_series(1, {count}) AS g(i))"
            );
            let estimate: f64 = of(&sql).await.parse().unwrap();
            assert!((estimate - f64::from(count)).abs() <= f64::from(count) * error, "{count}: {estimate}");
        }
    }
    // Sketches of overlapping parts are those of the whole.
    let parts = "SELECT hll_build(i) AS s FROM generate_series(1, 9000) AS g(i) UNION ALL SELECT hll_build(i) FROM generate_series(5000, 20000) AS g(i) UNION ALL SELECT NULL";
    let merged = of(&format!("hll_estimate(hll_merge(s)) FROM ({parts})")).await;
    assert_eq!(merged, of("hll_estimate(hll_build(i)) FROM generate_series(1, 20000) AS g(i)").await);
    // By Apache DataSketches for C++ (Python package datasketches 5.2.0): the union of two `hll_sketch(12, HLL_8)` of the parts.
    for (value, estimate) in [("i", 20_253.182921333093), ("i::varchar", 19_942.231131275246)] {
        let parts = format!(
            "SELECT hll_build({value}) AS s FROM generate_series(1, 9000) AS g(i) UNION ALL SELECT hll_build({value}) FROM generate_series(5000, 20000) AS g(i)"
        );
        close(&of(&format!("hll_estimate(hll_merge(s)) FROM ({parts})")).await, estimate, 1e-6);
    }
    for call in ["hll_estimate(x'00')", "hll_estimate(NULL)", "hll_build(NULL::bigint)", "hll_merge(NULL)"] {
        assert_eq!(of(call).await, "NULL", "{call}");
    }
    for (call, message) in [
        ("hll_build(1.5)", "hll_build: value must be text, got Float64"),
        ("hll_merge(x'00')", "hll_merge: a value of 1 bytes is no sketch of hll_build"),
        ("hll_estimate(5)", "hll_estimate: sketch must be a sketch of hll_build (bytea), got Int64"),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}

/// By Apache DataSketches for C++ (Python package datasketches 5.2.0): `update_theta_sketch(12)`, updated with these values, trimmed, compact.
#[tokio::test]
async fn a_theta_sketch_has_the_bytes_of_another_program() {
    let numbers = "encode(theta_build(i), 'hex') FROM generate_series(1, 5) AS g(i)";
    let five = "02030300001acc93050000000000000015f97dcbbd86a10540de2ee1c9db3d08bd3273724691cc14c397fc1281709d1eba40b3c1da06695d";
    assert_eq!(of(numbers).await, five);
    let texts = "encode(theta_build(v), 'hex') FROM (VALUES ('bo'), ('ada'), (NULL), ('ada')) AS t(v)";
    assert_eq!(of(texts).await, "02030300001acc930200000000000000e175529f50d0dc235515ba01a3a24b3b");
    let many = "encode(sha256(theta_build(i)), 'hex') FROM generate_series(1, 20000) AS g(i)";
    assert_eq!(of(many).await, "a5577248f6bad6e3d5d3e9892ac96f6e710f0881fa12fbf04511ed58d9c687c9");
    let sketches = "FROM (SELECT theta_build(i) AS a FROM generate_series(1, 30000) AS g(i)), (SELECT theta_build(i) AS b FROM generate_series(20001, 60000) AS g(i))";
    for (made, estimate, hash) in [
        ("theta_and(a, b)", 10_086.463920900558, "f02d8ab5e331a0a2c5ad85fafcb0d7859f6b45c4ea82e7e0cce31001414110e2"),
        ("theta_andnot(a, b)", 20_172.927841801116, "5beec6d9d84b39be68fe4f3a9612c1e17b8120a4e548fd5fcc22ee560203d789"),
    ] {
        close(&of(&format!("theta_estimate({made}) {sketches}")).await, estimate, 1e-9);
        assert_eq!(of(&format!("encode(sha256({made}), 'hex') {sketches}")).await, hash, "{made}");
    }
    let parts = format!("FROM (SELECT a AS s {sketches} UNION ALL SELECT b {sketches} UNION ALL SELECT NULL)");
    let union = "7360057fda9969029f20c146a59387fa5e7028d93bc8571570205eba15355301";
    assert_eq!(of(&format!("encode(sha256(theta_merge(s)), 'hex') {parts}")).await, union);
}

#[tokio::test]
async fn what_is_no_theta_sketch_is_null_or_refused() {
    for call in [
        "theta_estimate(x'00')",
        "theta_estimate(NULL)",
        "theta_and(x'00', NULL)",
        "theta_andnot(x'0102', x'0102')",
        "theta_build(NULL::bigint)",
        "theta_merge(NULL)",
    ] {
        assert_eq!(of(call).await, "NULL", "{call}");
    }
    assert_eq!(of("theta_estimate(theta_andnot(theta_build(1), theta_build(1)))").await, "0.0");
    assert_eq!(of("theta_estimate(theta_and(theta_build(1), theta_build('1')))").await, "0.0");
    assert_eq!(of("theta_estimate(theta_build(''))").await, "1.0");
    // The two hashes of a sketch the wrong way round, and one of them twice.
    let head = "02030300001acc930200000000000000";
    for hashes in ["5515ba01a3a24b3be175529f50d0dc23", "e175529f50d0dc23e175529f50d0dc23"] {
        assert_eq!(of(&format!("theta_estimate(x'{head}{hashes}')")).await, "NULL");
    }
    for (call, message) in [
        ("theta_build(1.5)", "theta_build: value must be text, got Float64"),
        ("theta_merge(x'00')", "theta_merge: a value of 1 bytes is no sketch of theta_build"),
        ("theta_estimate(5)", "theta_estimate: sketch must be a sketch of theta_build (bytea), got Int64"),
        ("theta_and(5, x'00')", "theta_and: a must be a sketch of theta_build (bytea), got Int64"),
        ("theta_andnot(x'00', 5)", "theta_andnot: b must be a sketch of theta_build (bytea), got Int64"),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damaged_bytes_do_not_panic(
        count in proptest::sample::select(vec![1, 5, 30, 300, 3000]), damage in proptest::collection::vec((0usize..64, 0u8..=255), 1..6), cut in 0usize..80,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for build in ["hll_build", "bitmap_build", "theta_build"] {
            let whole = runtime.block_on(of(&format!("encode({build}(i * 70001), 'hex') FROM generate_series(1, {count}) AS g(i)")));
            let mut bytes: Vec<u8> = (0..whole.len() / 2).map(|byte| u8::from_str_radix(&whole[2 * byte..2 * byte + 2], 16).unwrap()).collect();
            for (place, value) in &damage {
                let place = place % bytes.len();
                bytes[place] = *value;
            }
            bytes.truncate(bytes.len() - cut.saturating_sub(60).min(bytes.len() - 1));
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            for call in ["hll_estimate(b)", "bitmap_count(b)", "intersect_count(b, b)", "hll_merge(b)", "theta_estimate(theta_and(b, b))", "theta_merge(b)"] {
                // An answer or an error, not a panic.
                runtime.block_on(async {
                    if let Ok(frame) = session().sql(&format!("SELECT {call} FROM (SELECT x'{hex}' AS b UNION ALL SELECT x'{hex}')")).await {
                        drop(frame.collect().await);
                    }
                });
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_laws_of_sets_hold(one in proptest::collection::btree_set(0u64..100, 1..40), two in proptest::collection::btree_set(0u64..100, 1..40)) {
        let list = |ids: &BTreeSet<u64>| ids.iter().copied().collect::<Vec<_>>();
        let shown = |ids: Vec<u64>| format!("{ids:?}");
        let sql = format!(
            "SELECT bitmap_to_array(bitmap_and(a, b)), bitmap_to_array(bitmap_or(a, b)), bitmap_to_array(bitmap_andnot(a, b)), bitmap_to_array(bitmap_xor(a, b)),
            bitmap_or(a, b) = bitmap_or(b, a), bitmap_and(a, a) = a, bitmap_xor(a, b) = bitmap_andnot(bitmap_or(a, b), bitmap_and(a, b)),
            bitmap_count(a) + bitmap_count(b) = bitmap_count(bitmap_or(a, b)) + intersect_count(a, b), bitmap_subset(bitmap_andnot(a, b), a)
            FROM (SELECT {} AS a, {} AS b)", set(&list(&one)), set(&list(&two))
        );
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let row = runtime.block_on(rows(&session(), &sql)).remove(0);
        let expected = [
            shown(one.intersection(&two).copied().collect()), shown(one.union(&two).copied().collect()),
            shown(one.difference(&two).copied().collect()), shown(one.symmetric_difference(&two).copied().collect()),
        ];
        proptest::prop_assert_eq!(&row[..4], &expected[..]);
        proptest::prop_assert_eq!(&row[4..], &["true", "true", "true", "true", "true"][..]);
    }
}
