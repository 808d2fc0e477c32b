/* test_place_view.c - what `cadre place` shows: text and picture. */
#include "place_view.h"

#include "check.h"

#include "../runtime/place_host.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct scene {
    struct cadre_ledger *ledger;
    struct cadre_plan *plan;
    struct cadre_place_request request;
    struct cadre_place_view view;
};

static void begin(struct scene *s, const char *name,
                  struct cadre_place_request request)
{
    struct cadre_machine *machine = NULL;
    struct cadre_error error;
    char path[256];
    uint32_t host;

    snprintf(path, sizeof path, "%s/%s.xml", TOPOLOGIES, name);
    s->request = request;
    s->request.threads_per_rank = 1;
    if (request.ranks_per_team == 0)
        s->request.ranks_per_team = 1;
    CU_ASSERT_EQUAL_FATAL(cadre_machine_read_file(path, &machine, &error),
                          CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_ledger_create(&s->ledger), CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(cadre_ledger_add(s->ledger, machine, &host, &error),
                          CADRE_OK);
    CU_ASSERT_EQUAL_FATAL(
        cadre_ledger_reserve(s->ledger, &request, &s->plan, &error), CADRE_OK);
    CU_ASSERT_FATAL(
        cadre_place_view_init(&s->view, machine, s->plan, &s->request));
}

static void end(struct scene *s)
{
    cadre_place_view_fini(&s->view);
    cadre_ledger_release(s->ledger, s->plan);
    cadre_ledger_destroy(s->ledger);
}

#define REQUEST(...) ((struct cadre_place_request){__VA_ARGS__})

static char *text_of(struct scene *s)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);

    cadre_place_view_text(&s->view, file);
    fclose(file);
    return text;
}

static char *picture_of(struct scene *s)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);

    CU_ASSERT(cadre_place_view_svg(&s->view, file));
    fclose(file);
    return text;
}

static void the_text_shows_every_core_and_rank(void)
{
    struct scene s;

    begin(&s, "four-gpus", REQUEST(.ranks = 3, .gpus_per_rank = 1));
    char *text = text_of(&s);
    CU_ASSERT_STRING_EQUAL(
        text,
        "four-gpus: 16 cores, 32 hardware threads, 2 NUMA nodes, 4 GPUs\n"
        "3 ranks of 1 thread and 1 GPU, compact\n"
        "\n"
        "  package 0, NUMA node 0, L3 0  0 1 . . . . . . \n"
        "  package 1, NUMA node 1, L3 1  2 . . . . . . . \n"
        "  NVIDIA GPU 0 0000:01:00.0, near package 0, NUMA node 0, L3 0: rank "
        "0\n"
        "  NVIDIA GPU 1 0000:11:00.0, near package 0, NUMA node 0, L3 0: rank "
        "1\n"
        "  NVIDIA GPU 2 0000:41:00.0, near package 1, NUMA node 1, L3 1: rank "
        "2\n"
        "  NVIDIA GPU 3 0000:51:00.0, near package 1, NUMA node 1, L3 1: free\n"
        "\n"
        "  rank  PUs        NUMA node  GPUs\n"
        "     0  0,16       0          NVIDIA 0\n"
        "     1  1,17       0          NVIDIA 1\n"
        "     2  8,24       1          NVIDIA 2\n");
    free(text);
    end(&s);
}

static void the_text_tells_what_is_not_ours_and_what_is_shared(void)
{
    struct scene s;

    begin(&s, "cgroup",
          REQUEST(.ranks = 8, .oversubscribe = true,
                  .binds_oversubscribed = true, .ranks_per_team = 2));
    char *text = text_of(&s);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "; 9 hardware threads not for this "
                                        "job\n8 ranks of 1 thread in teams of "
                                        "2, compact\noversubscribed: 8 ranks "
                                        "of 1 thread (8 cores), but cgroup has "
                                        "4 cores, 7 hardware threads and 0 "
                                        "GPUs: ranks share cores\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "L3 0  x 0+/1 2/3 x \n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "L3 1  x 4/5 6/x x \n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "     7     3  1 "));
    free(text);
    end(&s);
}

/* Every tag that is opened is closed, in order; nothing else is between < >. */
static bool is_balanced(const char *text)
{
    char open[16][16];
    int depth = 0;

    for (; (text = strchr(text, '<')) != NULL; text++) {
        bool closes = text[1] == '/';
        const char *name = text + 1 + closes, *last = strchr(text, '>');
        size_t len = 0;
        while (isalpha((unsigned char)name[len]))
            len++;
        if (last == NULL || len == 0 || len > 15)
            return false;
        if (closes) {
            if (depth == 0 || strlen(open[depth - 1]) != len ||
                strncmp(open[--depth], name, len) != 0)
                return false;
        } else if (last[-1] != '/') {
            if (depth == 16)
                return false;
            snprintf(open[depth++], 16, "%.*s", (int)len, name);
        }
        text = last;
    }
    return depth == 0;
}

static int count_of(const char *text, const char *what)
{
    int count = 0;

    for (; (text = strstr(text, what)) != NULL; text++)
        count++;
    return count;
}

static void the_picture_is_whole_and_shows_every_rank(void)
{
    static const char *const names[] = {
        "laptop", "two-sockets", "four-numa",  "hyper-threads",
        "cgroup", "four-gpus",   "eight-gpus", "hybrid"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct scene s;
        begin(&s, names[i], REQUEST(.ranks = 4, .whole_cores = true));
        char *svg = picture_of(&s);
        CU_ASSERT(strncmp(svg, "<svg xmlns=", 11) == 0);
        CU_ASSERT(is_balanced(svg));
        CU_ASSERT_EQUAL(
            count_of(svg, "class=\"pu\""),
            (int)(cadre_machine_pus(s.view.machine) + s.view.machine->ngpus) +
                (strcmp(names[i], "cgroup") == 0 ? 9 : 0));
        for (int r = 0; r < 4; r++) {
            char label[32];
            snprintf(label, sizeof label, "class=\"rank\">%d<", r);
            CU_ASSERT(count_of(svg, label) >= 2); /* a core, and the legend */
        }
        free(svg);
        end(&s);
    }
}

static void names_cannot_break_the_picture(void)
{
    struct scene s;

    begin(&s, "laptop", REQUEST(.ranks = 1));
    struct cadre_machine copy = *s.view.machine;
    snprintf(copy.host, sizeof copy.host, "<a href='&'>\n");
    s.view.machine = &copy;
    char *svg = picture_of(&s);
    CU_ASSERT(is_balanced(svg));
    CU_ASSERT_PTR_NOT_NULL(strstr(svg, "&lt;a href='&amp;'&gt;: 4 cores"));
    free(svg);
    end(&s);
}

static const struct check_test tests[] = {
    CHECK(the_text_shows_every_core_and_rank),
    CHECK(the_text_tells_what_is_not_ours_and_what_is_shared),
    CHECK(the_picture_is_whole_and_shows_every_rank),
    CHECK(names_cannot_break_the_picture),
    {NULL, NULL},
};

int main(void)
{
    return check_run("place_view", tests);
}
