make_arrays 1 LAB-BAY1 LAB-BAY2
warn() {
    qmp '{"execute":"qom-set","arguments":{"path":"/machine/peripheral/fast-dev","property":"smart_critical_warning","value":'$1'}}'
}
agent none
warn 1; agent spare
warn 2; agent temperature
warn 4; agent reliability
warn 8; agent read-only
warn 16; agent backup
