read_all $(basename $(ls -d /sys/bus/pseudo/devices/adapter*/host*/target*/*/block/*)) 64k
agent check
