//! Rows that a user adds as questions about rows that it may not see, over HTTP and in process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use henna::ingest::OnReject;
use henna::ingest::stream::{BodyFormat, BodyKind};
use henna::query::RowsLoad;
use henna::web;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::super::support::{DEMO_PASSWORD, House, Refusal, run};
use super::csv_line;

/// The counts of rows added, updated, duplicate; or how the load was refused.
type Told = Result<[u64; 3], String>;

/// The web before a house.
struct Web {
    address: SocketAddr,
    shutdown: CancellationToken,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Web {
    async fn before(house: &House) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        tokio::spawn(web::serve(listener, house.lake.clone(), Duration::ZERO, shutdown.clone()));
        Self { address, shutdown }
    }

    async fn load(&self, user: &str, body: &str) -> Told {
        let token = STANDARD.encode(format!("{user}:{DEMO_PASSWORD}"));
        let head = format!(
            "POST /v1/load/orders HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Basic {token}\r\n\
             content-type: text/csv\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        if status != "200" {
            return Err(format!("{status} {body}"));
        }
        let report: serde_json::Value = serde_json::from_str(body).unwrap();
        Ok(["rows_added", "rows_updated", "rows_duplicate"].map(|key| report[key].as_u64().unwrap()))
    }
}

async fn load_in_process(house: &House, user: &str, body: &str) -> Told {
    let session = house.lake.session(house.lake.principal(user).unwrap()).await.unwrap();
    let target = session.load_target("orders").unwrap();
    let load = RowsLoad {
        body: body.to_owned().into(),
        kind: BodyKind::of(BodyFormat::Csv),
        key: None,
        on_reject: OnReject::Keep,
        reject_share_max: 0.0,
        room: house.lake.room_for(body.len()).unwrap(),
    };
    let report = Arc::new(session).load(target, load).await.map_err(|error| Refusal::from(error).to_string())?.report;
    Ok([report.rows_added, report.rows_updated, report.rows_duplicate])
}

/// One order as its table has it, and the same of another age or content.
struct Known {
    header: String,
    cells: Vec<Option<String>>,
    updated_at: usize,
    city: usize,
}

impl Known {
    async fn of(house: &House, channel: &str) -> Self {
        let admin = house.wire("admin").await;
        let columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders' ORDER BY ordinal_position";
        let columns: Vec<Option<String>> =
            admin.ask(columns).await.unwrap().into_iter().map(|row| row[0].clone()).collect();
        let place = |name: &str| columns.iter().position(|column| column.as_deref() == Some(name)).unwrap();
        let (updated_at, city, header) = (place("updated_at"), place("city"), csv_line(&columns));
        let sql = format!("SELECT * FROM orders WHERE channel = '{channel}' ORDER BY order_id LIMIT 1");
        let cells = admin.ask(&sql).await.unwrap().remove(0);
        Self { header, cells, updated_at, city }
    }

    fn with(&self, column: usize, value: &str) -> String {
        let mut cells = self.cells.clone();
        cells[column] = Some(value.to_owned());
        self.header.clone() + &csv_line(&cells)
    }

    /// The row itself, of other content, older, newer.
    fn guesses(&self) -> [String; 4] {
        [
            self.header.clone() + &csv_line(&self.cells),
            self.with(self.city, "Atlantis"),
            self.with(self.updated_at, "2001-01-01 00:00:00"),
            self.with(self.updated_at, "2037-01-01 00:00:00"),
        ]
    }
}

#[test]
fn a_load_tells_of_a_hidden_row_that_its_key_is_taken_and_nothing_else() {
    run(async {
        let house = House::copy().await;
        let (admin, web) = (house.wire("admin").await, Web::before(&house).await);
        admin.run("GRANT INSERT ON orders TO wecom_team; CREATE POLICY orders_new ON orders FOR INSERT TO wecom_team WITH CHECK (true)").await;
        admin.run("CREATE POLICY orders_changed ON orders FOR UPDATE TO wecom_team USING (true)").await;
        let all = "SELECT count(*), sum(paid_amount), max(updated_at), count(CASE WHEN city = 'Atlantis' THEN 1 END) FROM orders WHERE team <> 'wecom'";
        let before = admin.ask(all).await;
        let mut told = Vec::new();
        for guess in Known::of(&house, "tmall").await.guesses() {
            told.push([web.load("wecom", &guess).await, load_in_process(&house, "wecom", &guess).await]);
        }
        let [http, process] = &told[0];
        let (http, process) = (http.clone().unwrap_err(), process.clone().unwrap_err());
        assert!(http.starts_with("403 ") && process.starts_with("42501: "), "{http}; {process}");
        for other in &told[1..] {
            assert_eq!(*other, [Err(http.clone()), Err(process.clone())]);
        }
        assert_eq!(admin.ask(all).await, before);
        // Of a row that it sees it learns all of this.
        let own = Known::of(&house, "mini_program").await;
        let mut told = Vec::new();
        for guess in own.guesses() {
            told.push(web.load("wecom", &guess).await.unwrap());
        }
        assert_eq!(told, [[0, 0, 1], [0, 1, 0], [0, 0, 1], [0, 1, 0]]);
    });
}
