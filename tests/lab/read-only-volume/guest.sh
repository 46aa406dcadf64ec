make_arrays 1 LAB-BAY1 LAB-BAY2
mount -o remount,errors=remount-ro /share/CACHEDEV1_DATA
echo 1 >/sys/fs/ext4/md1/trigger_fs_error
agent check
