make_arrays 1 LAB-BAY1 LAB-BAY2
assay collect >/dev/null 2>&1
agent before
gone=$(drive LAB-SCSI2)
qmp '{"execute":"device_del","arguments":{"id":"second-dev"}}'
until_true 15 test ! -e /sys/block/$gone
agent after
