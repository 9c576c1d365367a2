#include "support/check.h"

#include "server/file_cache.h"
#include "support/failmalloc.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static struct file_root root;
static struct file_cache *cache;

#define START HERALD_SECOND

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The same, and lets the file's time become past. */
static void write_settled(const char *name, const char *text)
{
    struct file *file;
    write_file(name, text);
    assert_int_equal(file_open(&root, name, &file), FILE_FOUND);
    while (!file_is_settled(file))
        usleep(1000);
    file_release(file);
}

static void just_written_files_are_not_kept(void **state)
{
    (void)state;
    struct file *file;
    write_file("fresh.txt", "one");
    assert_int_equal(file_cache_open(cache, "fresh.txt", START, &file), FILE_FOUND);
    assert_null(file->content);
    assert_int_equal(file->references, 1);
    file_release(file);
}

/* What the cache gives for `name`: the file's bytes, as a response would send them. */
static const char *content(const char *name, herald_time now)
{
    static char text[64];
    struct file *file;
    if (file_cache_open(cache, name, now, &file) != FILE_FOUND)
        return NULL;
    assert_true(file->size < sizeof(text));
    memset(text, 0, sizeof(text));
    if (file->content != NULL)
        memcpy(text, file->content, (size_t)file->size);
    else if (file->size > 0)
        assert_int_equal(pread(file->descriptor, text, (size_t)file->size, 0), file->size);
    file_release(file);
    return text;
}

static void hits_share_one_file(void **state)
{
    (void)state;
    struct file *first, *second;
    write_settled("a.txt", "one");
    assert_int_equal(file_cache_open(cache, "a.txt", START, &first), FILE_FOUND);
    assert_int_equal(file_cache_open(cache, "a.txt", START + 1, &second), FILE_FOUND);
    assert_ptr_equal(first, second);
    assert_non_null(first->content);
    file_release(first);
    file_release(second);
}

static void what_is_written_is_seen_in_the_next_turn(void **state)
{
    (void)state;
    write_settled("a.txt", "one");
    assert_string_equal(content("a.txt", START), "one");
    write_file("a.txt", "two!");
    assert_string_equal(content("a.txt", START + 1), "two!");
}

static void a_replaced_file_is_seen_in_the_next_turn(void **state)
{
    (void)state;
    write_settled("a.txt", "one");
    assert_string_equal(content("a.txt", START), "one");
    write_file("new.txt", "two");
    assert_int_equal(rename("new.txt", "a.txt"), 0);
    assert_string_equal(content("a.txt", START + 1), "two");
    assert_int_equal(unlink("a.txt"), 0);
    assert_null(content("a.txt", START + 2));
}

static void within_a_turn_the_version_stays(void **state)
{
    (void)state;
    write_settled("a.txt", "one");
    assert_string_equal(content("a.txt", START), "one");
    write_file("a.txt", "two!");
    assert_string_equal(content("a.txt", START), "one");
}

static void a_version_in_use_stays_whole(void **state)
{
    (void)state;
    struct file *file;
    write_settled("a.txt", "one");
    assert_int_equal(file_cache_open(cache, "a.txt", START, &file), FILE_FOUND);
    write_file("a.txt", "two!");
    assert_string_equal(content("a.txt", START + 1), "two!");
    assert_memory_equal(file->content, "one", 3);
    file_release(file);
}

static void a_link_on_the_way_is_seen_after_a_while(void **state)
{
    (void)state;
    mkdir("old", 0755);
    mkdir("new", 0755);
    write_settled("old/a.txt", "old");
    write_settled("new/a.txt", "new");
    unlink("now");
    assert_int_equal(symlink("old", "now"), 0);
    assert_string_equal(content("now/a.txt", START), "old");
    unlink("now");
    assert_int_equal(symlink("new", "now"), 0);
    assert_string_equal(content("now/a.txt", START + FILE_CACHE_AGE), "new");
}

static void a_change_of_permissions_opens_again(void **state)
{
    (void)state;
    struct file *before, *after;
    write_settled("a.txt", "one");
    assert_int_equal(file_cache_open(cache, "a.txt", START, &before), FILE_FOUND);
    assert_int_equal(chmod("a.txt", 0), 0);
    enum file_result result = file_cache_open(cache, "a.txt", START + 1, &after);
    /* The superuser may read it all the same. */
    if (geteuid() == 0)
        assert_ptr_not_equal(before, after);
    else
        assert_int_equal(result, FILE_FORBIDDEN);
    if (result == FILE_FOUND)
        file_release(after);
    file_release(before);
    assert_int_equal(chmod("a.txt", 0644), 0);
}

static void empty_and_large_files_have_no_content_in_memory(void **state)
{
    (void)state;
    struct file *file;
    write_file("empty.txt", "");
    assert_int_equal(file_cache_open(cache, "empty.txt", START, &file), FILE_FOUND);
    assert_null(file->content);
    file_release(file);
    write_file("large.txt", "");
    assert_int_equal(truncate("large.txt", FILE_CONTENT_MAXIMUM + 1), 0);
    assert_int_equal(file_cache_open(cache, "large.txt", START, &file), FILE_FOUND);
    assert_null(file->content);
    file_release(file);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int i = 0; i < 1024; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static void descriptors_have_a_maximum(void **state)
{
    (void)state;
    unsigned before = open_descriptors();
    char name[32];
    for (int i = 0; i < FILE_CACHE_ENTRIES + 20; i++) {
        snprintf(name, sizeof(name), "many-%d.txt", i);
        write_file(name, name);
    }
    write_settled("last.txt", "last");
    for (int i = 0; i < FILE_CACHE_ENTRIES + 20; i++) {
        snprintf(name, sizeof(name), "many-%d.txt", i);
        assert_string_equal(content(name, START), name);
    }
    assert_int_equal(open_descriptors(), before + FILE_CACHE_ENTRIES);
    assert_string_equal(content("many-0.txt", START), "many-0.txt");
}

static void what_is_no_file_is_not_kept(void **state)
{
    (void)state;
    struct file *file;
    mkdir("old", 0755);
    unsigned before = open_descriptors();
    assert_int_equal(file_cache_open(cache, "old", START, &file), FILE_IS_FOLDER);
    assert_int_equal(file_cache_open(cache, "absent", START, &file), FILE_ABSENT);
    assert_int_equal(open_descriptors(), before);
    write_file("absent", "here");
    assert_string_equal(content("absent", START), "here");
    unlink("absent");
}

static bool scenario(void *user)
{
    (void)user;
    struct file_cache *own = file_cache_create(&root);
    if (own == NULL)
        return true;
    bool right = true;
    for (int i = 0; i < 2; i++) {
        struct file *file;
        enum file_result result = file_cache_open(own, "memory.txt", START + (herald_time)i, &file);
        right = right && (result == FILE_FOUND ? file->size == 6 : result == FILE_BUSY);
        if (result == FILE_FOUND)
            file_release(file);
    }
    file_cache_destroy(own);
    return right;
}

static void memory_can_be_short(void **state)
{
    (void)state;
    write_settled("memory.txt", "memory");
    unsigned before = open_descriptors();
    assert_int_not_equal(failmalloc_each(scenario, NULL, 30), 0);
    assert_int_equal(open_descriptors(), before);
}

static int enter(void **state)
{
    (void)state;
    cache = file_cache_create(&root);
    return cache == NULL;
}

static int leave(void **state)
{
    (void)state;
    file_cache_destroy(cache);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/herald-cache-XXXXXX");
    return mkdtemp(directory) == NULL || chdir(directory) < 0 ||
           file_root_open(&root, directory) < 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    file_root_close(&root);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    return chdir("/") < 0 || system(command) != 0;
}

#define CACHE_TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(just_written_files_are_not_kept),
        CACHE_TEST(hits_share_one_file),
        CACHE_TEST(what_is_written_is_seen_in_the_next_turn),
        CACHE_TEST(a_replaced_file_is_seen_in_the_next_turn),
        CACHE_TEST(within_a_turn_the_version_stays),
        CACHE_TEST(a_version_in_use_stays_whole),
        CACHE_TEST(a_link_on_the_way_is_seen_after_a_while),
        CACHE_TEST(a_change_of_permissions_opens_again),
        CACHE_TEST(empty_and_large_files_have_no_content_in_memory),
        CACHE_TEST(descriptors_have_a_maximum),
        CACHE_TEST(what_is_no_file_is_not_kept),
        CACHE_TEST(memory_can_be_short),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
