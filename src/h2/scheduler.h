/* Which stream may send next: one scheduler a connection, for both priority schemes of HTTP/2. It
 * sees ids, priorities and byte counts, never a frame.
 *
 * H2_SCHEDULE_URGENCY, the scheme of RFC 9218, is the default. Levels are strict: nothing of a
 * level is sent while a more urgent one has a ready stream. Within a level incremental streams take
 * turns; the others are sent one at a time in the order of their ids, and together count as one
 * more turn, so neither kind starves the other.
 *
 * H2_SCHEDULE_TREE, the scheme of RFC 7540 section 5.3: a stream sends only when none of its
 * ancestors can; siblings share in proportion to their weights, to within one charge each, counted
 * in bytes.
 *
 * The tree takes over with the first dependency that the client sends (PRIORITY, or the priority
 * flag of HEADERS), unless SETTINGS_NO_RFC7540_PRIORITIES forbade it. A change of scheme keeps
 * every stream and every priority given.
 *
 * Bounds: beside the open streams at most H2_SCHEDULE_PLACEHOLDERS idle or closed ones are
 * remembered; of closed ones the oldest is dropped first, then of idle ones, which clients use to
 * group their streams; the tree is at most H2_SCHEDULE_DEPTH deep. Cycles cannot arise. Costs:
 * urgency O(log n); tree O(depth * log n), and O(n) for a change of dependency. */
#ifndef H2_SCHEDULER_H
#define H2_SCHEDULER_H

#include "base/account.h"
#include "h2/priority_tree.h"
#include "h2/urgency.h"

#define H2_SCHEDULE_PLACEHOLDERS    32
#define H2_SCHEDULE_DEFAULT_URGENCY 3  /* RFC 9218 section 4.1 */
#define H2_SCHEDULE_DEFAULT_WEIGHT  16 /* RFC 7540 section 5.3.5 */

enum h2_schedule_mode { H2_SCHEDULE_URGENCY, H2_SCHEDULE_TREE };

/* RFC 7540 section 5.3. */
struct h2_dependency {
    uint32_t parent; /* 0: the root; an id never heard of counts as the root with the default weight
                        (5.3.1) */
    uint16_t weight; /* 1 to 256: what the frame says plus one */
    bool exclusive;
};

/* RFC 9218 section 4. */
struct h2_urgency {
    uint8_t urgency; /* 0, the most urgent, to 7 */
    bool incremental;
};

/* Part of a stream, at an address that does not change while it is inserted; all zero before. `id`,
 * `urgency` and `inserted` may be read, the rest is the scheduler's. */
struct h2_schedule_node {
    uint32_t id;
    struct h2_urgency urgency;
    bool behind;
    bool ready;
    bool inserted;
    bool closed;  /* of a placeholder: its stream was open once */
    uint32_t age; /* of a placeholder */
    struct h2_tree_node tree;
    struct h2_level_node level;
};

/* Finds an open stream's node, or NULL. */
typedef struct h2_schedule_node *h2_schedule_find(void *user, uint32_t id);

struct h2_scheduler {
    enum h2_schedule_mode mode;
    bool tree_refused;
    struct h2_levels levels;
    struct h2_tree_node root;
    struct h2_schedule_node *placeholders; /* H2_SCHEDULE_PLACEHOLDERS, once the first is needed */
    uint32_t next_age;
    uint32_t count; /* nodes inserted */
    h2_schedule_find *find;
    void *user;
    struct account *account;
};

/* `find` is called only when a dependency or an urgency is given by id. `account` may be NULL.
 * Allocates nothing yet. */
void h2_scheduler_init(struct h2_scheduler *scheduler, h2_schedule_find *find, void *user,
                       struct account *account);

/* Nodes still inserted are forgotten; they may not be used with this scheduler again. */
void h2_scheduler_free(struct h2_scheduler *scheduler);

/* A stream opens, not ready. A priority that came for its id before (PRIORITY or PRIORITY_UPDATE on
 * an idle stream) applies; otherwise it has the defaults. `promised_by` is 0 for a requested
 * stream; for a pushed one the stream it was promised on, whose child it becomes in the tree.
 * `behind`: it waits for all requested streams of its urgency (what a pushed stream should do
 * unless the application asked otherwise). Never fails. */
void h2_scheduler_insert(struct h2_scheduler *scheduler, struct h2_schedule_node *node, uint32_t id,
                         uint32_t promised_by, bool behind);

/* The stream is closed. In the tree its place is kept by a placeholder (RFC 7540 section 5.3.4);
 * when that is dropped or there was no memory for one its children move up to its parent and share
 * its weight. A node not inserted is left alone. */
void h2_scheduler_remove(struct h2_scheduler *scheduler, struct h2_schedule_node *node);

/* The client gave stream `id` (open, idle or closed) a dependency; `id` itself as the parent is the
 * caller's error to report and is ignored here. Moving a stream below its own descendant first
 * moves that descendant up to the stream's old parent (section 5.3.3). A dependency that would make
 * the tree too deep is replaced by one on the root. Switches to the tree; when that is refused
 * nothing happens. Returns 0, HERALD_ERROR_NOMEM or HERALD_ERROR_LIMIT (the account's): no place
 * for an idle or closed stream, nothing was changed. */
int h2_scheduler_set_dependency(struct h2_scheduler *scheduler, uint32_t id,
                                const struct h2_dependency *dependency);

/* Stream `id` got an urgency by field or PRIORITY_UPDATE; for an idle stream it is kept until it
 * opens, subject to the bound above. Never call it for a closed stream. An urgency over 7 counts
 * as 7. Returns as above. */
int h2_scheduler_set_urgency(struct h2_scheduler *scheduler, uint32_t id,
                             const struct h2_urgency *urgency);

/* Whether `node` waits for its urgency's requested streams, when that changes after the insertion.
 */
void h2_scheduler_set_behind(struct h2_scheduler *scheduler, struct h2_schedule_node *node,
                             bool behind);

/* SETTINGS_NO_RFC7540_PRIORITIES = 1 arrived: dependencies are ignored from now on. */
void h2_scheduler_refuse_tree(struct h2_scheduler *scheduler);

/* For a caller that knows better than the rule above. */
void h2_scheduler_set_mode(struct h2_scheduler *scheduler, enum h2_schedule_mode mode);

/* Ready: the stream has something to send and its own window lets it. May be repeated. */
void h2_scheduler_set_ready(struct h2_scheduler *scheduler, struct h2_schedule_node *node,
                            bool ready);

/* The ready node that should send now, or NULL. Changes nothing: the same answer until something is
 * charged or changed. */
struct h2_schedule_node *h2_scheduler_next(const struct h2_scheduler *scheduler);

/* `node`, just sent from, used `bytes` of the connection; 0 counts as a turn where turns are taken.
 * Whether it is still ready is said by h2_scheduler_set_ready, before or after. */
void h2_scheduler_charge(struct h2_scheduler *scheduler, struct h2_schedule_node *node,
                         size_t bytes);

#endif
