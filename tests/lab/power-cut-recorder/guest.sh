if [ $BOOT = 1 ]; then
    make_arrays 1 LAB-BAY1 LAB-BAY2
    sync
    while :; do assay collect --json >/dev/null 2>&1; echo x >>/tmp/runs; done &
    until_true 30 test -s /tmp/runs
    usleep $((RANDOM % 1000000))
    power_cut
else
    find_arrays
    agent after
    agent sealed collect
    ls -laR /share/CACHEDEV1_DATA/.assay >/host/spool 2>&1
fi
