make_arrays 1 LAB-BAY1 LAB-BAY2
inject() {
    qmp '{"execute":"human-monitor-command","arguments":{"command-line":"pcie_aer_inject_error '"$1"'"}}'
    usleep 300000
}
for n in 1 2 3 4 5 6; do
    inject "-c fast-slot RCVR"
done
inject "fast-slot COMP_TIME"
agent check
