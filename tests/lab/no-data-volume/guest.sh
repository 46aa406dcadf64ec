agent check
agent rescue check --rescue
[ -e /share/CACHEDEV1_DATA/.assay ] && fail "something was written where no volume is"
