make_arrays 1 LAB-BAY1 LAB-BAY2
assay collect >/dev/null 2>&1
agent before
gone=$(drive LAB-CARD2)
qmp '{"execute":"device_del","arguments":{"id":"card"}}'
until_true 20 test ! -e /sys/block/$gone
agent after
