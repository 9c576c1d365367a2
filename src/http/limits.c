#include "http/limits.h"

#define KIB 1024u
#define MIB (1024u * KIB)

const struct limits limits_default = {
    .field_list_size = 64 * KIB,
    .field_count = 256,
    .trailer_count = 32,
    .trailer_size = 8 * KIB,
    .request_line_size = 8 * KIB,
    .method_size = 32,
    .informational_count = 100,
    .drain_size = MIB,

    .body_in_buffer = 64 * KIB,
    .body_out_buffer = 64 * KIB,
    /* Above the largest connection window, so that a peer which keeps to its credit never hits it.
     */
    .connection_memory = 24 * MIB,
    .connection_memory_soft = MIB,

    .head_timeout = 10 * HERALD_SECOND,
    .idle_timeout = 60 * HERALD_SECOND,
    .body_grace = 20 * HERALD_SECOND,
    .body_rate = 500,
    .stall_grace = 10 * HERALD_SECOND,
    .stall_rate = 500,
    .stall_timeout = 60 * HERALD_SECOND,
    .stall_progress = 16 * KIB,
    .connection_age = 3600 * HERALD_SECOND,
    .requests = 0,

    .pipeline_depth = 0,
    .chunk_extension_size = 256,
    .chunk_extension_total = 16 * KIB,

    .concurrent_streams = 100,
    .stream_window = 65535,
    .connection_window = MIB,
    .stream_window_maximum = 8 * MIB,
    .connection_window_maximum = 16 * MIB,
    .frame_size = 16 * KIB,
    .header_table_size = 4 * KIB,
    .field_memory = MIB,
    .continuation_count = 8,
    .settings_entries = 32,
    .control_frames_queued = 1000,
    .control_bytes_queued = 64 * KIB,
    .reset_burst = 200,
    .reset_rate = 33,
    .glitch_burst = 10000,
    .glitch_rate = 330,
    .empty_data_frames = 100,
    .small_data_budget = 25600,
    .overhead_ratio = 8,
    .overhead_free = MIB,
    .window_update_burst = 5,
    .priority_burst = 100,
    .pushes_concurrent = 32,
};
