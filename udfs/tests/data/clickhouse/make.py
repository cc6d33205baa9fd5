"""What ClickHouse answers about random persons: `pip install chdb==4.4.0`, then `python make.py` writes events.csv and answers.csv.

An event meets none, one or several of four conditions; many events share a time. They come to ClickHouse sorted by time and
conditions, which is the order in which sequence functions take events of one time.
"""

import random
from itertools import combinations

import chdb

random.seed(20261126)
MODES = ["strict_order", "strict_deduplication", "strict_increase", "strict_once"]
PATTERNS = [
    "(?1)(?2)", "(?1).(?3)", "(?1).*(?2).*(?3)", "(?1)(?t<=2)(?2)", "(?1)(?t>=3)(?2)", "(?1)(?t<3).*(?4)", "(?1)(?t>1)(?2)(?t<=4)(?3)",
    "(?2)(?t==2)(?3)", ".*(?4).*", "(?1).*(?t>2)(?3)", "(?1)(?1)",
]

rows = []
for person in range(400):
    events = []
    for _ in range(random.randint(1, 10)):
        one = 1 << random.randrange(4)
        conditions = random.choice([0, one, one, one, one | 1 << random.randrange(4), random.randrange(16)])
        events.append((random.randrange(12), conditions))
    rows += [(person, t, conditions) for t, conditions in sorted(events)]
with open("events.csv", "w") as file:
    file.write("person,t,conditions\n")
    file.writelines(f"{person},{t},{conditions}\n" for person, t, conditions in rows)

CONDITIONS = ", ".join(f"bitTest(conditions, {bit})" for bit in range(4))
modes = [subset for size in range(len(MODES) + 1) for subset in combinations(MODES, size)]
columns, names = [], []
for subset in modes:
    columns.append(f"windowFunnel({', '.join(['5'] + [repr(mode) for mode in subset])})(toDateTime(t), {CONDITIONS})")
    names.append("funnel:" + ",".join(subset or ["default"]))
for pattern in PATTERNS:
    columns.append(f"sequenceMatch('{pattern}')(toDateTime(t), {CONDITIONS})")
    names.append(f"match:{pattern}")
    columns.append(f"sequenceCount('{pattern}')(toDateTime(t), {CONDITIONS})")
    names.append(f"count:{pattern}")
columns.append(f"arrayStringConcat(arrayMap(x -> toString(x), retention({CONDITIONS})), '')")
names.append("retention:")
sql = f"""SELECT person, {', '.join(columns)}
    FROM (SELECT * FROM file('events.csv', CSVWithNames, 'person UInt32, t UInt32, conditions UInt8') ORDER BY person, t, conditions)
    GROUP BY person ORDER BY person SETTINGS max_threads = 1"""
answers = str(chdb.query(sql, "TSV"))
with open("answers.csv", "w") as file:
    file.write("person;" + ";".join(names) + "\n" + answers.replace("\t", ";"))
