//! Text reports and the JSON of the same drives, written from the manual pages and what the drives print; for tests.

/// An ATA disk with everything, as smartctl 7.x prints `-x`.
pub(super) const ATA: &str = r#"smartctl 7.4 2023-08-01 r5530 [x86_64-linux-5.10.60-qnap] (local build)
Copyright (C) 2002-23, Bruce Allen, Christian Franke, www.smartmontools.org

=== START OF INFORMATION SECTION ===
Model Family:     Example NAS
Device Model:     ST4000EX001-2DR166
Serial Number:    ZEX00001
LU WWN Device Id: 5 000c50 0abcdef01
Firmware Version: SC60
User Capacity:    4,000,787,030,016 bytes [4.00 TB]
Sector Sizes:     512 bytes logical, 4096 bytes physical
Rotation Rate:    5980 rpm
SATA Version is:  SATA 3.1, 6.0 Gb/s (current: 3.0 Gb/s)
SMART support is: Available - device has SMART capability.
SMART support is: Enabled
Power mode is:    ACTIVE or IDLE

=== START OF READ SMART DATA SECTION ===
SMART overall-health self-assessment test result: PASSED
Warning: This result is based on an Attribute check.

General SMART Values:
Self-test execution status:      ( 249)	Self-test routine in progress...
					90% of test remaining.

SMART Attributes Data Structure revision number: 10
Vendor Specific SMART Attributes with Thresholds:
ID# ATTRIBUTE_NAME          FLAGS    VALUE WORST THRESH FAIL RAW_VALUE
  1 Raw_Read_Error_Rate     POSR--   083   064   044    -    12884901965
  5 Reallocated_Sector_Ct   PO--CK   001   001   010    NOW  1040
  9 Power_On_Hours          -O--CK   072   072   000    -    25102
 12 Power_Cycle_Count       -O--CK   100   100   020    -    44
188 Command_Timeout         -O--CK   100   098   000    -    22 22 22
190 Airflow_Temperature_Cel -O---K   066   040   045    Past 34
194 Temperature_Celsius     -O---K   034   060   ---    -    34
197 Current_Pending_Sector  -O--C-   100   100   000    -    2
                            ||||||_ K auto-keep
                            |______ P prefailure warning

General Purpose Log Directory Version 1
SMART Extended Comprehensive Error Log Version: 1 (5 sectors)
Device Error Count: 27 (device log contains only the most recent 20 errors)
	CR     = Command Register

Error 27 [6] occurred at disk power-on lifetime: 25000 hours (1041 days + 16 hours)
  When the command that caused the error occurred, the device was active or idle.

  After command completion occurred, registers were:
  ER -- ST COUNT  LBA_48  LH LM LL DV DC
  -- -- -- == -- == == == -- -- -- -- --
  40 -- 51 00 01 00 00 17 7d be 89 40 00  Error: UNC at LBA = 0x177dbe89 = 394116745

  Commands leading to the command that caused the error were:
  CR FEATR COUNT  LBA_48  LH LM LL DV DC  Powered_Up_Time  Command/Feature_Name
  -- == -- == -- == == == -- -- -- -- --  ---------------  --------------------
  60 00 00 00 08 00 00 17 7d be 88 40 00     12:56:48.676  READ FPDMA QUEUED

Error 26 [5] occurred at disk power-on lifetime: 24990 hours (1041 days + 6 hours)
  After command completion occurred, registers were:
  ER -- ST COUNT  LBA_48  LH LM LL DV DC
  -- -- -- == -- == == == -- -- -- -- --
  84 -- 51 00 00 00 00 00 00 00 00 40 00  Error: ICRC, ABRT at LBA = 0x00000000 = 0

Error 25 [4] log entry is empty
SMART Extended Self-test Log Version: 1 (1 sectors)
Num  Test_Description    Status                  Remaining  LifeTime(hours)  LBA_of_first_error
# 1  Short offline       Self-test routine in progress 90%     25102         -
# 2  Extended offline    Completed: read failure       90%     24900         394116745
# 3  Short offline       Aborted by host               60%     24800         -
#10  Vendor (0xff)       Completed without error       00%         2         -
2 of 2 failed self-tests are outdated by newer successful extended offline self-test # 1

SMART Selective self-test log data structure revision number 1
    1        0        0  Not_testing

SCT Status Version:                  3
Current Temperature:                    35 Celsius
Specified Max Operating Temperature:    70 Celsius

Device Statistics (GP Log 0x04)
Page  Offset Size        Value Flags Description
0x01  =====  =               =  ===  == General Statistics (rev 1) ==
0x01  0x010  4           25102  ---  Power-on Hours
0x03  =====  =               =  ===  == Rotating Media Statistics (rev 1) ==
0x03  0x020  4            1040  --C  Number of Reallocated Logical Sectors
0x03  0x028  4               -  ---  Read Recovery Attempts
0x04  0x008  4              12  ---  Number of Reported Uncorrectable Errors
0x05  0x020  1              57  ---  Highest Temperature
0x05  0x028  1             -41  ---  Lowest Temperature
0x05  0x058  1              70  ---  Specified Maximum Operating Temperature
0x06  0x018  4               3  ---  Number of Interface CRC Errors
0x07  0x008  1               7  N--  Percentage Used Endurance Indicator
                                |||_ C monitored condition met

Pending Defects log (GP Log 0x0c)
Index                LBA    Hours
    0          394116745    25000
    1          394116746        -

SATA Phy Event Counters (GP Log 0x11)
ID      Size     Value  Description
0x0001  2            3  Command failed due to ICRC error
0x000a  2        65535+ Device-to-host register FISes sent due to a COMRESET

Seagate Field Access Reliability Metrics log (FARM) (GP Log 0xa6)
	FARM Log Page 1: Drive Information
		Serial Number: ZEX00001
		Power on Hours: 41000
		Spindle Power on Hours: 40990
	FARM Log Page 3: Error Statistics
		Unrecoverable Read Errors: 12
		Unrecoverable Write Errors: 0
		Number of Reallocated Sectors: 1040
		Number of Interface CRC Errors: 3

"#;

/// The same disk as JSON.
pub(super) const ATA_JSON: &str = r#"{"smartctl":{"version":[7,4],"messages":[{"string":"Warning: This result is based on an Attribute check.","severity":"warning"}]},
"device":{"protocol":"ATA"},"model_family":"Example NAS","model_name":"ST4000EX001-2DR166","serial_number":"ZEX00001","wwn":{"naa":5,"oui":3152,"id":2882400001},
"firmware_version":"SC60","user_capacity":{"bytes":4000787030016},"rotation_rate":5980,"smart_support":{"available":true,"enabled":true},
"interface_speed":{"max":{"units_per_second":60,"bits_per_unit":100000000},"current":{"units_per_second":30,"bits_per_unit":100000000}},
"power_mode":{"ata_value":255,"name":"ACTIVE or IDLE"},"smart_status":{"passed":true},"temperature":{"current":34,"op_limit_max":70},
"power_on_time":{"hours":25102},"power_cycle_count":44,
"ata_smart_data":{"self_test":{"status":{"value":249,"string":"in progress, 90% remaining","remaining_percent":90}}},
"ata_smart_attributes":{"table":[
{"id":1,"name":"Raw_Read_Error_Rate","value":83,"worst":64,"thresh":44,"when_failed":"","flags":{"prefailure":true},"raw":{"value":12884901965,"string":"12884901965"}},
{"id":5,"name":"Reallocated_Sector_Ct","value":1,"worst":1,"thresh":10,"when_failed":"now","flags":{"prefailure":true},"raw":{"value":1040,"string":"1040"}},
{"id":9,"name":"Power_On_Hours","value":72,"worst":72,"thresh":0,"when_failed":"","flags":{"prefailure":false},"raw":{"value":25102,"string":"25102"}},
{"id":12,"name":"Power_Cycle_Count","value":100,"worst":100,"thresh":20,"when_failed":"","flags":{"prefailure":false},"raw":{"value":44,"string":"44"}},
{"id":188,"name":"Command_Timeout","value":100,"worst":98,"thresh":0,"when_failed":"","flags":{"prefailure":false},"raw":{"value":94490722326,"string":"22 22 22"}},
{"id":190,"name":"Airflow_Temperature_Cel","value":66,"worst":40,"thresh":45,"when_failed":"past","flags":{"prefailure":false},"raw":{"value":34,"string":"34"}},
{"id":194,"name":"Temperature_Celsius","value":34,"worst":60,"when_failed":"","flags":{"prefailure":false},"raw":{"value":34,"string":"34"}},
{"id":197,"name":"Current_Pending_Sector","value":100,"worst":100,"thresh":0,"when_failed":"","flags":{"prefailure":false},"raw":{"value":2,"string":"2"}}]},
"ata_smart_error_log":{"extended":{"count":27,"logged_count":2,"table":[
{"error_number":27,"lifetime_hours":25000,"completion_registers":{"lba":394116745},"error_description":"Error: UNC at LBA = 0x177dbe89 = 394116745"},
{"error_number":26,"lifetime_hours":24990,"error_description":"Error: ICRC, ABRT at LBA = 0x00000000 = 0"}]}},
"ata_smart_self_test_log":{"extended":{"count":4,"table":[
{"type":{"value":1,"string":"Short offline"},"status":{"value":249,"string":"Self-test routine in progress"},"lifetime_hours":25102},
{"type":{"value":2,"string":"Extended offline"},"status":{"value":121,"string":"Completed: read failure","passed":false},"lifetime_hours":24900,"lba":394116745},
{"type":{"value":1,"string":"Short offline"},"status":{"value":22,"string":"Aborted by host"},"lifetime_hours":24800},
{"type":{"value":255,"string":"Vendor (0xff)"},"status":{"value":0,"string":"Completed without error","passed":true},"lifetime_hours":2}]}},
"ata_device_statistics":{"pages":[{"number":1,"table":[{"offset":16,"name":"Power-on Hours","value":25102,"flags":{"valid":true,"monitored_condition_met":false}}]},
{"number":3,"table":[{"offset":32,"name":"Number of Reallocated Logical Sectors","value":1040,"flags":{"valid":true,"monitored_condition_met":true}},
{"offset":40,"name":"Read Recovery Attempts","flags":{"valid":false,"monitored_condition_met":false}}]},
{"number":4,"table":[{"offset":8,"name":"Number of Reported Uncorrectable Errors","value":12,"flags":{"valid":true}}]},
{"number":5,"table":[{"offset":32,"name":"Highest Temperature","value":57},{"offset":40,"name":"Lowest Temperature","value":-41},{"offset":88,"name":"Specified Maximum Operating Temperature","value":70}]},
{"number":6,"table":[{"offset":24,"name":"Number of Interface CRC Errors","value":3}]},
{"number":7,"table":[{"offset":8,"name":"Percentage Used Endurance Indicator","value":7,"flags":{"valid":true,"normalized":true}}]}]},
"ata_pending_defects_log":{"size":65535,"count":2,"table":[{"lba":394116745,"power_on_hours":25000},{"lba":394116746}]},
"sata_phy_event_counters":{"table":[{"id":1,"name":"Command failed due to ICRC error","size":2,"value":3,"overflow":false},{"id":10,"name":"COMRESET","size":2,"value":65535,"overflow":true}]},
"seagate_farm_log":{"page_1_drive_information":{"poh":41000,"spoh":40990},"page_3_error_statistics":{"number_of_unrecoverable_read_errors":12,"number_of_unrecoverable_write_errors":0,"number_of_reallocated_sectors":1040,"total_crc_errors":3}}}"#;

/// An NVMe drive, thousands separated by commas.
pub(super) const NVME: &str = r#"smartctl 7.5 2025-04-30 r5714 [x86_64-linux-5.10.60-qnap] (local build)

=== START OF INFORMATION SECTION ===
Model Number:                       EXAMPLE NV512
Serial Number:                      NEX00001
Firmware Version:                   2B2Q
NVMe Version:                       1.4
Total NVM Capacity:                 512,110,190,592 [512 GB]
Namespace 1 Size/Capacity:          512,110,190,592 [512 GB]
Namespace 1 IEEE EUI-64:            002538 5791b4f537
Warning  Comp. Temp. Threshold:     81 Celsius
Critical Comp. Temp. Threshold:     85 Celsius

=== START OF SMART DATA SECTION ===
SMART overall-health self-assessment test result: FAILED!
- NVM subsystem reliability has been degraded

SMART/Health Information (NVMe Log 0x02, NSID 0xffffffff)
Critical Warning:                   0x04
Temperature:                        53 Celsius
Available Spare:                    100%
Available Spare Threshold:          5%
Percentage Used:                    110%
Data Units Read:                    17,084,042 [8.74 TB]
Data Units Written:                 34,995,823 [17.9 TB]
Host Read Commands:                 255,558,551
Host Write Commands:                1,434,641,008
Controller Busy Time:               13,997
Power Cycles:                       1,100
Power On Hours:                     2,921
Unsafe Shutdowns:                   52
Media and Data Integrity Errors:    2,137
Error Information Log Entries:      62
Warning  Comp. Temperature Time:    12
Critical Comp. Temperature Time:    0
Temperature Sensor 1:               53 Celsius
Temperature Sensor 3:               55 Celsius

Error Information (NVMe Log 0x01, 16 of 64 entries)
Num   ErrCount  SQId   CmdId  Status  PELoc          LBA  NSID    VS  Message
  0         62     1  0x0010  0x4502  0x000    394116745     1     -  Unrecovered Read Error
  1         61     0  0x500f  0x4004  0x028            0     0     -  Invalid Field in Command

Self-test Log (NVMe Log 0x06, NSID 0xffffffff)
Self-test status: Short self-test in progress (30% completed)
Num  Test_Description  Status                       Power_on_Hours  Failing_LBA  NSID Seg SCT Code
 0   Extended          Completed: failed segments             2900    394116745     1   2   -    -
 1   Short             Aborted: Controller Reset              2049            -     -   -   -    -

"#;

/// The same drive as JSON.
pub(super) const NVME_JSON: &str = r#"{"smartctl":{"version":[7,5]},"device":{"protocol":"NVMe"},
"model_name":"EXAMPLE NV512","serial_number":"NEX00001","firmware_version":"2B2Q","user_capacity":{"bytes":512110190592},"nvme_total_capacity":512110190592,
"nvme_namespaces":[{"id":1,"eui64":{"oui":9528,"ext_id":376106710327}}],"nvme_composite_temperature_threshold":{"warning":81,"critical":85},
"smart_status":{"passed":false,"nvme":{"value":4}},"temperature":{"current":53},"power_on_time":{"hours":2921},"power_cycle_count":1100,
"nvme_smart_health_information_log":{"nsid":-1,"critical_warning":4,"temperature":53,"available_spare":100,"available_spare_threshold":5,"percentage_used":110,
"data_units_read":17084042,"data_units_written":34995823,"host_reads":255558551,"host_writes":1434641008,"controller_busy_time":13997,"power_cycles":1100,"power_on_hours":2921,
"unsafe_shutdowns":52,"media_errors":2137,"num_err_log_entries":62,"warning_temp_time":12,"critical_comp_time":0,"temperature_sensors":[53,null,55]},
"nvme_error_information_log":{"table":[{"error_count":62,"status_field":{"value":641,"status_code_type":2,"status_code":129},"lba":{"value":394116745},"nsid":1},
{"error_count":61,"status_field":{"value":8194,"status_code_type":0,"status_code":2},"lba":{"value":0},"nsid":0}]},
"nvme_self_test_log":{"current_self_test_operation":{"value":1,"string":"Short self-test in progress (30% completed)"},
"table":[{"self_test_code":{"string":"Extended"},"self_test_result":{"value":7,"string":"Completed: failed segments"},"power_on_hours":2900,"lba":394116745},null,
{"self_test_code":{"string":"Short"},"self_test_result":{"value":2,"string":"Aborted: Controller Reset"},"power_on_hours":2049}]}}"#;

/// A SAS disk.
pub(super) const SCSI: &str = r#"smartctl 7.4 2023-08-01 r5530 [x86_64-linux-5.10.60-qnap] (local build)

=== START OF INFORMATION SECTION ===
Vendor:               EXAMPLE
Product:              SAS4000
Revision:             A1B2
User Capacity:        4,000,787,030,016 bytes [4.00 TB]
Rotation Rate:        7202 rpm
Logical Unit id:      0x5000c500abcdef01
Serial number:        SEX00001
Transport protocol:   SAS (SPL-4)
SMART support is:     Available - device has SMART capability.
SMART support is:     Enabled

=== START OF READ SMART DATA SECTION ===
SMART Health Status: FAILURE PREDICTION THRESHOLD EXCEEDED [asc=5d, ascq=10]

Percentage used endurance indicator: 3%
Current Drive Temperature:     33 C
Drive Trip Temperature:        65 C

Accumulated power on time, hours:minutes 12345:06
Manufactured in week 35 of year 2019
Specified cycle count over device lifetime:  50000
Accumulated start-stop cycles:  220
Specified load-unload count over device lifetime:  600000
Accumulated load-unload cycles:  1606
Elements in grown defect list: 260

Error counter log:
           Errors Corrected by           Total   Correction     Gigabytes    Total
read:   5330255        1        41   5330297    5332649      11523.849           1
write:         0        0      1973      1973     128473      11151.772         535
verify:        0        0         0         0          0       1467.278           0

Non-medium error count:        7

  Pending defect count:2 Pending Defects: index, LBA and accumulated_power_on_hours follow
     1:  0x177dbe89        ,  12300
     2:  0x177dbe8a        ,  12301
SMART Self-test log
Num  Test              Status                 segment  LifeTime  LBA_first_err [SK ASC ASQ]
     Description                              number   (hours)
# 1  Background long   Completed                   -   12340                 - [-   -    -]
# 2  Background short  Failed in segment -->       3     900         394116745 [0x3 0x11 0x0]
# 3  Background short  Aborted (device reset ?)    -      80                 - [-   -    -]

Long (extended) Self-test duration: 80400 seconds [22.3 hours]

Background scan results log
  Status: waiting until BMS interval timer expires
    Accumulated power on time, hours:minutes 12345:06 [740706 minutes]
    Number of background scans performed: 12,  scan progress: 0.00%
    Number of background medium scans performed: 11

   #  when        lba(hex)    [sk,asc,ascq]    reassign_status
   1 12300:07  00000000177dbe89  [3,11,0]   Require Write or Reassign Blocks command
   2 12301:00  00000000177dbe90  [1,17,1]   Recovered via rewrite in-place

"#;

/// The same disk as JSON.
pub(super) const SCSI_JSON: &str = r#"{"smartctl":{"version":[7,4]},"device":{"protocol":"SCSI"},"scsi_vendor":"EXAMPLE","scsi_product":"SAS4000","scsi_revision":"A1B2",
"user_capacity":{"bytes":4000787030016},"rotation_rate":7202,"logical_unit_id":"0x5000c500abcdef01","serial_number":"SEX00001","smart_support":{"available":true,"enabled":true},
"smart_status":{"passed":false,"scsi":{"asc":93,"ascq":16,"ie_string":"FAILURE PREDICTION THRESHOLD EXCEEDED"}},"scsi_percentage_used_endurance_indicator":3,
"temperature":{"current":33,"drive_trip":65},"power_on_time":{"hours":12345,"minutes":6},
"scsi_start_stop_cycle_counter":{"specified_cycle_count_over_device_lifetime":50000,"accumulated_start_stop_cycles":220,"specified_load_unload_count_over_device_lifetime":600000,"accumulated_load_unload_cycles":1606},
"scsi_grown_defect_list":260,"scsi_error_counter_log":{"read":{"gigabytes_processed":"11523.849","total_uncorrected_errors":1},"write":{"total_uncorrected_errors":535},"verify":{"total_uncorrected_errors":0}},
"scsi_non_medium_error_count":7,"scsi_pending_defects":{"count":2,"1":{"LBA":394116745,"accum_power_on_hours":12300},"2":{"LBA":394116746,"accum_power_on_hours":12301}},
"scsi_self_test_0":{"code":{"value":2,"string":"Background long"},"result":{"value":0,"string":"Completed"},"power_on_time":{"hours":12340}},
"scsi_self_test_1":{"code":{"value":1,"string":"Background short"},"result":{"value":7,"string":"Failed in segment"},"power_on_time":{"hours":900},"lba_first_failure":{"value":394116745}},
"scsi_self_test_2":{"code":{"value":1,"string":"Background short"},"result":{"value":2,"string":"Aborted (device reset ?)"},"power_on_time":{"hours":80}},
"scsi_background_scan":{"status":{"value":8,"number_medium_scans_performed":11},
"result_1":{"accumulated_power_on":{"minutes":738007},"lba":394116745,"sense_key":{"value":3},"asc":17,"ascq":0,"reassign_status":{"value":1}},
"result_2":{"accumulated_power_on":{"minutes":738060},"lba":394116752,"sense_key":{"value":1},"asc":23,"ascq":1,"reassign_status":{"value":5}}}}"#;
