#include "cli/get_progress.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIRST_SHOWN (500 * HERALD_MILLISECOND)
#define INTERVAL    (200 * HERALD_MILLISECOND)
#define BAR_WIDTH   30

void get_progress_size(uint64_t bytes, char text[32])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    if (unit == 0)
        snprintf(text, 32, "%" PRIu64 " %s", bytes, bytes == 1 ? "byte" : "bytes");
    else
        snprintf(text, 32, "%.1f %s", value, units[unit]);
}

static void write_line(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

static void draw_bar(const struct get_progress *progress, char *bar)
{
    size_t filled = (size_t)((double)progress->done / (double)progress->total * BAR_WIDTH);

    for (size_t i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_WIDTH] = 0;
}

static void draw(struct get_progress *progress, herald_time now)
{
    double seconds = (double)(now - progress->started) / (double)HERALD_SECOND;
    double rate = seconds > 0 ? (double)progress->done / seconds : 0;
    char done[32], total[32], speed[32], bar[BAR_WIDTH + 1], line[256];

    get_progress_size(progress->done, done);
    get_progress_size((uint64_t)rate, speed);
    if (progress->total == 0 || progress->total == UINT64_MAX || progress->done > progress->total) {
        snprintf(line, sizeof(line), "\r\033[K%s, %s/s", done, speed);
    } else {
        double left = rate > 0 ? (double)(progress->total - progress->done) / rate : 0;
        get_progress_size(progress->total, total);
        draw_bar(progress, bar);
        snprintf(line, sizeof(line), "\r\033[K[%s] %3.0f%% of %s, %s/s, %.0f s left", bar,
                 (double)progress->done / (double)progress->total * 100, total, speed, left);
    }
    write_line(line);
    progress->shown = true;
}

static void expired(struct loop_timer *timer, herald_time now)
{
    struct get_progress *progress = CONTAINER_OF(timer, struct get_progress, timer);

    draw(progress, now);
    (void)loop_timer_set(progress->loop, timer, now + INTERVAL);
}

void get_progress_init(struct get_progress *progress, struct loop *loop, bool wanted)
{
    *progress = (struct get_progress){.loop = loop, .timer = {.expired = expired}};
    progress->enabled = wanted && isatty(STDERR_FILENO) == 1;
}

void get_progress_expect(struct get_progress *progress, uint64_t length)
{
    if (length == UINT64_MAX)
        progress->total = UINT64_MAX;
    else if (progress->total != UINT64_MAX)
        progress->total += length;
}

void get_progress_add(struct get_progress *progress, uint64_t length)
{
    progress->done += length;
    if (!progress->enabled || progress->started != 0)
        return;
    progress->started = loop_now(progress->loop);
    (void)loop_timer_set(progress->loop, &progress->timer, progress->started + FIRST_SHOWN);
}

void get_progress_hide(struct get_progress *progress)
{
    if (progress->shown)
        write_line("\r\033[K");
    progress->shown = false;
}

void get_progress_end(struct get_progress *progress)
{
    get_progress_hide(progress);
    loop_timer_stop(progress->loop, &progress->timer);
    progress->enabled = false;
}
