//! Persons shown, merged and split over what loads taught, in a lake in a temporary folder.

use std::collections::BTreeMap;

use super::super::tests::House;
use super::{Person, Who};
use crate::error::Reason;

const HEADER: &str = "order_id,order_time,id_phone,id_member\n";
const PHONE: &str = "13812345678";

fn phone(value: &str) -> Who {
    Who::Identifier { id_type: "phone".to_owned(), value: value.to_owned() }
}

fn member(value: &str) -> Who {
    Who::Identifier { id_type: "member".to_owned(), value: value.to_owned() }
}

impl House {
    /// Loads rows of order, phone and member.
    async fn orders(&self, rows: &[[&str; 3]]) {
        let lines = rows.iter().map(|[order, phone, member]| format!("{order},2024-01-01,{phone},{member}\n"));
        let csv = format!("{HEADER}{}", lines.collect::<String>());
        self.load("orders", &format!("{}.csv", rows[0][0]), csv).await.unwrap();
    }

    /// The number that an order is stored under.
    async fn person_of(&self, order: &str) -> i64 {
        self.rows(&format!("SELECT one_id FROM orders WHERE order_id = '{order}'")).await[0][0].parse().unwrap()
    }
}

fn rows(person: &Person) -> Vec<(String, Vec<(i64, u64)>)> {
    let listed = |rows: &BTreeMap<i64, u64>| rows.iter().map(|(number, rows)| (*number, *rows)).collect();
    person.rows.iter().map(|(table, rows)| (table.table.clone(), listed(rows))).collect()
}

#[tokio::test]
async fn a_merge_by_a_wrong_row_is_undone_with_its_rows_and_stays_undone() {
    let house = House::shop().await;
    house.orders(&[["A1", PHONE, ""], ["A2", "", "M1"], ["A3", "", "M2"]]).await;
    house.orders(&[["B1", "", "M1"], ["B2", PHONE, "M1"]]).await;
    house.orders(&[["C1", "", "M1"]]).await;
    let shown = house.loader.show_person(&Who::Number(2)).await.unwrap();
    assert_eq!((shown.one_id, shown.identifiers.len()), (1, 2));
    assert_eq!(shown.merged.iter().map(|merged| (merged.number, merged.into)).collect::<Vec<_>>(), [(2, 1)]);
    assert_eq!(shown.identifiers.iter().map(|found| found.number).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(rows(&shown), [("orders".to_owned(), vec![(1, 4), (2, 1)])]);
    assert_eq!(shown, house.loader.show_person(&phone("+86 138 1234 5678")).await.unwrap());
    assert_eq!(shown, house.loader.show_person(&member(&shown.identifiers[0].id_value)).await.unwrap());

    let split = house.loader.split_person(1, &[member("M1")]).await.unwrap();
    assert_eq!((split.to, split.is_new, split.identifiers), (2, false, 1));
    assert_eq!(split.rows.into_values().collect::<Vec<_>>(), [BTreeMap::from([(2, 1)])]);
    let shown = house.loader.show_person(&member("M1")).await.unwrap();
    assert_eq!((shown.one_id, shown.merged.len(), shown.parted_from.into_iter().collect::<Vec<_>>()), (2, 0, vec![1]));

    house.orders(&[["D1", "", "M1"], ["D2", PHONE, "M1"], ["D3", "", "M1"], ["D4", PHONE, ""]]).await;
    let persons = [house.person_of("D1").await, house.person_of("D2").await, house.person_of("D3").await];
    assert_eq!((persons, house.person_of("D4").await), ([2, 2, 2], 1));

    let joined = house.loader.merge_persons(&[2, 1]).await.unwrap();
    assert_eq!((joined.one_id, joined.joined.into_iter().collect::<Vec<_>>()), (1, vec![2]));
    house.orders(&[["E1", "", "M1"], ["E2", PHONE, "M2"]]).await;
    assert_eq!(house.person_of("E1").await, 1);
    let shown = house.loader.show_person(&Who::Number(3)).await.unwrap();
    let merged: Vec<_> = shown.merged.iter().map(|merged| (merged.number, merged.source.as_deref())).collect();
    assert_eq!((shown.one_id, merged), (1, vec![(2, Some("operator")), (3, Some("orders"))]));
    assert_eq!(house.loader.merge_persons(&[3, 1]).await.unwrap().joined.len(), 0);
}

#[tokio::test]
async fn identifiers_that_came_in_no_merge_become_a_new_person() {
    let house = House::shop().await;
    house.orders(&[["A1", PHONE, "M1"], ["A2", "", "M1"], ["A3", "", "M9"]]).await;
    let split = house.loader.split_person(1, &[member("M1")]).await.unwrap();
    assert_eq!((split.to, split.is_new, split.rows.len(), split.undone.len()), (3, true, 0, 0));
    assert_eq!(house.person_of("A2").await, 1);
    house.orders(&[["B1", "", "M1"], ["B2", PHONE, "M1"], ["B3", "13900000001", "M1"], ["B4", "", "M10"]]).await;
    let mut persons = Vec::new();
    for order in ["B1", "B2", "B3", "B4"] {
        persons.push(house.person_of(order).await);
    }
    assert_eq!(persons, [3, 3, 3, 4]);
    let split = house.loader.split_person(3, &[phone("13900000001")]).await.unwrap();
    assert_eq!((split.to, split.is_new), (5, true));
}

/// Two merges by loads, one by an operator, one into the other: the numbers that go keep what was merged into them.
#[tokio::test]
async fn a_number_takes_along_what_was_merged_into_it() {
    let house = House::shop().await;
    house.orders(&[["A1", PHONE, ""], ["A2", "", "M2"], ["A3", "", "M3"], ["A4", "", "M4"]]).await;
    house.orders(&[["B1", "", "M3"], ["B2", "13700000000", "M4"]]).await;
    for pair in [[3, 2], [4, 1], [2, 1]] {
        house.loader.merge_persons(&pair).await.unwrap();
    }
    let split = house.loader.split_person(4, &[Who::Number(2)]).await.unwrap();
    assert_eq!((split.one_id, split.to, split.identifiers), (1, 2, 2));
    assert_eq!(split.rows.into_values().collect::<Vec<_>>(), [BTreeMap::from([(2, 1), (3, 2)])]);
    assert_eq!(split.left.into_iter().collect::<Vec<_>>(), [4]);
    assert_eq!(house.loader.show_person(&member("M3")).await.unwrap().one_id, 2);
    // One of the two identifiers that came with 4: its merge stays.
    let split = house.loader.split_person(1, &[member("M4")]).await.unwrap();
    assert_eq!((split.to, split.is_new, split.left.into_iter().collect::<Vec<_>>()), (5, true, vec![4]));
}

#[tokio::test]
async fn what_cannot_be_merged_or_split_is_refused() {
    let house = House::shop().await;
    house.orders(&[["A1", PHONE, "M1"], ["A2", "", "M2"]]).await;
    let mut csv = HEADER.to_owned();
    csv.extend((0..4).map(|nth| format!("S{nth},2024-01-01,02112345678,S{nth}\n")));
    house.load("orders", "shared.csv", csv).await.unwrap();
    let refused = async |named: &[Who]| house.loader.split_person(1, named).await.unwrap_err().to_string();
    assert!(refused(&[member("M2")]).await.contains("is an identifier of person 2, not of 1"));
    assert!(refused(&[member("M1"), phone(PHONE)]).await.contains("all identifiers of person 1"));
    assert_eq!(refused(&[member("M7")]).await, "nobody has the member 'M7'");
    assert!(refused(&[Who::Number(2)]).await.contains("was not merged into person 1"));
    assert!(refused(&[phone("021 1234 5678")]).await.contains("is shared by 4 others at least"));
    assert!(refused(&[phone("138****5678")]).await.contains("cannot be an identifier"));
    for error in [
        house.loader.merge_persons(&[1, 99]).await.unwrap_err(),
        house.loader.show_person(&Who::Number(99)).await.unwrap_err(),
    ] {
        assert_eq!(
            (error.to_string().as_str(), error.reason()),
            ("no person has the number 99", Reason::UndefinedObject)
        );
    }
    house.loader.forget("member", "M2").await.unwrap();
    assert_eq!(house.loader.show_person(&Who::Number(2)).await.unwrap_err().reason(), Reason::UndefinedObject);
}
