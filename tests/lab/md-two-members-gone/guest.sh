make_arrays 5 LAB-BAY1 LAB-BAY2 LAB-BAY3
umount /share/CACHEDEV1_DATA
mdadm /dev/md1 --fail /dev/$(drive LAB-BAY3)3 >/dev/null 2>&1
mdadm /dev/md1 --fail /dev/$(drive LAB-BAY2)3 >/dev/null 2>&1
cat /proc/mdstat >/host/mdstat
agent check
