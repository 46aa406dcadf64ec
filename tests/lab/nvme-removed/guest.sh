make_arrays 1 LAB-BAY1 LAB-BAY2
assay collect >/dev/null 2>&1
agent before
qmp '{"execute":"device_del","arguments":{"id":"fast-dev"}}'
until_true 15 test ! -e /sys/block/nvme0n1
agent after
