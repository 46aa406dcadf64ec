# A key of this test alone: it opens nothing else.
printf 'AGE-SECRET-KEY-1554MZ4EV7MZ9GFPFL0U7L2HARV570SLZS7MPQLQYDZQLYJXULVGSEUWDF9\n' >/tmp/key
RECIPIENT=age18n46faxgsadejwf55jmwl4e4jtmgpvc3c58ehpcq26qke6hgh97qd0mgge

TO=/share/CACHEDEV1_DATA/system
if [ $BOOT = 1 ]; then
    make_arrays 1 LAB-BAY1 LAB-BAY2
    mkdir -p /etc/config/many $TO/etc/config/many
    cp /etc/config/uLinux.conf $TO/etc/config/
    for n in $(seq 1 200); do
        echo "new $n" >/etc/config/many/$n
        echo "old $n" >$TO/etc/config/many/$n
    done
    assay backup create --recipient $RECIPIENT >/tmp/said 2>&1 || fail "no copy: $(cat /tmp/said)"
    sync
    assay backup restore latest --to $TO --identity /tmp/key --yes >/dev/null 2>&1 &
    # Somewhere in the work: when the first files are new.
    until_true 20 grep -q new $TO/etc/config/many/1 $TO/etc/config/many/10 $TO/etc/config/many/100
    sync
    power_cut
else
    find_arrays
    for n in $(seq 1 200); do
        case "$(cat $TO/etc/config/many/$n)" in
        "new $n" | "old $n") ;;
        *) fail "file $n is neither the old nor the new one: $(cat $TO/etc/config/many/$n)" ;;
        esac
    done
    tool again backup restore latest --to $TO --identity /tmp/key --yes
    for n in $(seq 1 200); do
        [ "$(cat $TO/etc/config/many/$n)" = "new $n" ] || fail "file $n was not put back"
    done
fi
