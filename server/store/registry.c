/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/registry.h"

#include "server/store/store_arrived.h"
#include "server/store/store_audit.h"
#include "server/store/store_checkpoint.h"
#include "server/store/store_driver_files.h"
#include "server/store/store_drivers.h"
#include "server/store/store_enroll.h"
#include "server/store/store_facts.h"
#include "server/store/store_faults.h"
#include "server/store/store_findings.h"
#include "server/store/store_fix.h"
#include "server/store/store_fleet.h"
#include "server/store/store_host_reads.h"
#include "server/store/store_known.h"
#include "server/store/store_mutes.h"
#include "server/store/store_notify.h"
#include "server/store/store_rollups.h"
#include "server/store/store_server.h"
#include "server/store/store_tag_hours.h"
#include "server/store/store_tags.h"
#include "server/store/store_tokens.h"
#include "server/store/store_users.h"

const struct stmt_table *const store_registry[] = {
    &migrate_statements,
    &partition_statements,
    &store_arrived_statements,
    &store_audit_statements,
    &store_blocks_statements,
    &store_checkpoint_statements,
    &store_driver_files_statements,
    &store_drivers_statements,
    &store_enroll_statements,
    &store_facts_statements,
    &store_faults_statements,
    &store_findings_apply_statements,
    &store_findings_patch_statements,
    &store_findings_statements,
    &store_history_statements,
    &store_host_reads_statements,
    &store_fix_statements,
    &store_fleet_statements,
    &store_hosts_statements,
    &store_ingest_statements,
    &store_known_statements,
    &store_load_statements,
    &store_mutes_statements,
    &store_notify_send_statements,
    &store_notify_statements,
    &store_rollups_statements,
    &store_seal_statements,
    &store_series_statements,
    &store_server_statements,
    &store_snapshots_statements,
    &store_tag_hours_statements,
    &store_tags_statements,
    &store_tokens_statements,
    &store_users_statements,
    NULL,
};
