//! market_basket.

use std::collections::BTreeSet;

use proptest::prelude::{ProptestConfig, proptest};

use super::support::{of, refusal, rows, session};

fn call(baskets: &[Vec<u8>], min_count: usize, min_confidence: &str) -> String {
    let basket = |items: &Vec<u8>| {
        let items: Vec<String> = items.iter().map(|item| format!("'{}'", (b'a' + item) as char)).collect();
        format!("([{}])", items.join(", "))
    };
    let baskets: Vec<String> = baskets.iter().map(basket).collect();
    format!(
        "SELECT array_to_string(r['antecedent'], ''), r['consequent'], r['n'], r['n_antecedent'], r['n_consequent'], r['baskets'] FROM
        (SELECT unnest(market_basket(items, {min_count}, {min_confidence})) AS r FROM (VALUES {}) AS t(items))",
        baskets.join(", ")
    )
}

/// The example of Agrawal and Srikant, Fast Algorithms for Mining Association Rules, VLDB 1994, figure 3: four baskets, support of two.
#[tokio::test]
async fn the_example_of_agrawal_and_srikant_has_its_rules() {
    let baskets = [vec![0, 2, 3], vec![1, 2, 4], vec![0, 1, 2, 4], vec![1, 4]];
    let found = rows(&session(), &call(&baskets, 2, "1.0")).await;
    let found: Vec<String> = found.iter().map(|rule| format!("{}>{}:{}", rule[0], rule[1], rule[2])).collect();
    // Frequent sets: ac 2, bc 2, be 3, ce 2, bce 2; certain are a -> c, b -> e, e -> b, bc -> e, ce -> b.
    assert_eq!(found, ["b>e:3", "e>b:3", "a>c:2", "bc>e:2", "ce>b:2"]);
    // Pairs are the rules of two items.
    let pairs = rows(&session(), &call(&baskets, 2, "1.0, 2")).await;
    let pairs: Vec<String> = pairs.iter().map(|rule| format!("{}>{}:{}", rule[0], rule[1], rule[2])).collect();
    assert_eq!(pairs, ["b>e:3", "e>b:3", "a>c:2"]);
    let one = "SELECT r['support'], r['confidence'], r['lift'] FROM (SELECT unnest(market_basket(items, 2, 0.6)) AS r
        FROM (VALUES (['a', 'b']), (['a', 'b', NULL, 'a']), (['a']), (['c'])) AS t(items))";
    assert_eq!(
        rows(&session(), one).await,
        [["0.5", "1.0", "1.3333333333333333"], ["0.5", "0.6666666666666666", "1.3333333333333333"]]
    );
}

#[tokio::test]
async fn a_confidence_that_is_just_reached_counts() {
    // 12 of 15 are exactly 0.8, which a quotient of supports misses.
    let mut baskets = vec![vec![0, 1]; 12];
    baskets.extend(vec![vec![0]; 3]);
    baskets.extend(vec![vec![2]; 9_835 - 15]);
    let found = rows(&session(), &call(&baskets, 10, "0.8")).await;
    assert_eq!(found.len(), 2);
}

#[tokio::test]
async fn baskets_without_items_are_left_out() {
    assert_eq!(of("market_basket(items, 1, 0) FROM (VALUES (NULL), ([]), ([NULL])) AS t(items)").await, "NULL");
    assert_eq!(of("market_basket(['a'], 1, 0)").await, "[]");
    for (call, message) in [
        ("market_basket(['a'], 0, 0.5)", "market_basket: min_count must be 1 or more, got \"0\""),
        ("market_basket(['a'], 1.5, 0.5)", "market_basket: min_count must be a whole number, got"),
        ("market_basket(['a'], 1, 1.5)", "market_basket: min_confidence must be from 0 to 1, got \"1.5\""),
        ("market_basket(['a'], 1, NULL)", "market_basket: min_confidence must be from 0 to 1, got NULL"),
        ("market_basket(['a'], 1, 0.5, 1)", "market_basket: max_items must be from 2 to 10, got \"1\""),
        ("market_basket(['a'], 1, 0.5, NULL)", "market_basket: max_items must be from 2 to 10, got NULL"),
        ("market_basket(['a'], 1, 0.5, 2.5)", "market_basket: max_items must be a whole number, got Float64"),
        ("market_basket('a', 1, 0.5)", "market_basket: items must be a list of texts, got Utf8"),
    ] {
        let refused = refusal(&format!("SELECT {call}")).await;
        assert!(refused.contains(message), "{call}: {refused}");
    }
    let wide = "SELECT market_basket(items, 1, 0.5) FROM (SELECT array_agg(i::varchar) AS items FROM generate_series(1, 30) AS g(i))";
    assert!(
        refusal(wide)
            .await
            .contains("market_basket: more than 1000000 sets of items are in 1 baskets: raise min_count")
    );
}

/// Every rule there can be, counted basket by basket.
fn by_brute_force(baskets: &[Vec<u8>], min_count: usize, tenths: usize) -> BTreeSet<Vec<String>> {
    let sets: Vec<u32> = baskets.iter().map(|items| items.iter().fold(0, |set, item| set | 1 << item)).collect();
    let holders = |wanted: u32| sets.iter().filter(|set| *set & wanted == wanted).count();
    let mut rules = BTreeSet::new();
    for antecedent in 1u32..64 {
        for consequent in (0..6).filter(|item| antecedent >> item & 1 == 0) {
            let (n, of) = (holders(antecedent | 1 << consequent), holders(antecedent));
            if n >= min_count && n * 10 >= of * tenths {
                let names: String =
                    (0..6u8).filter(|item| antecedent >> item & 1 == 1).map(|item| (b'a' + item) as char).collect();
                let consequent_name = ((b'a' + consequent) as char).to_string();
                let counts = [n, of, holders(1 << consequent), baskets.len()].map(|count| count.to_string());
                rules.insert([vec![names, consequent_name], counts.to_vec()].concat());
            }
        }
    }
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_rules_of_random_baskets_are_all_there_are(
        baskets in proptest::collection::vec(proptest::collection::vec(0u8..6, 1..6), 1..25), min_count in 1usize..4, tenths in 0usize..11,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(rows(&session(), &call(&baskets, min_count, &format!("{}.{}", tenths / 10, tenths % 10))));
        let distinct: BTreeSet<Vec<String>> = found.iter().cloned().collect();
        proptest::prop_assert_eq!(distinct.len(), found.len());
        proptest::prop_assert_eq!(distinct, by_brute_force(&baskets, min_count, tenths));
    }
}
