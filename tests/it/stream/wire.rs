//! INSERT and COPY over the wire: nothing tells a repeat from another load, so one whose answer was lost is looked for.

use std::path::Path;

use futures::SinkExt;
use tokio_postgres::{Client, Error, NoTls};

use super::super::support::{ADMIN_PASSWORD, run};
use super::{ROWS, Round, Writer, number};

#[derive(Clone, Copy)]
pub enum Way {
    Insert,
    Copy,
}

impl Way {
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "by INSERT",
            Self::Copy => "by COPY",
        }
    }
}

pub async fn connected(port: u16) -> Result<Client, Error> {
    let address = format!("host=127.0.0.1 port={port} user=admin password={ADMIN_PASSWORD} dbname=henna");
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub struct Wire {
    client: usize,
    way: Way,
    done: usize,
    is_in_doubt: bool,
}

impl Wire {
    pub fn new(client: usize, way: Way) -> Self {
        Self { client, way, done: 0, is_in_doubt: false }
    }

    async fn send(&self, client: &Client) -> Result<(), Error> {
        let row = |row, between| format!("{}{between}{}{between}{row}", self.client, self.done);
        match self.way {
            Way::Insert => {
                let rows: Vec<String> = (0..ROWS).map(|nth| format!("({})", row(nth, ", "))).collect();
                client.batch_execute(&format!("INSERT INTO notes VALUES {}", rows.join(", "))).await
            }
            Way::Copy => {
                let sink = client.copy_in::<_, bytes::Bytes>("COPY notes FROM STDIN (FORMAT csv)").await?;
                let text: String = (0..ROWS).map(|nth| row(nth, ",") + "\n").collect();
                let mut sink = std::pin::pin!(sink);
                sink.send(text.into()).await?;
                sink.finish().await.map(drop)
            }
        }
    }
}

impl Writer for Wire {
    fn settle(&mut self, lake: &Path) {
        if !std::mem::take(&mut self.is_in_doubt) {
            return;
        }
        let sql = format!("SELECT count(*) FROM notes WHERE client = {} AND load = {}", self.client, self.done);
        match number(lake, &sql) {
            0 => {}
            ROWS => self.done += 1,
            rows => panic!("{rows} of {ROWS} rows of a load are there"),
        }
    }

    fn write(&mut self, round: &Round) {
        run(async {
            let Ok(client) = connected(round.wire).await else { return };
            while round.goes_on() {
                match self.send(&client).await {
                    Ok(()) => self.done += 1,
                    Err(error) => {
                        assert!(error.as_db_error().is_none(), "{}: {error}", self.way.name());
                        self.is_in_doubt = true;
                        return;
                    }
                }
            }
        });
    }

    fn done(&self) -> usize {
        self.done
    }
}
