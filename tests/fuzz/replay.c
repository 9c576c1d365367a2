/* Runs a fuzz target once for each file named on the command line, and for each file of each folder
 * named. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size = -1;
    int result = -1;

    if (file == NULL)
        goto out;
    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
        goto out;
    /* Exactly the input's size, so that a sanitizer sees a read of one byte too many. */
    data = malloc((size_t)size);
    if (size > 0 && (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size))
        goto out;
    LLVMFuzzerTestOneInput(data, (size_t)size);
    result = 0;
out:
    if (result != 0)
        fprintf(stderr, "replay: cannot read %s\n", path);
    free(data);
    if (file != NULL)
        fclose(file);
    return result;
}

static int replay_folder(const char *path, unsigned *count)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    char name[4096];
    int result = 0;

    if (folder == NULL) {
        fprintf(stderr, "replay: cannot open %s\n", path);
        return -1;
    }
    while ((entry = readdir(folder)) != NULL) {
        struct stat status;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (stat(name, &status) != 0 || !S_ISREG(status.st_mode))
            continue;
        if (replay_file(name) != 0)
            result = -1;
        (*count)++;
    }
    closedir(folder);
    return result;
}

int main(int argc, char **argv)
{
    unsigned count = 1;
    int result = 0;

    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (stat(argv[i], &status) == 0 && S_ISREG(status.st_mode)) {
            count++;
            if (replay_file(argv[i]) != 0)
                result = 1;
        } else if (replay_folder(argv[i], &count) != 0) {
            result = 1;
        }
    }
    printf("%u inputs replayed\n", count);
    return result;
}
