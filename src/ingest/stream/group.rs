//! One commit for several loads of a table.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::future::try_join_all;
use rand::Rng;
use tokio::task::spawn_blocking;

use super::super::check::Checker;
use super::super::correction::HeadRow;
use super::super::error::IngestError;
use super::super::load::{Loader, parsed, stream_of};
use super::super::persons::Teaching;
use super::super::record::{LoadRow, Status};
use super::super::reject::{Reject, RejectSpool};
use super::super::request::{LoadReport, OnReject};
use super::super::system;
use super::member::{Member, Note};
use super::persons::{self, Persons};
use crate::error::{Error, Reason, Result};
use crate::lake::{Commit, Part, TableName, Together};

/// How often a group begins again because another process wrote meanwhile.
const ATTEMPTS_MAX: u64 = 20;
const ATTEMPT_PAUSE_MS: u64 = 50;
/// Rejects that the error of a refused load tells of.
const REJECTS_TOLD: usize = 5;
/// A write that nobody repeats.
const UNREPEATED: &str = "";

/// Commits the loads of one table.
pub struct Group {
    loader: Loader,
    table: TableName,
    /// Rules are planned once and used again; each with the zone of times that name none.
    checkers: Vec<(String, Checker)>,
    /// The loads of this commit whose rejects are durable.
    rejected: HashSet<String>,
}

/// What an attempt to commit came to.
enum Step {
    /// The members' reports.
    Committed(Vec<LoadReport>),
    /// One member has its answer; the others are to be tried without it.
    Settled(usize, Box<Result<LoadReport>>),
}

/// A member's rows against the contract.
struct Checked {
    kept: Vec<RecordBatch>,
    rejects: Vec<Reject>,
    ignored: BTreeSet<String>,
}

impl Group {
    pub fn new(loader: Loader, table: TableName) -> Self {
        Self { loader, table, checkers: Vec::new(), rejected: HashSet::new() }
    }

    /// Commits the members and answers them, each of them once.
    pub async fn commit(&mut self, mut members: Vec<Member>) {
        let mut attempts = 1;
        self.rejected.clear();
        while !members.is_empty() {
            match self.attempt(&members).await {
                Ok(Step::Committed(reports)) => {
                    self.record(&members, &reports, Status::Loaded).await;
                    members.drain(..).zip(reports).for_each(|(member, report)| member.answer(Ok(report)));
                }
                Ok(Step::Settled(nth, outcome)) => members.remove(nth).answer(*outcome),
                Err(error) if error.reason() == Reason::Serialization && attempts < ATTEMPTS_MAX => {
                    let wait_ms = rand::rng().random_range(0..ATTEMPT_PAUSE_MS * attempts);
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    attempts += 1;
                }
                Err(error) => {
                    tracing::warn!(table = %self.table, loads = members.len(), %error, "loads were not committed");
                    for member in members.drain(..) {
                        let mut told = Error::new(error.reason(), error.to_string());
                        if let Some(hint) = error.hint() {
                            told = told.with_hint(hint);
                        }
                        member.answer(Err(told));
                    }
                }
            }
        }
    }

    async fn attempt(&mut self, members: &[Member]) -> Result<Step> {
        self.loader.make_system_tables().await?;
        let seen = self.loader.store.snapshot(&self.table).await?.version;
        for (nth, member) in members.iter().enumerate().filter(|(_, member)| member.is_keyed) {
            if let Some((commit, note)) = self.loader.store.committed_part(&self.table, &member.id).await? {
                return Ok(Step::Settled(nth, Box::new(repeated(member, &commit, note))));
            }
        }
        let (found, persons) = persons::resolve(&self.loader, members).await?;
        let step = self.settle(members, &persons, seen).await;
        let (checked, reports) = match step {
            Ok(Ok(ready)) => ready,
            Ok(Err(step)) => {
                found.into_iter().for_each(|found| self.loader.keep(found.identities));
                return Ok(step);
            }
            Err(error) => return Err(error),
        };
        self.write_rejects(members, &checked).await?;
        if let Some(found) = found {
            match found.resolved {
                Some(resolved) => {
                    let source = members[0].contract.name.as_str();
                    let teaching = Teaching { load_id: UNREPEATED, source, now_us: members[0].now_us };
                    self.loader.teach(teaching, resolved, found.identities).await?;
                }
                None => self.loader.keep(found.identities),
            }
        }
        self.write(members, checked, reports, seen).await
    }

    /// The rows that may come, of every member; or the member that is refused.
    async fn settle(
        &mut self,
        members: &[Member],
        persons: &[Persons],
        seen: u64,
    ) -> Result<Result<(Vec<Checked>, Vec<LoadReport>), Step>> {
        let outcomes = self.check(members, persons).await?;
        let mut checked = Vec::with_capacity(members.len());
        for (nth, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(member) => checked.push(member),
                Err(error) => return Ok(Err(Step::Settled(nth, Box::new(Err(error.into()))))),
            }
        }
        let mut reports = Vec::with_capacity(members.len());
        for (nth, ((member, checked), persons)) in members.iter().zip(&checked).zip(persons).enumerate() {
            let report = LoadReport {
                rows_read: member.rows_read(),
                rows_rejected: checked.rejects.len() as u64,
                ignored_columns: checked.ignored.iter().cloned().collect(),
                identities_new: persons.new,
                identities_merged: persons.merged,
                version: seen,
                ..LoadReport::default()
            };
            if let Some(error) = refusal(member, &checked.rejects, &report) {
                let refused = std::slice::from_ref(member);
                self.write_rejects(refused, std::slice::from_ref(checked)).await?;
                let report = member.report(report, &Commit { version: seen, ..Commit::default() });
                self.record(refused, &[report], Status::Refused).await;
                return Ok(Err(Step::Settled(nth, Box::new(Err(error)))));
            }
            if let Some((_, bound)) = &member.bound {
                for batch in checked.kept.iter().filter(|batch| batch.num_rows() > 0) {
                    if let Err(error) = (bound.admits)(batch.clone()).await {
                        return Ok(Err(Step::Settled(nth, Box::new(Err(error)))));
                    }
                }
            }
            reports.push(report);
        }
        Ok(Ok((checked, reports)))
    }

    /// Checks the members side by side.
    async fn check(
        &mut self,
        members: &[Member],
        persons: &[Persons],
    ) -> Result<Vec<std::result::Result<Checked, IngestError>>> {
        // A table may have been altered since.
        self.checkers.retain(|(_, checker)| **checker.contract() == *members[0].contract);
        let mut checking = Vec::with_capacity(members.len());
        for (member, persons) in members.iter().zip(persons) {
            let (mut checker, file) = (self.take_checker(member)?, Arc::clone(&member.file));
            let (body, persons) = (Arc::clone(&member.body), persons.chunks.clone());
            checking.push(spawn_blocking(move || {
                let rejects = body.faulty.clone();
                let mut found = Checked { kept: Vec::new(), rejects, ignored: BTreeSet::new() };
                let mut outcome = Ok(());
                for (mapped, persons) in body.chunks.iter().zip(persons) {
                    found.ignored.extend(mapped.mapping.ignored.iter().cloned());
                    match checker.1.check(&file, &mapped.chunk, &mapped.mapping, persons) {
                        Ok(checked) => {
                            found.kept.push(checked.kept);
                            found.rejects.extend(checked.rejects);
                        }
                        Err(error) => {
                            outcome = Err(error);
                            break;
                        }
                    }
                }
                (checker, outcome.map(|()| found))
            }));
        }
        let checked = try_join_all(checking).await.map_err(|_| IngestError::ThreadEnded)?;
        let (used, outcomes): (Vec<_>, Vec<_>) = checked.into_iter().unzip();
        self.checkers.extend(used);
        Ok(outcomes)
    }

    fn take_checker(&mut self, member: &Member) -> Result<(String, Checker)> {
        let own = &self.loader.dataset.time_zone;
        let zone = member.body.source.as_ref().and_then(|source| source.time_zone.as_ref()).unwrap_or(own);
        if let Some(place) = self.checkers.iter().position(|(known, _)| known == zone) {
            return Ok(self.checkers.swap_remove(place));
        }
        Ok((zone.clone(), Checker::new(Arc::clone(&member.contract), parsed(zone), own)?))
    }

    async fn write_rejects(&mut self, members: &[Member], checked: &[Checked]) -> Result<()> {
        let (schema, table) = (system::schema(system::REJECTS)?, TableName::new(system::SCHEMA, system::REJECTS));
        let (mut heads, mut keyed, mut unrepeated) = (Vec::new(), Vec::new(), Vec::new());
        let rejecting = |(member, checked): &(&Member, &Checked)| {
            !checked.rejects.is_empty() && !self.rejected.contains(&member.id)
        };
        for (member, checked) in members.iter().zip(checked).filter(rejecting) {
            let mut spool = RejectSpool::new(&member.id, &member.contract.name, member.now_us, Arc::clone(&schema));
            spool.add(checked.rejects.clone())?;
            let spooled = spool.finish()?.into_iter().flatten().collect::<std::result::Result<Vec<RecordBatch>, _>>();
            let spooled = spooled.map_err(IngestError::from)?;
            if member.is_keyed {
                keyed.push((format!("{}.rejects.{}", member.id, member.digest), spooled));
            } else {
                unrepeated.extend(spooled);
            }
            let source = member.body.source.as_ref();
            if let Some(head) = &member.body.head {
                heads.push(HeadRow { load_id: &member.id, table: &member.contract.name, source, head });
            }
        }
        self.loader.append_heads(&heads).await?;
        // A load that is cut off hereafter is sent again, and its rejects with it.
        for (id, rejects) in keyed {
            self.loader.append(table.clone(), id, stream_of(rejects, Arc::clone(&schema))).await?;
        }
        if !unrepeated.is_empty() {
            self.loader.append(table, UNREPEATED.to_owned(), stream_of(unrepeated, schema)).await?;
        }
        self.rejected.extend(members.iter().map(|member| member.id.clone()));
        Ok(())
    }

    /// The one commit that makes the rows visible.
    async fn write(
        &self,
        members: &[Member],
        checked: Vec<Checked>,
        reports: Vec<LoadReport>,
        seen: u64,
    ) -> Result<Step> {
        let parts: Vec<Part> = members
            .iter()
            .zip(&checked)
            .zip(&reports)
            .map(|((member, checked), report)| Part {
                load_id: member.is_keyed.then(|| member.id.clone()),
                rows: checked.kept.iter().map(|batch| batch.num_rows() as u64).sum(),
                note: member.note(report),
                owner: member.bound.as_ref().map(|(_, bound)| bound.stored.clone()),
            })
            .collect();
        let rows: Vec<RecordBatch> = checked.into_iter().flat_map(|checked| checked.kept).collect();
        let rows = stream_of(rows, members[0].contract.stored_schema());
        match self.loader.store.write_together(&self.table, seen, &parts, rows).await? {
            Together::Committed(commits) => {
                let reports = members.iter().zip(reports).zip(&commits);
                Ok(Step::Committed(reports.map(|((member, found), commit)| member.report(found, commit)).collect()))
            }
            Together::Refused { part, error } => Ok(Step::Settled(part, Box::new(Err(error)))),
        }
    }

    /// What the loads did, in `henna.loads`. Their rows are durable already, so a fault here is nobody's error.
    async fn record(&self, members: &[Member], reports: &[LoadReport], status: Status) {
        if let Err(error) = self.try_record(members, reports, status).await {
            tracing::warn!(table = %self.table, %error, "loads were not recorded");
        }
    }

    async fn try_record(&self, members: &[Member], reports: &[LoadReport], status: Status) -> Result<()> {
        let schema = system::schema(system::LOADS)?;
        let finished_us = chrono::Utc::now().timestamp_micros();
        let batches = members.iter().zip(reports).map(|(member, report)| {
            LoadRow {
                load_id: &member.id,
                table: &member.contract.name,
                source: report.source.as_deref(),
                files: &member.file,
                status,
                started_us: member.now_us,
                finished_us,
                report,
            }
            .batch(&schema)
        });
        let batches = batches.collect::<Result<Vec<_>, _>>()?;
        let table = TableName::new(system::SCHEMA, system::LOADS);
        self.loader.append(table, UNREPEATED.to_owned(), stream_of(batches, schema)).await?;
        Ok(())
    }
}

/// The report of a load that was committed before, unless it was another one.
fn repeated(member: &Member, commit: &Commit, note: serde_json::Value) -> Result<LoadReport> {
    let note: Note = serde_json::from_value(note).unwrap_or_default();
    if !note.digest.is_empty() && note.digest != member.digest {
        let text = "the idempotency key was used before, for other rows";
        return Err(Error::new(Reason::KeyReused, text).with_hint("send other rows under a key of their own"));
    }
    Ok(member.report(note.found(), commit))
}

/// Why the rejects keep the load from being committed, where they do.
fn refusal(member: &Member, rejects: &[Reject], report: &LoadReport) -> Option<Error> {
    let (rejected, read, max) = (report.rows_rejected, report.rows_read, member.reject_share_max);
    let error = match (member.on_reject, rejects.first()) {
        (OnReject::Stop, Some(reject)) => {
            let (file, line, reason) = (reject.file.to_string(), reject.line, reject.message());
            IngestError::RowRefused { file, line, reason }
        }
        _ if rejected as f64 > read as f64 * max => IngestError::ShareExceeded { rejected, read, max },
        _ => return None,
    };
    let told = rejects.iter().take(REJECTS_TOLD).map(|reject| format!("line {}: {}", reject.line, reject.message()));
    Some(Error::from(error).with_detail(told.collect::<Vec<_>>().join("; ")))
}
