# A key of this test alone: it opens nothing else.
printf 'AGE-SECRET-KEY-1554MZ4EV7MZ9GFPFL0U7L2HARV570SLZS7MPQLQYDZQLYJXULVGSEUWDF9\n' >/tmp/key
RECIPIENT=age18n46faxgsadejwf55jmwl4e4jtmgpvc3c58ehpcq26qke6hgh97qd0mgge

if [ $BOOT = 1 ]; then
    make_arrays 1 LAB-BAY1 LAB-BAY2
    mkdir -p /etc/config/many
    for n in $(seq 1 300); do echo "file $n of the configuration" >/etc/config/many/$n; done
    assay backup create --recipient $RECIPIENT >/host/first 2>&1 || fail "no first copy: $(cat /host/first)"
    sync
    assay backup create --recipient $RECIPIENT >/dev/null 2>&1 &
    usleep $((RANDOM * 40))
    power_cut
else
    find_arrays
    assay backup list >/host/list 2>&1
    # Whatever is listed must be whole: the first one surely, the second one when it came to its end.
    for copy in $(assay backup list --json 2>/dev/null | tr ',' '\n' | sed -n 's/.*"name": *"\([^"]*\)".*/\1/p'); do
        assay backup verify "$copy" --identity /tmp/key >/tmp/said 2>&1 || fail "$copy: $(cat /tmp/said)"
    done
    agent verified backup verify latest --identity /tmp/key
fi
