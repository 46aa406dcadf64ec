make_arrays 1 LAB-BAY1 LAB-BAY2
cd /sys/kernel/debug/mce-inject
echo 0x1000 >addr
echo 0xbd00000000800090 >status
echo 0x8c >misc
echo sw >flags
echo 0 >cpu
echo 4 >bank
cd /
agent check
