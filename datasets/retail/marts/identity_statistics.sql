-- A row is one count of what the lake knows of persons. Key: measure, id_type. Reads: identities, henna.identity_conflicts.
-- persons: customers with an identifier. merges: numbers that became an older one's. persons_beyond_10: customers with more than ten identifiers.
-- By id_type: identifiers, and shared, those that join nobody because they joined too many.
CREATE VIEW mart.identity_statistics AS
WITH known AS (
  SELECT one_id, id_type
  FROM identities
  WHERE id_type NOT LIKE '\_%'
),
persons AS (
  SELECT one_id, count(*) AS identifiers
  FROM known
  GROUP BY one_id
)
SELECT 'persons' AS measure, CAST(NULL AS text) AS id_type, count(*) AS count
FROM persons
UNION ALL
SELECT 'persons_beyond_10' AS measure, NULL AS id_type, count(*) AS count
FROM persons
WHERE identifiers > 10
UNION ALL
SELECT 'merges' AS measure, NULL AS id_type, count(*) AS count
FROM identities
WHERE id_type = '_merged' AND id_value <> CAST(one_id AS text)
UNION ALL
SELECT 'identifiers' AS measure, id_type, count(*) AS count
FROM known
GROUP BY id_type
UNION ALL
SELECT 'shared' AS measure, id_type, count(*) AS count
FROM henna.identity_conflicts
GROUP BY id_type;

COMMENT ON VIEW mart.identity_statistics IS 'Counts of persons, identifiers, merges and shared identifiers';
