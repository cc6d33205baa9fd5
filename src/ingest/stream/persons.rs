//! The persons of the rows of all members at once, and what each member taught.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Int64Array;
use tokio::task::spawn_blocking;

use super::super::error::IngestError;
use super::super::identity::{Gathered, Hashes, IdentityKey, Resolved, Resolver, is_identifier, types};
use super::super::load::Loader;
use super::super::persons::Identities;
use super::body::{Body, MappedChunk};
use super::member::Member;
use crate::error::Result;

/// Of one member.
#[derive(Debug, Default)]
pub struct Persons {
    /// Of each of its chunks that names persons.
    pub chunks: Vec<Option<Int64Array>>,
    /// Persons of which it is the first to tell.
    pub new: u64,
    /// Persons of whom it is the last to tell that they are another.
    pub merged: u64,
}

/// What the rows of a group say of persons.
pub struct Found {
    pub identities: Identities,
    pub resolved: Option<Resolved>,
}

/// The persons of each member's rows; `None` where the table has none, or no row an identifier.
pub async fn resolve(loader: &Loader, members: &[Member]) -> Result<(Option<Found>, Vec<Persons>)> {
    let names_persons = |mapped: &MappedChunk| mapped.chunk.names.iter().any(|name| is_identifier(name));
    let asks = |member: &Member| member.identified && member.body.chunks.iter().any(names_persons);
    let without =
        || members.iter().map(|member| Persons { chunks: vec![None; member.body.chunks.len()], ..Persons::default() });
    if !members.iter().any(asks) {
        return Ok((None, without().collect()));
    }
    let Some(key) = loader.identity_key().await? else { return Ok((None, without().collect())) };
    let rows: Vec<Arc<Body>> = members.iter().map(|member| Arc::clone(&member.body)).collect();
    let shared_max = loader.dataset.identity_shared_max;
    let read = rows.clone();
    let gathering = spawn_blocking(move || gathered(&read, &key, shared_max));
    let (gathered, ends) = gathering.await.map_err(|_| IngestError::ThreadEnded)??;
    let wanted = gathered.as_ref().map(|gathered| &gathered.graph);
    let Some(identities) = loader.identities(wanted).await? else { return Ok((None, without().collect())) };
    let resolving = spawn_blocking(move || -> Result<_, IngestError> {
        let (resolved, persons) = resolved(gathered, &rows, &identities, &ends)?;
        Ok((Some(Found { identities, resolved }), persons))
    });
    Ok(resolving.await.map_err(|_| IngestError::ThreadEnded)??)
}

/// The identifiers of all members' rows, and how many there are up to the end of each member.
fn gathered(
    rows: &[Arc<Body>],
    key: &IdentityKey,
    shared_max: usize,
) -> Result<(Option<Gathered>, Vec<usize>), IngestError> {
    let mut resolver = Resolver::new(shared_max)?;
    let mut ends = Vec::with_capacity(rows.len());
    for body in rows {
        for mapped in &body.chunks {
            resolver.take(&Hashes::of(&mapped.chunk, &mapped.mapping, &types(&mapped.mapping), key)?)?;
        }
        ends.push(resolver.identifiers());
    }
    Ok((resolver.gathered(), ends))
}

fn resolved(
    gathered: Option<Gathered>,
    rows: &[Arc<Body>],
    identities: &Identities,
    ends: &[usize],
) -> Result<(Option<Resolved>, Vec<Persons>), IngestError> {
    let Some(gathered) = gathered else {
        let none = |body: &Arc<Body>| Persons { chunks: vec![None; body.chunks.len()], ..Persons::default() };
        return Ok((None, rows.iter().map(none).collect()));
    };
    let mut resolved = gathered.resolve(&identities.stored)?;
    let mut persons = taught(&resolved, identities, ends);
    for (body, persons) in rows.iter().zip(&mut persons) {
        for mapped in &body.chunks {
            let found = resolved.persons(mapped.chunk.rows.len())?;
            persons.chunks.push((!mapped.mapping.ids.is_empty()).then_some(found));
        }
    }
    Ok((Some(resolved), persons))
}

/// What is new by each member. An identifier is that of the first member which has it.
fn taught(resolved: &Resolved, identities: &Identities, ends: &[usize]) -> Vec<Persons> {
    let mut taught: Vec<Persons> = ends.iter().map(|_| Persons::default()).collect();
    let merges: HashMap<i64, i64> = resolved.resolution.merges.iter().copied().collect();
    let mut last: HashMap<i64, usize> = HashMap::new();
    let mut newest = identities.stored.next_person() - 1;
    for (node, person) in resolved.resolution.persons.iter().enumerate() {
        let Some(person) = *person else { continue };
        let member = ends.partition_point(|end| *end <= node);
        // New persons are numbered in order of appearance.
        if person > newest {
            newest = person;
            taught[member].new += 1;
        }
        let known = identities.stored.person(resolved.graph.identifier(node as u32).1);
        if let Some(old) = known.filter(|old| merges.contains_key(old)) {
            last.insert(old, member);
        }
    }
    for member in last.into_values() {
        taught[member].merged += 1;
    }
    taught
}
