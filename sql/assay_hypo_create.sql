-- Tries an index that does not exist: its estimated size.
SELECT hypopg_relation_size(indexrelid) FROM hypopg_create_index($1)
