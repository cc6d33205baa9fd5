//! The boards of a dataset, by name. One that cannot be read keeps its place, so that its page can say so.

use super::definition::Board;
use crate::dataset::Dataset;

pub struct Shelf {
    boards: Vec<(String, Option<Board>)>,
}

impl Shelf {
    /// Reads every board; what is wrong with one is logged.
    pub fn of(dataset: &Dataset) -> Self {
        let mut boards: Vec<_> = dataset
            .boards
            .iter()
            .map(|found| {
                let board = Board::parse(&found.name, &found.toml);
                if let Err(error) = &board {
                    tracing::error!(%error, "a board cannot be shown");
                }
                (found.name.clone(), board.ok())
            })
            .collect();
        boards.sort_by_key(|(name, board)| (board.as_ref().map_or(i32::MAX, |board| board.position), name.clone()));
        Self { boards }
    }

    /// In the order of their tabs.
    pub fn all(&self) -> &[(String, Option<Board>)] {
        &self.boards
    }

    /// `None` where there is no such board, `Some(None)` where it cannot be read.
    pub fn find(&self, name: &str) -> Option<Option<&Board>> {
        self.boards.iter().find(|(found, _)| found == name).map(|(_, board)| board.as_ref())
    }
}
