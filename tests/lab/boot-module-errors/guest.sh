make_arrays 1 LAB-BAY1 LAB-BAY2
until_true 10 ls -d /sys/block/sdc
printf '[BootDisk_0]\npd_sys_name = /dev/sdc\n' >>/etc/hal.conf
read_all sdc 4k
agent check
