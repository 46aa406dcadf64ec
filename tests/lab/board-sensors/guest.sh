make_arrays 1 LAB-BAY1 LAB-BAY2
until_true 5 test -e /dev/ipmi0
ipmitool sdr elist full >/host/sdr 2>&1
agent check
