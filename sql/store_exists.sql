-- Are the tables of store_schema.sql there?
SELECT to_regclass('pgassay.lock_wait') IS NOT NULL
