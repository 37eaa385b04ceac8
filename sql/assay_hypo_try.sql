-- Tries an index that does not exist: the name plans will show, its estimated size.
SELECT indexname, hypopg_relation_size(indexrelid) FROM hypopg_create_index($1)
