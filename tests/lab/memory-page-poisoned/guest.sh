make_arrays 1 LAB-BAY1 LAB-BAY2
echo 0x8000 >/sys/kernel/debug/hwpoison/corrupt-pfn
agent check
