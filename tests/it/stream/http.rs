//! Rows over HTTP, each load under a key of its own.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::support::ADMIN_PASSWORD;
use super::{ROWS, Round, Writer};

/// A table without a key takes every row that comes: a load that is done twice shows.
const TABLES: [&str; 2] = ["visits", "orders"];

pub struct Http {
    client: usize,
    done: usize,
}

impl Http {
    pub fn new(client: usize) -> Self {
        Self { client, done: 0 }
    }
}

impl Writer for Http {
    fn write(&mut self, round: &Round) {
        while round.goes_on() {
            let (table, key) = (TABLES[self.done % 2], format!("{}-{}", self.client, self.done));
            match post(round.web, table, &key, &body(table, self.client, self.done)) {
                Ok((200, told)) => {
                    assert!(told.contains(&format!("\"rows_added\":{ROWS},")), "{told}");
                    self.done += 1;
                }
                Ok((status, told)) => panic!("load {key}: {status} {told}"),
                // Its answer is lost; it is sent again under its key.
                Err(_) => return,
            }
        }
    }

    fn done(&self) -> usize {
        self.done
    }
}

/// Status and body of the answer.
pub fn post(port: u16, table: &str, key: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let token = STANDARD.encode(format!("admin:{ADMIN_PASSWORD}"));
    write!(
        stream,
        "POST /v1/load/{table} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nauthorization: Basic {token}\r\n\
         content-type: text/csv\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    Ok((status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
}

fn body(table: &str, client: usize, number: usize) -> String {
    let rows = (0..ROWS).map(|row| match table {
        "visits" => format!("{client},{number},{row}"),
        _ => order(&format!("{client}-{number}-{row}"), row, "1.25", ""),
    });
    let header = if table == "visits" { "client,load,row" } else { ORDERS_HEADER };
    std::iter::once(header.to_owned()).chain(rows).map(|row| row + "\n").collect()
}

pub const ORDERS_HEADER: &str = "channel,order_id,order_time,status,paid_amount,id_phone,updated_at";

/// An order of one of the persons that there are.
pub fn order(id: &str, row: usize, paid: &str, updated_at: &str) -> String {
    let (month, phone) = (row % 4 + 1, row % ROWS + 1_000_000);
    format!("tmall,{id},2026-{month:02}-03 10:00:00,paid,{paid},1380{phone:07},{updated_at}")
}
