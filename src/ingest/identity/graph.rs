//! Which identifiers are one person: those that occur together, except over one that joins too many.

use std::collections::HashMap;

use hashbrown::HashTable;

use super::key::Hashed;
use super::parted::Apart;
use super::stored::Stored;

/// The number of an identifier in the graph.
pub type Node = u32;

/// Identifiers that are looked for at once.
const AT_ONCE: usize = 32;

/// The identifiers of a load, and which of them occur together: about 40 bytes an identifier.
pub struct Graph {
    shared_max: usize,
    types: Vec<String>,
    /// Nodes by their hashes.
    index: HashTable<Node>,
    nodes: Vec<Identifier>,
    /// Of identifiers that occur with several: without repeats.
    several: Vec<Vec<Node>>,
    /// Identifiers that join too many others of one type: how many, at least; 0 where the lake knew it before.
    shared: HashMap<Node, usize>,
}

struct Identifier {
    hash: Hashed,
    id_type: u16,
    beside: Beside,
}

/// The identifiers with which one occurs. Most occur with one at most.
#[derive(Clone, Copy)]
enum Beside {
    Nobody,
    One(Node),
    /// Where the list is.
    Several(u32),
    /// It is not counted any more.
    Shared,
}

/// What a load teaches about persons.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// By node; `None` where it is shared.
    pub persons: Vec<Option<i64>>,
    pub persons_new: u64,
    /// Persons that turned out to be another: old and surviving one_id.
    pub merges: Vec<(i64, i64)>,
    /// Nodes that are shared and were not known to be: with how many others.
    pub conflicts: Vec<(Node, usize)>,
}

impl Graph {
    /// An identifier that occurs with more than `shared_max` others of one type is shared.
    pub fn new(shared_max: usize) -> Self {
        let (types, nodes, several) = (Vec::new(), Vec::new(), Vec::new());
        Self { shared_max, types, index: HashTable::new(), nodes, several, shared: HashMap::new() }
    }

    /// The number of an identifier type.
    pub fn id_type(&mut self, name: &str) -> u16 {
        let known = self.types.iter().position(|known| known == name);
        let number = known.unwrap_or_else(|| {
            self.types.push(name.to_owned());
            self.types.len() - 1
        });
        u16::try_from(number).unwrap_or(u16::MAX)
    }

    /// The numbers of identifiers, new ones in their order. Most of the time goes into waiting for memory, so several are looked
    /// for at once.
    pub fn nodes(&mut self, identifiers: &[(u16, Hashed)], nodes: &mut Vec<Node>) {
        for some in identifiers.chunks(AT_ONCE) {
            let mut likely = [None; AT_ONCE];
            for (likely, (_, hash)) in likely.iter_mut().zip(some) {
                *likely = self.index.find(place(*hash), |_| true).copied();
            }
            for (likely, (_, hash)) in likely.iter_mut().zip(some) {
                *likely = likely.filter(|node| self.nodes[*node as usize].hash == *hash);
            }
            for (likely, (id_type, hash)) in likely.iter().zip(some) {
                nodes.push(likely.unwrap_or_else(|| self.node(*id_type, *hash)));
            }
        }
    }

    fn node(&mut self, id_type: u16, hash: Hashed) -> Node {
        let nodes = &mut self.nodes;
        let is_it = |node: &Node| nodes[*node as usize].hash == hash;
        if let Some(node) = self.index.find(place(hash), is_it) {
            return *node;
        }
        let node = nodes.len() as Node;
        nodes.push(Identifier { hash, id_type, beside: Beside::Nobody });
        self.index.insert_unique(place(hash), node, |node| place(nodes[*node as usize].hash));
        node
    }

    /// Type and hash of a node.
    pub fn identifier(&self, node: Node) -> (&str, Hashed) {
        let identifier = &self.nodes[node as usize];
        (self.types.get(usize::from(identifier.id_type)).map_or("", String::as_str), identifier.hash)
    }

    pub fn identifiers(&self) -> usize {
        self.nodes.len()
    }

    pub fn contains(&self, hash: Hashed) -> bool {
        self.index.find(place(hash), |node| self.nodes[*node as usize].hash == hash).is_some()
    }

    /// The identifiers of one row occur together.
    pub fn occur(&mut self, row: &[Node]) {
        for (nth, first) in row.iter().enumerate() {
            for second in &row[nth + 1..] {
                if first != second {
                    self.put_beside(*first, *second);
                    self.put_beside(*second, *first);
                }
            }
        }
    }

    fn put_beside(&mut self, node: Node, other: Node) {
        let beside = self.beside(node);
        if beside.contains(&other) || matches!(self.nodes[node as usize].beside, Beside::Shared) {
            return;
        }
        let id_type = self.nodes[other as usize].id_type;
        let like = beside.iter().filter(|beside| self.nodes[**beside as usize].id_type == id_type).count();
        let with = &mut self.nodes[node as usize].beside;
        if like >= self.shared_max {
            *with = Beside::Shared;
            self.shared.insert(node, like + 1);
            return;
        }
        match *with {
            Beside::Nobody => *with = Beside::One(other),
            Beside::One(first) => {
                *with = Beside::Several(self.several.len() as u32);
                self.several.push(vec![first, other]);
            }
            Beside::Several(list) => self.several[list as usize].push(other),
            Beside::Shared => {}
        }
    }

    /// Complete unless the identifier is shared.
    fn beside(&self, node: Node) -> &[Node] {
        match &self.nodes[node as usize].beside {
            Beside::Nobody | Beside::Shared => &[],
            Beside::One(other) => std::slice::from_ref(other),
            Beside::Several(list) => &self.several[*list as usize],
        }
    }

    fn all(&self) -> impl Iterator<Item = Node> + use<> {
        0..self.nodes.len() as Node
    }

    /// Gives every identifier its person. New persons are numbered from `stored.next_person()` in order of appearance; of
    /// persons that turn out to be one, the smallest number survives. Persons that were parted are not joined: what would do so,
    /// and stands later among the nodes, does not count.
    pub fn resolve(&mut self, stored: &Stored) -> Resolution {
        let known: Vec<Option<i64>> = self.nodes.iter().map(|node| stored.person(node.hash)).collect();
        for node in self.all() {
            if stored.is_shared(self.nodes[node as usize].hash) {
                self.shared.insert(node, 0);
            }
        }
        self.share_over_time(stored, &known);
        let mut entities = Entities::default();
        let entity: Vec<u32> = known.iter().map(|person| entities.of(*person)).collect();
        entities.apart = Apart::of(stored.parted(), &entities.known);
        for node in self.all().filter(|node| !self.shared.contains_key(node)) {
            for other in self.beside(node).iter().filter(|other| !self.shared.contains_key(other)) {
                entities.unite(entity[node as usize], entity[*other as usize]);
            }
        }
        let mut resolution = Resolution { persons: Vec::with_capacity(self.nodes.len()), ..Resolution::default() };
        let mut next = stored.next_person();
        for node in self.all() {
            if let Some(others) = self.shared.get(&node) {
                resolution.persons.push(None);
                if *others > 0 {
                    resolution.conflicts.push((node, *others));
                }
                continue;
            }
            let (person, is_new) = entities.person(entity[node as usize], &mut next);
            resolution.persons_new += u64::from(is_new);
            resolution.persons.push(Some(person));
        }
        resolution.merges = entities.merges();
        resolution
    }

    /// An identifier that the lake knows keeps joining new ones, load after load: what its person has counts too.
    fn share_over_time(&mut self, stored: &Stored, known: &[Option<i64>]) {
        let touched = known.iter().flatten().copied();
        let counts = stored.identifiers_of(touched, &self.types);
        let mut found = Vec::new();
        for node in self.all().filter(|node| !self.shared.contains_key(node)) {
            let Some(person) = known[node as usize] else { continue };
            let mut fresh: HashMap<u16, usize> = HashMap::new();
            for other in self.beside(node).iter().filter(|other| known[**other as usize] != Some(person)) {
                *fresh.entry(self.nodes[*other as usize].id_type).or_default() += 1;
            }
            let id_type = self.nodes[node as usize].id_type;
            let all = fresh.into_iter().map(|(other, fresh)| {
                let own = usize::from(other == id_type);
                fresh + counts.get(&(person, other)).copied().unwrap_or(0).saturating_sub(own)
            });
            if let Some(others) = all.max().filter(|others| *others > self.shared_max) {
                found.push((node, others));
            }
        }
        self.shared.extend(found);
    }
}

/// Where a hash lies in a table: it is as good as any, and nobody without the lake's secret can choose it.
fn place(hash: Hashed) -> u64 {
    hash as u64
}

/// Union-find over persons that the lake knows and identifiers that it does not.
#[derive(Default)]
struct Entities {
    parent: Vec<u32>,
    /// Of a root: the smallest person known.
    person: Vec<Option<i64>>,
    known: HashMap<i64, u32>,
    apart: Apart,
}

impl Entities {
    /// The entity of a known person, or a fresh one.
    fn of(&mut self, person: Option<i64>) -> u32 {
        let fresh = self.parent.len() as u32;
        let entity = person.map_or(fresh, |person| *self.known.entry(person).or_insert(fresh));
        if entity == fresh {
            self.parent.push(fresh);
            self.person.push(person);
        }
        entity
    }

    fn root(&mut self, entity: u32) -> u32 {
        let mut at = entity;
        while self.parent[at as usize] != at {
            let above = self.parent[at as usize];
            self.parent[at as usize] = self.parent[above as usize];
            at = above;
        }
        at
    }

    fn unite(&mut self, first: u32, second: u32) {
        let (first, second) = (self.root(first), self.root(second));
        if first == second || !self.apart.may_join(first, second) {
            return;
        }
        let (kept, lost) = (first.min(second), first.max(second));
        self.apart.joined(kept, lost);
        self.parent[lost as usize] = kept;
        let persons = [self.person[kept as usize], self.person[lost as usize]];
        self.person[kept as usize] = persons.into_iter().flatten().min();
    }

    /// The person of an entity, and whether it was made just now.
    fn person(&mut self, entity: u32, next: &mut i64) -> (i64, bool) {
        let root = self.root(entity) as usize;
        match self.person[root] {
            Some(person) => (person, false),
            None => {
                let person = *next;
                *next += 1;
                self.person[root] = Some(person);
                (person, true)
            }
        }
    }

    /// Known persons that are now another, in order.
    fn merges(&mut self) -> Vec<(i64, i64)> {
        let known: Vec<(i64, u32)> = self.known.iter().map(|(person, entity)| (*person, *entity)).collect();
        let mut merges = Vec::new();
        for (person, entity) in known {
            let root = self.root(entity) as usize;
            if let Some(survivor) = self.person[root].filter(|survivor| *survivor != person) {
                merges.push((person, survivor));
            }
        }
        merges.sort_unstable();
        merges
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use proptest::prelude::*;

    use super::*;

    const PHONE: &str = "phone";
    const MEMBER: &str = "member";

    /// Resolves rows of (type, value) over what is stored.
    fn resolve(rows: &[Vec<(&str, u64)>], stored: &Stored, shared_max: usize) -> (Graph, Vec<Vec<Node>>, Resolution) {
        let mut graph = Graph::new(shared_max);
        let mut nodes = Vec::new();
        for row in rows {
            let row: Vec<(u16, Hashed)> =
                row.iter().map(|(id_type, value)| (graph.id_type(id_type), hash(id_type, *value))).collect();
            let mut own = Vec::new();
            graph.nodes(&row, &mut own);
            graph.occur(&own);
            nodes.push(own);
        }
        let resolution = graph.resolve(stored);
        (graph, nodes, resolution)
    }

    fn hash(id_type: &str, value: u64) -> Hashed {
        (Hashed::from(id_type.len() as u64) << 64) | Hashed::from(value)
    }

    fn persons(rows: &[Vec<(&str, u64)>], stored: &Stored, shared_max: usize) -> Vec<Option<i64>> {
        let (_, nodes, resolution) = resolve(rows, stored, shared_max);
        nodes.iter().map(|row| row.iter().find_map(|node| resolution.persons[*node as usize])).collect()
    }

    #[test]
    fn identifiers_that_occur_together_are_one_person() {
        let rows = [vec![(PHONE, 1), (MEMBER, 1)], vec![(PHONE, 2)], vec![(MEMBER, 1), (MEMBER, 9)], vec![(MEMBER, 9)]];
        assert_eq!(persons(&rows, &Stored::default(), 20), [Some(1), Some(2), Some(1), Some(1)]);
    }

    #[test]
    fn a_shared_identifier_joins_nobody() {
        let mut rows: Vec<Vec<(&str, u64)>> = (0..3).map(|n| vec![(PHONE, 7), (MEMBER, n)]).collect();
        rows.push(vec![(PHONE, 7)]);
        let (_, nodes, resolution) = resolve(&rows, &Stored::default(), 2);
        assert_eq!(resolution.persons[nodes[0][0] as usize], None);
        assert_eq!(resolution.conflicts, [(nodes[0][0], 3)]);
        assert_eq!(persons(&rows, &Stored::default(), 2), [Some(1), Some(2), Some(3), None]);
        assert_eq!(persons(&rows, &Stored::default(), 3), [Some(1); 4]);
    }

    #[test]
    fn an_identifier_becomes_shared_over_several_loads() {
        let mut stored = Stored::default();
        stored.learn(PHONE, hash(PHONE, 7), 5);
        stored.learn(MEMBER, hash(MEMBER, 1), 5);
        stored.learn(MEMBER, hash(MEMBER, 2), 5);
        let rows = [vec![(PHONE, 7), (MEMBER, 3)]];
        let (_, nodes, resolution) = resolve(&rows, &stored, 2);
        assert_eq!(resolution.conflicts, [(nodes[0][0], 3)]);
        assert_eq!(persons(&rows, &stored, 2), [Some(6)]);
        assert_eq!(persons(&rows, &stored, 3), [Some(5)]);
        assert_eq!(persons(&[vec![(PHONE, 7), (MEMBER, 1)]], &stored, 2), [Some(5)]);
    }

    #[test]
    fn when_two_persons_are_one_the_older_survives() {
        let mut stored = Stored::default();
        stored.learn(PHONE, hash(PHONE, 1), 8);
        stored.learn(MEMBER, hash(MEMBER, 1), 3);
        let rows = [vec![(PHONE, 1), (MEMBER, 1), (MEMBER, 2)]];
        let (_, _, resolution) = resolve(&rows, &stored, 20);
        assert_eq!(resolution.merges, [(8, 3)]);
        assert_eq!(resolution.persons_new, 0);
        assert_eq!(persons(&rows, &stored, 20), [Some(3)]);
    }

    #[test]
    fn an_identifier_that_was_shared_stays_so() {
        let mut stored = Stored::default();
        stored.share(hash(PHONE, 7));
        let (_, _, resolution) = resolve(&[vec![(PHONE, 7), (MEMBER, 1)]], &stored, 20);
        assert_eq!(resolution.persons, [None, Some(1)]);
        assert!(resolution.conflicts.is_empty());
    }

    #[test]
    fn persons_that_were_parted_stay_apart_whatever_joins_them() {
        let mut stored = Stored::default();
        stored.learn(PHONE, hash(PHONE, 1), 3);
        stored.learn(MEMBER, hash(MEMBER, 1), 8);
        stored.learn(MEMBER, hash(MEMBER, 5), 5);
        stored.part(8, 3);
        let together = [vec![(PHONE, 1), (MEMBER, 1)], vec![(MEMBER, 1)]];
        assert_eq!(persons(&together, &stored, 20), [Some(3), Some(8)]);
        // By way of somebody new, who comes to the first, and of somebody known, who then is that one.
        let new = [vec![(PHONE, 1), (PHONE, 2)], vec![(PHONE, 2), (MEMBER, 1)], vec![(MEMBER, 1)]];
        assert_eq!(persons(&new, &stored, 20), [Some(3), Some(3), Some(8)]);
        let known = [vec![(MEMBER, 1), (MEMBER, 5)], vec![(MEMBER, 5), (PHONE, 1)], vec![(PHONE, 1)]];
        assert_eq!(persons(&known, &stored, 20), [Some(5), Some(5), Some(3)]);
        assert_eq!(resolve(&known, &stored, 20).2.merges, [(8, 5)]);
        // Others may join either of them.
        assert_eq!(persons(&[vec![(MEMBER, 1), (PHONE, 9)]], &stored, 20), [Some(8)]);
    }

    /// Repeats joining until nothing changes: slow, and plainly the definition.
    fn closure(rows: &[Vec<u64>]) -> Vec<BTreeSet<u64>> {
        let mut groups: Vec<BTreeSet<u64>> = rows.iter().map(|row| row.iter().copied().collect()).collect();
        loop {
            let meet = (0..groups.len())
                .find_map(|a| (a + 1..groups.len()).find(|b| !groups[a].is_disjoint(&groups[*b])).map(|b| (a, b)));
            let Some((a, b)) = meet else { return groups };
            let other = groups.remove(b);
            groups[a].extend(other);
        }
    }

    proptest! {
        #[test]
        fn persons_are_the_transitive_closure(rows in prop::collection::vec(prop::collection::vec(0u64..40, 1..4), 1..40)) {
            let typed: Vec<Vec<(&str, u64)>> = rows.iter().map(|row| row.iter().map(|value| (PHONE, *value)).collect()).collect();
            let found = persons(&typed, &Stored::default(), usize::MAX);
            let groups = closure(&rows);
            for (row, person) in rows.iter().zip(&found) {
                for (other, other_person) in rows.iter().zip(&found) {
                    let together = groups.iter().any(|group| group.contains(&row[0]) && group.contains(&other[0]));
                    prop_assert_eq!(together, person == other_person);
                }
            }
            prop_assert_eq!(found.iter().collect::<HashSet<_>>().len(), groups.len());
        }
    }
}
