CREATE TABLE sales (
  id INTEGER PRIMARY KEY,
  team TEXT NOT NULL,
  store TEXT,
  clerk TEXT,
  amount NUMERIC(10, 2),
  note TEXT
);
