/* The threads' side. */
#include "gateway/job.h"

#include <stdlib.h>

void gateway_command_free(struct gateway_command *command)
{
    list_remove(&command->node);
    arena_free(&command->arena);
    free(command);
}

void gateway_job_drop_commands(struct gateway_job *job)
{
    LIST_FOR_EACH_SAFE(node, following, &job->commands)
    gateway_command_free(CONTAINER_OF(node, struct gateway_command, node));
    job->queued = 0;
}

static struct gateway_command *command_new(enum gateway_command_kind kind, struct span data)
{
    struct gateway_command *command = calloc(1, sizeof *command + data.length);
    if (command == NULL)
        return NULL;
    command->kind = kind;
    command->length = data.length;
    if (data.length > 0)
        memcpy(command->data, data.data, data.length);
    arena_init(&command->arena, 0, NULL);
    list_init(&command->node);
    return command;
}

/* Takes the command; returns 0 or HERALD_ERROR_CLOSED. */
static int job_submit(struct gateway_job *job, struct gateway_command *command)
{
    struct gateway *gateway = job->gateway;
    int result = 0;
    pthread_mutex_lock(&gateway->mutex);
    if (job->closed) {
        gateway_command_free(command);
        result = HERALD_ERROR_CLOSED;
    } else {
        list_append(&job->commands, &command->node);
        job->queued += command->length;
        gateway_mark_dirty(job);
    }
    pthread_mutex_unlock(&gateway->mutex);
    return result;
}

static int submit_head(struct gateway_job *job, enum gateway_command_kind kind, unsigned status,
                       const struct field *fields, size_t count, uint64_t content_length)
{
    struct gateway_command *command = command_new(kind, SPAN_EMPTY);
    if (command == NULL)
        return HERALD_ERROR_NOMEM;
    command->status = status;
    command->content_length = content_length;
    for (size_t i = 0; i < count; i++) {
        int code = fields_add_copy(&command->fields, &command->arena, fields[i]);
        if (code < 0) {
            gateway_command_free(command);
            return code;
        }
    }
    return job_submit(job, command);
}

int gateway_job_inform(struct gateway_job *job, unsigned status, const struct field *fields,
                       size_t count)
{
    return submit_head(job, COMMAND_INFORM, status, fields, count, CONTENT_LENGTH_UNKNOWN);
}

int gateway_job_respond(struct gateway_job *job, unsigned status, const struct field *fields,
                        size_t count, uint64_t content_length)
{
    return submit_head(job, COMMAND_RESPOND, status, fields, count, content_length);
}

int gateway_job_write(struct gateway_job *job, struct span data)
{
    struct gateway *gateway = job->gateway;
    if (data.length == 0)
        return 0;
    pthread_mutex_lock(&gateway->mutex);
    while (!job->closed && job->queued >= gateway->options.buffer_maximum)
        pthread_cond_wait(&job->changed, &gateway->mutex);
    pthread_mutex_unlock(&gateway->mutex);
    struct gateway_command *command = command_new(COMMAND_WRITE, data);
    return command == NULL ? HERALD_ERROR_NOMEM : job_submit(job, command);
}

int gateway_job_finish(struct gateway_job *job, int reason)
{
    struct gateway_command *command = command_new(COMMAND_FINISH, SPAN_EMPTY);
    if (command == NULL)
        return HERALD_ERROR_NOMEM;
    command->reason = reason;
    return job_submit(job, command);
}

int64_t gateway_job_read(struct gateway_job *job, uint8_t *destination, size_t capacity)
{
    struct gateway *gateway = job->gateway;
    int64_t result = 0;
    pthread_mutex_lock(&gateway->mutex);
    while (buf_length(&job->input) == 0 && !job->input_ended && !job->closed)
        pthread_cond_wait(&job->changed, &gateway->mutex);
    struct span ready = span_slice(buf_span(&job->input), 0, capacity);
    if (ready.length > 0) {
        memcpy(destination, ready.data, ready.length);
        buf_consume(&job->input, ready.length);
        result = (int64_t)ready.length;
        if (!job->input_ended)
            gateway_mark_dirty(job);
    } else if (!job->input_ended) {
        result = HERALD_ERROR_CLOSED;
    }
    pthread_mutex_unlock(&gateway->mutex);
    return result;
}

const struct exchange *gateway_job_exchange(const struct gateway_job *job)
{
    return job->exchange;
}

const struct gateway_endpoints *gateway_job_endpoints(const struct gateway_job *job)
{
    return &job->endpoints;
}

void gateway_job_done(struct gateway_job *job)
{
    struct gateway *gateway = job->gateway;
    pthread_mutex_lock(&gateway->mutex);
    job->done = true;
    gateway_mark_dirty(job);
    pthread_mutex_unlock(&gateway->mutex);
}

struct gateway_job *gateway_take(struct gateway *gateway)
{
    struct gateway_job *job = NULL;
    pthread_mutex_lock(&gateway->mutex);
    while (list_is_empty(&gateway->waiting) && !gateway->closed)
        pthread_cond_wait(&gateway->available, &gateway->mutex);
    struct list *node = list_first(&gateway->waiting);
    if (node != NULL) {
        list_remove(node);
        gateway->waiting_count--;
        job = CONTAINER_OF(node, struct gateway_job, node);
    }
    pthread_mutex_unlock(&gateway->mutex);
    return job;
}
