make_arrays 5 LAB-BAY1 LAB-BAY2 LAB-BAY3
mdadm /dev/md1 --fail /dev/$(drive LAB-BAY3)3 >/dev/null 2>&1
agent check
