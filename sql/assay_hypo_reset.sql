-- Forgets the indexes that were tried.
SELECT hypopg_reset()
