make_arrays 1 LAB-BAY1 LAB-BAY2
cd /sys/kernel/debug/mce-inject
for n in 1 2 3 4 5 6 7 8; do
    echo 0x1000 >addr
    echo 0x9c00004000800090 >status
    echo 0x8c >misc
    echo sw >flags
    echo 0 >cpu
    echo 4 >bank
done
cd /
usleep 1500000
agent check
