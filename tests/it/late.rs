//! What comes late or twice: states of orders in any order of arrival, corrections, refunds in part.

use super::bench::Bench;

const HEADER: &str = "channel,order_id,order_time,status,paid_amount,refund_amount,pay_time,complete_time\n";
/// What the exports of one day after another say of an order. None tells when it was exported.
const STATES: [&str; 5] = [
    "created,0,0,,",
    "paid,10.00,0,2026-06-01 10:05:00,",
    "shipped,10.00,0,2026-06-01 10:05:00,",
    "completed,10.00,0,2026-06-01 10:05:00,2026-06-05 09:00:00",
    "completed,10.00,3.00,2026-06-01 10:05:00,2026-06-05 09:00:00",
];

/// Every order of the numbers below `n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else { return vec![Vec::new()] };
    let longer = |shorter: Vec<usize>| (0..n).map(move |at| [&shorter[..at], &[last], &shorter[at..]].concat());
    permutations(last).into_iter().flat_map(longer).collect()
}

#[test]
fn an_order_ends_in_its_last_state_in_whatever_order_its_states_arrive() {
    let bench = Bench::new();
    let orders = permutations(STATES.len());
    assert_eq!(orders.len(), 120);
    for day in 0..STATES.len() {
        let rows = orders.iter().enumerate();
        let row =
            |(nth, states): (usize, &Vec<usize>)| format!("jd,J{nth},2026-06-01 10:00:00,{}\n", STATES[states[day]]);
        let file = bench.file(&format!("{day}.csv"), HEADER.to_owned() + &rows.map(row).collect::<String>());
        let [read, added, _, _, rejected] = bench.counts("orders", &file);
        assert_eq!((read, added, rejected), (120, if day == 0 { 120 } else { 0 }, 0));
    }
    let states = "SELECT status, refund_amount, count(*) FROM orders GROUP BY 1, 2";
    assert_eq!(bench.csv(states), ["completed,3.00,120"]);
    // A file that was loaded before, among others, changes nothing either.
    let again = bench.file("again.csv", HEADER.to_owned() + &format!("jd,J1,2026-06-01 10:00:00,{}\n", STATES[1]));
    assert_eq!(bench.counts("orders", &again), [1, 0, 0, 1, 0]);
    // A refund of all of it is later than one of a part; one of a cancelled order later than its creation.
    let whole = "jd,J1,2026-06-01 10:00:00,refunded,10.00,10.00,2026-06-01 10:05:00,2026-06-05 09:00:00\n";
    assert_eq!(bench.counts("orders", &bench.file("whole.csv", HEADER.to_owned() + whole)), [1, 0, 1, 0, 0]);
    let part = format!("jd,J1,2026-06-01 10:00:00,{}\n", STATES[4]);
    assert_eq!(bench.counts("orders", &bench.file("part.csv", HEADER.to_owned() + &part)), [1, 0, 0, 1, 0]);
    assert_eq!(bench.csv("SELECT status, refund_amount FROM orders WHERE order_id = 'J1'"), ["refunded,10.00"]);
}

#[test]
fn of_equal_ages_the_later_load_counts_and_an_older_one_never() {
    let bench = Bench::new();
    let header = "channel,order_id,order_time,status,paid_amount,updated_at\n";
    let load = |name: &str, rows: &str| bench.counts("orders", &bench.file(name, header.to_owned() + rows));
    let row = |amount: &str, updated: &str| format!("jd,A,2026-06-01,paid,{amount},{updated}\n");
    assert_eq!(load("1.csv", &row("1.00", "2026-06-02")), [1, 1, 0, 0, 0]);
    assert_eq!(load("2.csv", &row("2.00", "2026-06-02")), [1, 0, 1, 0, 0]);
    assert_eq!(load("3.csv", &row("3.00", "2026-06-01")), [1, 0, 0, 1, 0]);
    // Within a file, too; and what is the same in another file is a duplicate.
    assert_eq!(load("4.csv", &(row("4.00", "2026-06-02") + &row("5.00", "2026-06-02"))), [2, 0, 1, 1, 0]);
    assert_eq!(load("5.csv", &(row("5.00", "2026-06-02") + "jd,B,2026-06-01,paid,1,\n")), [2, 1, 0, 1, 0]);
    assert_eq!(bench.csv("SELECT order_id, paid_amount FROM orders ORDER BY 1"), ["A,5.00", "B,1.00"]);
}
