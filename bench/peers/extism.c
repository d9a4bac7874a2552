// Calls of a plugin in Extism, each in an instance of its own: `extism PLUGIN FUEL`. Each line of its input is a number of
// calls and how it is limited, `free` or `limited`; for each it answers with the median of their times in nanoseconds.
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// What is used of extism.h.
typedef struct ExtismCompiledPlugin ExtismCompiledPlugin;
typedef struct ExtismPlugin ExtismPlugin;
ExtismCompiledPlugin *extism_compiled_plugin_new(const uint8_t *, uint64_t, const void **, uint64_t, bool, char **);
ExtismCompiledPlugin *extism_compiled_plugin_new_with_fuel_limit(const uint8_t *, uint64_t, const void **, uint64_t, bool,
                                                                 uint64_t, char **);
ExtismPlugin *extism_plugin_new_from_compiled(const ExtismCompiledPlugin *, char **);
int32_t extism_plugin_call(ExtismPlugin *, const char *, const uint8_t *, uint64_t);
const uint8_t *extism_plugin_output_data(ExtismPlugin *);
uint64_t extism_plugin_output_length(ExtismPlugin *);
void extism_plugin_free(ExtismPlugin *);

#define CALLS_MAX 1000000
#define INPUT_MAX 65536

static void check(const void *made, const char *why) {
    if (made == NULL) {
        fprintf(stderr, "extism: %s\n", why == NULL ? "it failed" : why);
        exit(1);
    }
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int by_size(const void *one, const void *other) {
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static uint64_t call(const ExtismCompiledPlugin *compiled, const char *input, const char *wanted) {
    uint64_t started = now();
    char *why = NULL;
    ExtismPlugin *plugin = extism_plugin_new_from_compiled(compiled, &why);
    check(plugin, why);
    size_t length = strlen(input);
    if (extism_plugin_call(plugin, "call", (const uint8_t *)input, length) != 0
        || extism_plugin_output_length(plugin) != length
        || memcmp(extism_plugin_output_data(plugin), wanted, length) != 0) {
        check(NULL, "the plugin did not do its work");
    }
    extism_plugin_free(plugin);
    return now() - started;
}

int main(int count, char **args) {
    static char input[INPUT_MAX], wanted[INPUT_MAX];
    static uint64_t took[CALLS_MAX];
    check(count == 3 ? args : NULL, "usage: extism PLUGIN FUEL");
    char manifest[4096], kind[16], *why = NULL;
    int length = snprintf(manifest, sizeof manifest, "{\"wasm\": [{\"path\": \"%s\"}]}", args[1]);
    ExtismCompiledPlugin *compiled =
        extism_compiled_plugin_new((const uint8_t *)manifest, (uint64_t)length, NULL, 0, false, &why);
    check(compiled, why);
    length = snprintf(manifest, sizeof manifest,
                      "{\"wasm\": [{\"path\": \"%s\"}], \"memory\": {\"max_pages\": 1024}, \"timeout_ms\": 1000}", args[1]);
    ExtismCompiledPlugin *limited = extism_compiled_plugin_new_with_fuel_limit(
        (const uint8_t *)manifest, (uint64_t)length, NULL, 0, false, strtoull(args[2], NULL, 10), &why);
    check(limited, why);
    check(fgets(input, sizeof input, stdin), "there is no input");
    input[strcspn(input, "\n")] = 0;
    for (size_t at = 0; input[at] != 0; at++) {
        wanted[at] = input[at] >= '0' && input[at] <= '9' ? '*' : input[at];
    }
    unsigned long calls;
    while (scanf("%lu %15s", &calls, kind) == 2 && calls > 0 && calls <= CALLS_MAX) {
        const ExtismCompiledPlugin *one = strcmp(kind, "limited") == 0 ? limited : compiled;
        for (unsigned long at = 0; at < calls; at++) {
            took[at] = call(one, input, wanted);
        }
        qsort(took, calls, sizeof *took, by_size);
        printf("%llu\n", (unsigned long long)took[calls / 2]);
        fflush(stdout);
    }
    return 0;
}
