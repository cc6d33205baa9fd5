//! What the catalog must be told by the session that asks: who asks, its settings, its connection.

use std::fmt;
use std::sync::Arc;

use super::model::VisibleCatalog;

/// The session behind `pg_catalog`, as its tables and functions see it.
pub trait CatalogSession: fmt::Debug + Send + Sync {
    /// What the session's principal may see now. Called once for each table and each batch of a function: it must be cheap.
    fn visible(&self) -> Arc<VisibleCatalog>;

    /// The value of a setting as SHOW writes it, by its name in lower case; `None` where there is no such setting.
    fn setting(&self, name: &str) -> Option<String>;

    /// Changes a setting as SET does, or as SET LOCAL; gives the value that now holds, or says why not.
    fn change_setting(&self, name: &str, value: &str, scope: SettingScope) -> Result<String, String>;

    /// The schemas of the search path that exist, in order, without `pg_catalog`.
    fn search_path(&self) -> Vec<String>;

    fn backend_pid(&self) -> i32;

    /// When the server began, in microseconds since 1970.
    fn server_start_us(&self) -> i64;

    /// The server's own address and port, where the session came over the network.
    fn server_address(&self) -> Option<(String, u16)>;

    /// The client's address and port, where the session came over the network.
    fn client_address(&self) -> Option<(String, u16)>;

    /// Cancels the statement of another session; false where there is none that the principal may cancel.
    fn cancel(&self, pid: i32) -> bool;

    /// Ends another session; false where there is none that the principal may end.
    fn terminate(&self, pid: i32) -> bool;
}

/// A session's catalog, shared by its tables and functions.
pub type CatalogHandle = Arc<dyn CatalogSession>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingScope {
    Session,
    Transaction,
}
