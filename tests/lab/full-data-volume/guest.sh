make_arrays 1 LAB-BAY1 LAB-BAY2
dd if=/dev/zero of=/share/CACHEDEV1_DATA/fill bs=64k >/dev/null 2>&1
agent check
agent collect collect -o /share/CACHEDEV1_DATA/unit.assay
ls /share/CACHEDEV1_DATA/unit.assay* 2>/dev/null && fail "a part of the bundle was left"
