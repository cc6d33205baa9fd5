//! The statements of SECURITY.md do what it says.

use super::support::{ADMIN_PASSWORD, DEMO_PASSWORD, House, run};

const CHAPTER: &str = include_str!("../../SECURITY.md");

/// The SQL blocks, in order.
fn blocks() -> Vec<&'static str> {
    CHAPTER.split("```sql\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// What follows `-- word` in a block.
fn said<'a>(block: &'a str, word: &str) -> Option<&'a str> {
    block.lines().find_map(|line| line.strip_prefix("-- ")?.strip_prefix(word)).map(str::trim)
}

#[test]
fn every_statement_of_the_security_chapter_runs() {
    run(async {
        let house = House::copy().await;
        let blocks = blocks();
        assert!(blocks.len() > 8, "{}", blocks.len());
        for block in blocks {
            let user = said(block, "as ").unwrap_or_else(|| panic!("nobody runs: {block}"));
            let password = if user == "admin" { ADMIN_PASSWORD } else { DEMO_PASSWORD };
            let client = house.login(user, password, &[]).await.unwrap();
            match (client.ask(block).await, said(block, "refused ")) {
                (Ok(_), None) => {}
                (Err(refusal), Some(code)) if refusal.sqlstate == code => {}
                (outcome, expected) => panic!("{block}\nexpected {expected:?}, got {outcome:?}"),
            }
        }
    });
}

#[test]
fn what_the_promise_shows_is_true() {
    run(async {
        let house = House::shared().await;
        let client = house.wire("wecom").await;
        for statement in blocks()[0].split(';').filter(|text| text.contains("SELECT")) {
            assert_eq!(client.value(statement).await, "0", "{statement}");
        }
    });
}
