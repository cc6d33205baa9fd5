CREATE TABLE stores (
  store TEXT PRIMARY KEY,
  region TEXT NOT NULL,
  rent INTEGER
);
