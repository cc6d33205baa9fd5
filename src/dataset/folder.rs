//! A dataset: every text of a folder, read and found to fit together.

use std::collections::BTreeMap;
use std::path::Path;

use super::check;
use super::contract::Contract;
use super::ddl;
use super::error::DatasetError;
use super::files::{DatasetFile, read_folder};
use super::sample::SampleQuery;
use super::settings::{self, AsOf, Settings, read_toml};
use super::source::Source;
use super::view::{self, ViewFile};

/// A board of tiles; its TOML is read by the web room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    pub name: String,
    pub toml: String,
}

/// What a lake is made from.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub name: String,
    pub title: Option<String>,
    /// IANA name of the zone in which its days are counted, and of its files' times that name none.
    pub time_zone: String,
    pub as_of: AsOf,
    /// (table, column) of date or time columns, for [`AsOf::Latest`].
    pub as_of_columns: Vec<(String, String)>,
    /// An identifier that joins more others of one type than this is shared and joins nobody.
    pub identity_shared_max: usize,
    /// By name.
    pub contracts: Vec<Contract>,
    /// Those of `public` first, then those of `mart`, each by name.
    pub views: Vec<ViewFile>,
    pub access_sql: Option<String>,
    pub demo_sql: Option<String>,
    /// In the order in which they run.
    pub sample: Vec<SampleQuery>,
    pub sources: Vec<Source>,
    pub boards: Vec<Board>,
    /// All of the above as it was read, to be kept in the lake.
    pub files: Vec<DatasetFile>,
}

impl Dataset {
    /// The dataset that lies in a folder on disk.
    pub fn open(folder: &Path) -> Result<Self, DatasetError> {
        let name = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        Self::parse(name.as_deref().unwrap_or("dataset"), read_folder(folder)?)
    }

    /// The dataset that `files` make up; `folder_name` names it where dataset.toml does not.
    pub fn parse(folder_name: &str, files: Vec<DatasetFile>) -> Result<Self, DatasetError> {
        let settings_text = files.iter().find(|file| file.path == settings::PATH).map(DatasetFile::text).transpose()?;
        let settings: Settings = read_toml(settings::PATH, settings_text.unwrap_or(""))?;
        let mut dataset = Self {
            name: settings.name.unwrap_or_else(|| folder_name.to_owned()),
            title: settings.title,
            time_zone: settings.time_zone,
            as_of: settings.as_of.parse()?,
            as_of_columns: Vec::new(),
            identity_shared_max: settings.identity_shared_max,
            contracts: Vec::new(),
            views: Vec::new(),
            access_sql: None,
            demo_sql: None,
            sample: Vec::new(),
            sources: Vec::new(),
            boards: Vec::new(),
            files: Vec::new(),
        };
        for file in &files {
            dataset.take(file)?;
        }
        dataset.views.sort_by(|left, right| (&right.schema, &left.name).cmp(&(&left.schema, &right.name)));
        dataset.complete_tables(settings.tables)?;
        dataset.as_of_columns = check::as_of_columns(&dataset, &settings.as_of_columns)?;
        check::fits(&dataset)?;
        dataset.files = files;
        Ok(dataset)
    }

    pub fn contract(&self, table: &str) -> Option<&Contract> {
        self.contracts.iter().find(|contract| contract.name == table)
    }

    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }

    fn take(&mut self, file: &DatasetFile) -> Result<(), DatasetError> {
        let parts: Vec<&str> = file.path.split('/').collect();
        match parts.as_slice() {
            ["access.sql"] => self.access_sql = Some(file.text()?.to_owned()),
            ["demo.sql"] => self.demo_sql = Some(file.text()?.to_owned()),
            ["sources", source, "source.toml"] => self.source_named(source).describe(file)?,
            ["sources", name] => {
                if let Some(source) = name.strip_suffix(".toml") {
                    self.source_named(source).describe(file)?;
                }
            }
            ["sources", source, name] => {
                if let Some(table) = name.strip_suffix(".sql") {
                    self.source_named(source).map_table(table, file)?;
                }
            }
            ["boards", name] => {
                if let Some(name) = name.strip_suffix(".toml") {
                    self.boards.push(Board { name: name.to_owned(), toml: file.text()?.to_owned() });
                }
            }
            [folder, name] => {
                if let Some(name) = name.strip_suffix(".sql") {
                    self.take_sql(folder, name, file)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn take_sql(&mut self, folder: &str, name: &str, file: &DatasetFile) -> Result<(), DatasetError> {
        match folder {
            "tables" => self.contracts.push(ddl::contract(&file.path, name, file.text()?)?),
            "views" => self.views.push(view::view(&file.path, "public", name, file.text()?)?),
            "marts" => self.views.push(view::view(&file.path, "mart", name, file.text()?)?),
            "sample" => self.sample.push(SampleQuery::parse(&file.path, file.text()?)?),
            _ => {}
        }
        Ok(())
    }

    fn source_named(&mut self, name: &str) -> &mut Source {
        let index = self.sources.iter().position(|source| source.name == name).unwrap_or_else(|| {
            self.sources.push(Source::blank(name));
            self.sources.len() - 1
        });
        &mut self.sources[index]
    }

    fn complete_tables(&mut self, tables: BTreeMap<String, settings::TableSettings>) -> Result<(), DatasetError> {
        for (table, settings) in tables {
            match self.contracts.iter_mut().find(|contract| contract.name == table) {
                Some(contract) => settings.complete(contract)?,
                None => return Err(DatasetError::TableUnknown { path: settings::PATH.to_owned(), table }),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::contract::Partition;
    use super::super::layout::{Origin, Step};
    use super::super::source::Feed;
    use super::*;

    const ORDERS: (&str, &str) = (
        "tables/orders.sql",
        "CREATE TABLE orders (id text PRIMARY KEY, at timestamptz, team text, customer bigint REFERENCES customers)",
    );
    const CUSTOMERS: (&str, &str) = ("tables/customers.sql", "CREATE TABLE customers (id bigint PRIMARY KEY)");

    fn dataset(files: &[(&str, &str)]) -> Result<Dataset, DatasetError> {
        let files = files
            .iter()
            .map(|(path, text)| DatasetFile { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() })
            .collect();
        Dataset::parse("shop", files)
    }

    fn refusal(toml: &str) -> String {
        dataset(&[("dataset.toml", toml), ORDERS, CUSTOMERS]).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_of_nothing_but_tables_is_a_dataset() {
        let shop = dataset(&[ORDERS, CUSTOMERS]).unwrap();
        assert_eq!((shop.name.as_str(), shop.time_zone.as_str(), shop.as_of), ("shop", "UTC", AsOf::Now));
        assert_eq!(shop.identity_shared_max, 20);
        assert_eq!(shop.contract("orders").unwrap().sort, Vec::<String>::new());
    }

    #[test]
    fn dataset_toml_completes_the_contracts() {
        let toml = "name = 'x'\ntime_zone = 'Asia/Shanghai'\nas_of = 'latest'\nas_of_columns = ['orders.at']\n\
                    [tables.orders]\npartition = 'at by month'\nsort = ['team', 'at']\nversion = 'at'\n\
                    statistics_off = ['team']\nretention = '730 days'\n[tables.orders.defaults]\nteam = \"'a'\"\n";
        let shop = dataset(&[("dataset.toml", toml), ORDERS, CUSTOMERS]).unwrap();
        let orders = shop.contract("orders").unwrap();
        assert_eq!(orders.partition, Some(Partition::Month("at".to_owned())));
        assert_eq!(orders.sort, ["team", "at"]);
        assert_eq!(orders.version.as_deref(), Some("at"));
        assert_eq!(orders.defaults["team"], "'a'");
        assert_eq!(orders.statistics_off, ["team"]);
        assert_eq!(orders.retention.as_ref().map(ToString::to_string).as_deref(), Some("730 days after at"));
        assert_eq!(shop.as_of_columns, [("orders".to_owned(), "at".to_owned())]);
        assert_eq!(shop.files.len(), 3);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        for (toml, part) in [
            ("colour = 'red'", "dataset.toml:1: unknown field `colour`"),
            ("[tables.orders]\nsorted = []", "dataset.toml:2: unknown field `sorted`"),
            ("time_zone = 'Mars/Base'", "unknown time zone 'Mars/Base'"),
            ("as_of = 'yesterday'", "not 'yesterday'"),
            ("as_of = 'latest'", "needs as_of_columns"),
            ("as_of_columns = ['orders.team']", "'orders.team' of as_of_columns is not a date or time column"),
            ("[tables.lines]", "dataset.toml: there is no table 'lines'"),
            ("[tables.orders]\nsort = ['nr']", "table 'orders' has no column 'nr'"),
            ("[tables.orders]\nversion = 'nr'", "table 'orders' has no column 'nr'"),
            ("[tables.orders]\npartition = 'team by month'", "'team by month' of table 'orders' is not a partition"),
            ("[tables.orders.defaults]\nnr = '1'", "table 'orders' has no column 'nr'"),
            (
                "[tables.orders]\nretention = '2 years after at'",
                "'2 years after at' of table 'orders' is not a retention",
            ),
            ("[tables.orders]\nretention = '0 days after at'", "is not a retention"),
            ("[tables.orders]\nretention = '30 days after team'", "is not a retention"),
            ("[tables.orders]\nretention = '30 days'", "is not a retention"),
        ] {
            let message = refusal(toml);
            assert!(message.contains(part), "{toml}: {message}");
        }
    }

    #[test]
    fn a_foreign_key_needs_its_table_and_its_columns() {
        let absent = dataset(&[ORDERS]).unwrap_err().to_string();
        assert_eq!(absent, "tables/orders.sql: there is no table 'customers'");
        let wrong = ("tables/orders.sql", "CREATE TABLE orders (id int, c int REFERENCES customers (nr))");
        let message = dataset(&[wrong, CUSTOMERS]).unwrap_err().to_string();
        assert_eq!(message, "tables/orders.sql: table 'customers' has no column 'nr'");
    }

    #[test]
    fn a_view_may_not_take_the_name_of_a_table() {
        let view = ("views/orders.sql", "SELECT 1 AS one");
        let message = dataset(&[ORDERS, CUSTOMERS, view]).unwrap_err().to_string();
        assert_eq!(message, "relation 'public.orders' is defined twice");
    }

    #[test]
    fn a_source_maps_tables_and_says_its_zone() {
        let shop = dataset(&[
            ORDERS,
            CUSTOMERS,
            ("sources/uci/source.toml", "title = 'UCI'\ntime_zone = 'Europe/London'\ndelimiter = ';'"),
            ("sources/uci/orders.sql", "SELECT \"InvoiceNo\" AS id FROM source;"),
        ])
        .unwrap();
        let source = shop.source("uci").unwrap();
        assert_eq!(source.time_zone.as_deref(), Some("Europe/London"));
        assert_eq!(source.layout.delimiter, Some(b';'));
        assert_eq!(source.tables["orders"], Feed::Select("SELECT \"InvoiceNo\" AS id FROM source".to_owned()));
        let stray = dataset(&[ORDERS, CUSTOMERS, ("sources/uci/lines.sql", "SELECT 1")]).unwrap_err().to_string();
        assert_eq!(stray, "sources/uci: there is no table 'lines'");
    }

    #[test]
    fn a_source_of_one_file_names_its_columns() {
        let toml = "tables = ['orders']\nencoding = 'gb18030'\nheader_row = 2\nrecognise = ['Nr', 'Zeit']\n\
            [columns]\nid = { from = ['Nr', 'Nummer'], clean = ['formula'] }\nat = 'Zeit'\nteam = { value = 'web' }\n";
        let shop = dataset(&[ORDERS, CUSTOMERS, ("sources/kasse.toml", toml)]).unwrap();
        let source = shop.source("kasse").unwrap();
        assert_eq!(source.tables["orders"], Feed::Columns);
        assert_eq!((source.layout.header_row, source.layout.data_row), (2, 3));
        let named: Vec<&str> = source.layout.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(named, ["at", "id", "team"]);
        let id = &source.layout.columns[1];
        assert_eq!(id.origin, Origin::Header(vec!["Nr".to_owned(), "Nummer".to_owned()]));
        assert_eq!(id.clean, [Step::Formula]);
    }

    #[test]
    fn a_source_that_does_not_fit_is_refused_by_name() {
        for (toml, part) in [
            ("encoding = 'klingon'", "sources/kasse.toml: encoding 'klingon' is not known"),
            ("delimiter = ';;'", "delimiter is one ASCII character, not ';;'"),
            ("header_row = 3\ndata_row = 3", "not header_row = 3 and data_row = 3"),
            ("[columns]\nid = { clean = ['number'] }", "column 'id' needs either from"),
            ("[columns]\nid = { from = 'Nr', clean = ['wash'] }", "sources/kasse.toml:2: "),
            ("[columns]\nid = { from = 'Nr', type = 'money' }", "type 'money' of column 'id'"),
            ("tables = ['lines']", "there is no table 'lines'"),
            ("tables = ['orders']\n[columns]\nnr = 'Nr'", "table 'orders' has neither a column 'nr' nor extras"),
        ] {
            let message = dataset(&[ORDERS, CUSTOMERS, ("sources/kasse.toml", toml)]).unwrap_err().to_string();
            assert!(message.contains(part), "{toml}: {message}");
        }
    }

    #[test]
    fn the_client_programs_tables_are_a_dataset() {
        let Some(home) = std::env::var_os("HENNA_CLIENTS_DIR") else {
            eprintln!("skipped: HENNA_CLIENTS_DIR is not set");
            return;
        };
        let clients = Dataset::open(&Path::new(&home).join("dataset")).unwrap();
        assert_eq!(clients.contracts.len(), 5);
        assert_eq!(clients.views[0].name, "daily_revenue");
        assert_eq!(clients.contract("channel_costs").unwrap().primary_key, ["cost_date", "channel"]);
    }
}
