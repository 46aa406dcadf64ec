make_arrays 5 LAB-BAY1 LAB-BAY2 LAB-BAY3
partition $(drive LAB-BAY4)
echo 20 >/proc/sys/dev/raid/speed_limit_max
echo 10 >/proc/sys/dev/raid/speed_limit_min
mdadm /dev/md1 --fail /dev/$(drive LAB-BAY3)3 --remove /dev/$(drive LAB-BAY3)3 >/dev/null 2>&1
mdadm /dev/md1 --add /dev/$(drive LAB-BAY4)3 >/dev/null 2>&1
until_true 10 grep -q recovery /proc/mdstat
agent check
