CREATE TABLE wages (
  clerk TEXT PRIMARY KEY,
  wage INTEGER NOT NULL,
  iban TEXT
);
