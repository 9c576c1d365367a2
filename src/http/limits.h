/* Every limit a connection obeys, with its default. The reasons are in docs/internals/limits.md. */
#ifndef HTTP_LIMITS_H
#define HTTP_LIMITS_H

#include "base/time.h"
#include <stddef.h>
#include <stdint.h>

struct limits {
    /* messages */
    uint32_t field_list_size; /* bytes, name + value + 32 a field: 431 over it */
    uint32_t field_count;     /* of a head, cookie crumbs included */
    uint32_t trailer_count;
    uint32_t trailer_size;
    uint32_t request_line_size; /* 414 over it */
    uint32_t method_size;
    uint32_t informational_count; /* 1xx a response, both ways */
    uint64_t
        drain_size; /* unread request body taken after the response, to keep a connection; bytes */
    /* buffers */
    uint32_t body_in_buffer;  /* bytes of a body held for a handler that does not read */
    uint32_t body_out_buffer; /* high-water mark of a body held for a peer that does not read */
    size_t connection_memory; /* account of a connection, TLS excluded: allocations fail over it */
    size_t connection_memory_soft; /* over it an exchange has room only while it has nearly nothing
                                      queued, so that many streams share the memory */
    /* time, nanoseconds */
    herald_time head_timeout;  /* from the first byte of a head, or from accept, to its end */
    herald_time idle_timeout;  /* keep-alive */
    herald_time body_grace;    /* before body_rate is enforced */
    uint32_t body_rate;        /* bytes a second, request bodies */
    herald_time stall_grace;   /* response ready, peer takes nothing */
    uint32_t stall_rate;       /* bytes a second averaged after the grace */
    herald_time stall_timeout; /* hard cap without stall_progress bytes */
    uint32_t stall_progress;
    herald_time connection_age; /* graceful close after it; jitter is the caller's */
    uint64_t requests;          /* a connection; 0: no limit */
    /* HTTP/1.1 */
    uint32_t pipeline_depth; /* heads parsed ahead of the response being sent: 0, one at a time */
    uint32_t chunk_extension_size, chunk_extension_total;
    /* HTTP/2 */
    uint32_t concurrent_streams;
    uint32_t stream_window, connection_window; /* first receive windows, bytes */
    uint32_t stream_window_maximum,
        connection_window_maximum; /* growth by bandwidth-delay product stops here */
    uint32_t frame_size;           /* SETTINGS_MAX_FRAME_SIZE we announce */
    uint32_t header_table_size;    /* both ways */
    uint32_t field_memory; /* bytes that the fields of a connection's requests take in all: further
                              requests are refused */
    uint32_t continuation_count;
    uint32_t settings_entries;
    uint32_t control_frames_queued;
    uint32_t control_bytes_queued;
    uint32_t reset_burst, reset_rate; /* bucket, refill a second */
    uint32_t glitch_burst, glitch_rate;
    uint32_t empty_data_frames;
    uint32_t small_data_budget; /* bytes; see H2-17 in the attack catalogue */
    uint32_t overhead_ratio; /* bytes received a byte of content, once over overhead_free; 0: off */
    uint32_t overhead_free;  /* bytes */
    uint32_t window_update_burst; /* WINDOW_UPDATEs beyond what streams and DATA sent account for */
    uint32_t priority_burst;      /* PRIORITY and PRIORITY_UPDATE frames a stream, and at first */
    uint32_t pushes_concurrent;   /* streams this side has promised and not finished */
};

/* The defaults; what a server starts from. */
extern const struct limits limits_default;

#endif
