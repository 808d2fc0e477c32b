/* place_svg.c - a plan as a picture: boxes in boxes, a colour for each team.
 *
 * First every node is measured, from the leaves to the root; then it is drawn
 * from the root to the leaves. Lengths are pixels.
 */
#include "place_view.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    PU_SIDE = 36,
    PAD = 8, /* inside of a box */
    GAP = 6, /* between the parts of a box */
    CORE_PAD = 3,
    TITLE = 20, /* height of a box's title */
    HEAD = 66,  /* above the machine */
    GPU_WIDTH = 126,
    GPU_HEIGHT = 40,
    MARGIN = 18,
    LEGEND_WIDTH = 400, /* a column of the legend */
    LEGEND_ROW = 20,
    LEGEND_MAX = 64,
    WIDE = 1500, /* rows do not get wider if they can be broken */
    STRIPES_MAX = 4
};

struct box {
    int width, height;
    int columns; /* of children */
};

struct drawing {
    const struct cadre_place_view *view;
    const struct cadre_node *nodes;
    struct box *boxes; /* for each node */
    FILE *file;
};

/* --- measuring ------------------------------------------------------------ */

static bool is_core(const struct drawing *d, uint32_t i)
{
    return d->nodes[i].type == CADRE_NODE_CORE;
}

static int count_children(const struct drawing *d, uint32_t i)
{
    int count = 0;

    for (uint32_t c = i + 1; c < d->nodes[i].end; c = d->nodes[c].end)
        count++;
    return count;
}

static int count_gpus(const struct drawing *d, uint32_t i)
{
    int count = 0;

    for (uint32_t g = 0; g < d->view->machine->ngpus; g++)
        count += d->view->machine->gpus[g].node == i;
    return count;
}

/* Wider than high, and full rows if possible. */
static int columns_for(const struct drawing *d, uint32_t i)
{
    int count = count_children(d, i), columns;

    if (is_core(d, i) || count <= 2)
        return count;
    columns = (int)ceil(sqrt(is_core(d, i + 1) ? 2.0 * count : count));
    for (int more = columns; more <= columns + 2 && more <= count; more++)
        if (count % more == 0)
            return more;
    return columns < count ? columns : count;
}

static int max(int a, int b)
{
    return a > b ? a : b;
}

/* Width and height of the rows of children. */
static void measure_children(const struct drawing *d, uint32_t i, int gap,
                             int *width, int *height)
{
    int row_width = 0, row_height = 0, n = 0;

    *width = *height = 0;
    for (uint32_t c = i + 1; c < d->nodes[i].end; c = d->nodes[c].end, n++) {
        if (n > 0 && n % d->boxes[i].columns == 0) {
            *height += row_height + gap;
            row_width = row_height = 0;
        }
        row_width += d->boxes[c].width + (row_width > 0 ? gap : 0);
        row_height = max(row_height, d->boxes[c].height);
        *width = max(*width, row_width);
    }
    *height += row_height;
}

/* GPUs stand in a row of four at most, below the children. */
static int gpu_columns(int count)
{
    return count < 4 ? count : 4;
}

static void measure(struct drawing *d, uint32_t i)
{
    struct box *b = &d->boxes[i];
    int gpus = count_gpus(d, i), columns = gpu_columns(gpus);
    int title = 8 * (int)strlen(cadre_node_type_name(d->nodes[i].type)) + 40;

    if (d->nodes[i].type == CADRE_NODE_PU) {
        b->width = b->height = PU_SIDE;
        return;
    }
    b->columns = columns_for(d, i);
    if (is_core(d, i)) {
        measure_children(d, i, 1, &b->width, &b->height);
        b->width += 2 * CORE_PAD;
        b->height += 2 * CORE_PAD;
        return;
    }
    measure_children(d, i, GAP, &b->width, &b->height);
    while (b->width > WIDE && b->columns > 1) {
        b->columns = (b->columns + 1) / 2;
        measure_children(d, i, GAP, &b->width, &b->height);
    }
    if (gpus > 0) {
        b->width = max(b->width, columns * (GPU_WIDTH + GAP) - GAP);
        b->height += (gpus + columns - 1) / columns * (GPU_HEIGHT + GAP);
    }
    b->width = max(b->width, title) + 2 * PAD;
    b->height += 2 * PAD + TITLE - 4;
}

/* --- drawing -------------------------------------------------------------- */

/* Text that may come from anywhere goes through here. */
static void put_text(FILE *file, const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '&':
            fputs("&amp;", file);
            break;
        default:
            if ((unsigned char)*text >= ' ' && (unsigned char)*text < 127)
                fputc(*text, file);
        }
}

static void label(const struct drawing *d, int x, int y, const char *class,
                  const char *format, ...) CADRE_PRINTF(5, 6);

static void label(const struct drawing *d, int x, int y, const char *class,
                  const char *format, ...)
{
    char text[320];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    fprintf(d->file, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
    put_text(d->file, text);
    fprintf(d->file, "</text>\n");
}

/* Red (n 0), green (8) or blue (4) of a colour, from 0 to 1. */
static double channel(double hue, double saturation, double light, int n)
{
    double k = fmod(n + hue / 30, 12);
    double a = saturation * (light < 1 - light ? light : 1 - light);
    double part = fmin(fmin(k - 3, 9 - k), 1);

    return light - a * (part > -1 ? part : -1);
}

/* Neighbouring teams get hues far apart, ranks of a team shades of one. */
static const char *colour(const struct drawing *d, uint32_t rank)
{
    static char text[16];
    uint32_t size = d->view->request->ranks_per_team;
    uint32_t team = rank / size, in_team = rank % size;
    double hue = fmod(210 + 137.508 * team, 360);
    double light = size == 1 ? 0.76 : 0.68 + 0.2 * in_team / size;

    snprintf(text, sizeof text, "#%02x%02x%02x",
             (unsigned)(255 * channel(hue, 0.62, light, 0)),
             (unsigned)(255 * channel(hue, 0.62, light, 8)),
             (unsigned)(255 * channel(hue, 0.62, light, 4)));
    return text;
}

static bool holds(const struct cadre_place *p, uint32_t pu)
{
    for (uint32_t i = 0; i < p->npus; i++)
        if (p->pus[i] == pu)
            return true;
    return false;
}

/* A stripe for each rank that shares the PU. */
static void draw_stripes(const struct drawing *d, uint32_t i, int x, int y)
{
    const struct cadre_plan *plan = d->view->plan;
    int shown =
        d->view->count[i] < STRIPES_MAX ? (int)d->view->count[i] : STRIPES_MAX;
    int at = 0;

    for (uint32_t r = 0; r < plan->nplaces && at < shown; r++)
        if (holds(&plan->places[r], d->nodes[i].index)) {
            fprintf(d->file,
                    "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
                    "fill=\"%s\"/>\n",
                    x + at * PU_SIDE / shown, y, PU_SIDE / shown, PU_SIDE,
                    colour(d, r));
            at++;
        }
}

static void draw_pu(const struct drawing *d, uint32_t i, int x, int y)
{
    uint32_t rank = d->view->ranks[i], count = d->view->count[i];
    const char *fill = !d->nodes[i].is_allowed ? "url(#not-ours)"
                       : rank == 0             ? "#ffffff"
                                               : colour(d, rank - 1);

    fprintf(d->file,
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"2\" "
            "fill=\"%s\"/>\n",
            x, y, PU_SIDE, PU_SIDE, fill);
    if (count > 1)
        draw_stripes(d, i, x, y);
    if (count > 1)
        label(d, x + PU_SIDE / 2, y + 19, "rank", "%u+%u", rank - 1, count - 1);
    else if (rank > 0)
        label(d, x + PU_SIDE / 2, y + 19, "rank", "%u", rank - 1);
    label(d, x + PU_SIDE / 2, y + 31, "pu", "%u", d->nodes[i].index);
}

static void draw_gpu(const struct drawing *d, uint32_t gpu, int x, int y)
{
    const struct cadre_gpu *g = &d->view->machine->gpus[gpu];
    int64_t rank = cadre_place_view_gpu(d->view, gpu);

    fprintf(d->file,
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"8\" "
            "class=\"gpu\" fill=\"%s\"/>\n",
            x, y, GPU_WIDTH, GPU_HEIGHT,
            rank < 0 ? "#ffffff" : colour(d, (uint32_t)rank));
    if (rank < 0)
        label(d, x + GPU_WIDTH / 2, y + 17, "chip", "%s GPU %u",
              cadre_gpu_vendor_name(g->vendor), g->index);
    else
        label(d, x + GPU_WIDTH / 2, y + 17, "rank", "GPU %u: rank %lld",
              g->index, (long long)rank);
    label(d, x + GPU_WIDTH / 2, y + 32, "pu", "%.20s",
          g->pci[0] != '\0' ? g->pci : g->uuid);
}

/* Two GPUs that follow each other behind one switch are joined by a bar. */
static void draw_switch(const struct drawing *d, uint32_t gpu, int x, int y)
{
    const struct cadre_gpu *g = d->view->machine->gpus;

    for (uint32_t i = gpu; i-- > 0;)
        if (g[i].node == g[gpu].node) {
            if (g[i].pci_switch != 0 && g[i].pci_switch == g[gpu].pci_switch)
                fprintf(d->file,
                        "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"8\" "
                        "class=\"switch\"/>\n",
                        x - GAP - 3, y + GPU_HEIGHT / 2 - 4, GAP + 6);
            return;
        }
}

static void draw_gpus(const struct drawing *d, uint32_t node, int x, int y)
{
    const struct cadre_machine *m = d->view->machine;
    int columns = gpu_columns(count_gpus(d, node)), n = 0;

    for (uint32_t i = 0; i < m->ngpus; i++) {
        int at_x, at_y;
        if (m->gpus[i].node != node)
            continue;
        at_x = x + n % columns * (GPU_WIDTH + GAP);
        at_y = y + n / columns * (GPU_HEIGHT + GAP);
        draw_gpu(d, i, at_x, at_y);
        if (n % columns != 0)
            draw_switch(d, i, at_x, at_y);
        n++;
    }
}

static void draw(const struct drawing *d, uint32_t i, int x, int y);

/* Returns the height. */
static int draw_children(const struct drawing *d, uint32_t i, int x, int y,
                         int gap)
{
    int at_x = x, at_y = y, row_height = 0, n = 0;

    for (uint32_t c = i + 1; c < d->nodes[i].end; c = d->nodes[c].end, n++) {
        if (n > 0 && n % d->boxes[i].columns == 0) {
            at_x = x;
            at_y += row_height + gap;
            row_height = 0;
        }
        draw(d, c, at_x, at_y);
        at_x += d->boxes[c].width + gap;
        row_height = max(row_height, d->boxes[c].height);
    }
    return at_y - y + row_height;
}

static void draw_title(const struct drawing *d, uint32_t i, int x, int y)
{
    if (d->nodes[i].type == CADRE_NODE_MACHINE)
        label(d, x, y, "title", "machine");
    else if (d->nodes[i].type == CADRE_NODE_KIND)
        label(d, x, y, "title", "%s cores",
              d->nodes[i].kind > 0 ? "fast" : "slow");
    else
        label(d, x, y, "title", "%s %u", cadre_node_type_name(d->nodes[i].type),
              d->nodes[i].index);
}

static void draw(const struct drawing *d, uint32_t i, int x, int y)
{
    static const char *const classes[] = {"",      "machine", "package",
                                          "group", "numa",    "cache",
                                          "cache", "kind",    "core"};
    const struct box *b = &d->boxes[i];
    int height;

    if (d->nodes[i].type == CADRE_NODE_PU) {
        draw_pu(d, i, x, y);
        return;
    }
    fprintf(d->file,
            "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" "
            "class=\"%s\"/>\n",
            x, y, b->width, b->height, classes[d->nodes[i].type]);
    if (is_core(d, i)) {
        draw_children(d, i, x + CORE_PAD, y + CORE_PAD, 1);
        return;
    }
    draw_title(d, i, x + PAD, y + PAD + 8);
    height = draw_children(d, i, x + PAD, y + PAD + TITLE - 4, GAP);
    draw_gpus(d, i, x + PAD, y + PAD + TITLE - 4 + height + GAP);
}

/* --- the page ------------------------------------------------------------- */

static const char style[] =
    "<style>\n"
    "text { font-family: Helvetica, Arial, 'DejaVu Sans', sans-serif; "
    "fill: #222; }\n"
    ".head { font-size: 18px; font-weight: bold; }\n"
    ".line { font-size: 13px; fill: #555; }\n"
    ".title { font-size: 12px; fill: #444; }\n"
    ".rank { font-size: 13px; font-weight: bold; text-anchor: middle; }\n"
    ".chip { font-size: 12px; text-anchor: middle; fill: #666; }\n"
    ".pu { font-size: 9px; text-anchor: middle; fill: #555; }\n"
    ".legend { font-size: 12px; }\n"
    ".machine { fill: #ffffff; stroke: #888; }\n"
    ".package { fill: #f1f3f5; stroke: #adb5bd; }\n"
    ".group { fill: #f8f9fa; stroke: #ced4da; }\n"
    ".numa { fill: #e3ecf5; stroke: #b8c9da; }\n"
    ".cache { fill: #f6f0e2; stroke: #d9cba8; }\n"
    ".kind { fill: #eef3ea; stroke: #c3d2b8; }\n"
    ".core { fill: #cfd4da; stroke: #868e96; }\n"
    ".gpu { stroke: #555; stroke-width: 1.5; }\n"
    ".switch { fill: #777; }\n"
    "</style>\n"
    "<pattern id=\"not-ours\" width=\"6\" height=\"6\" "
    "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\n"
    "<rect width=\"6\" height=\"6\" fill=\"#e9ecef\"/>\n"
    "<rect width=\"2\" height=\"6\" fill=\"#b5bcc4\"/>\n"
    "</pattern>\n";

static uint32_t legend_rows(const struct drawing *d)
{
    uint32_t ranks = d->view->plan->nplaces;

    return ranks < LEGEND_MAX ? ranks : LEGEND_MAX;
}

static void draw_legend(const struct drawing *d, int columns, int y)
{
    const struct cadre_plan *plan = d->view->plan;
    uint32_t rows = legend_rows(d);
    uint32_t high = (rows + (uint32_t)columns - 1) / (uint32_t)columns;
    char text[CADRE_PLACE_TEXT_MAX];

    for (uint32_t r = 0; r < rows; r++) {
        int x = MARGIN + (int)(r / high) * LEGEND_WIDTH;
        int at = y + (int)(r % high) * LEGEND_ROW;
        const char *where, *list;
        fprintf(d->file,
                "<rect x=\"%d\" y=\"%d\" width=\"26\" height=\"15\" rx=\"3\" "
                "fill=\"%s\"/>\n",
                x, at, colour(d, r));
        label(d, x + 13, at + 12, "rank", "%u", r);
        where = cadre_place_describe(&plan->places[r], text, sizeof text);
        list = strstr(where, ": ");
        label(d, x + 34, at + 12, "legend", "%.60s",
              list != NULL ? list + 2 : where);
    }
    if (plan->nplaces > rows)
        label(d, MARGIN, y + (int)high * LEGEND_ROW + 12, "line", "and %u more",
              plan->nplaces - rows);
}

static void draw_page(const struct drawing *d)
{
    const struct box *root = &d->boxes[0];
    int width = max(root->width + 2 * MARGIN, 640);
    int columns = max((width - 2 * MARGIN) / LEGEND_WIDTH, 1);
    int rows = ((int)legend_rows(d) + columns - 1) / columns + 1;
    int legend = HEAD + root->height + MARGIN;
    int height = legend + rows * LEGEND_ROW + MARGIN / 2;
    bool has_note = d->view->plan->note[0] != '\0';
    char text[200];

    fprintf(d->file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
            "height=\"%d\" viewBox=\"0 0 %d %d\">\n%s"
            "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
            width, height, width, height, style, width, height);
    cadre_place_view_request(d->view, text, sizeof text);
    label(d, MARGIN, 27, "head", "%s", text);
    cadre_place_view_machine(d->view, text, sizeof text);
    label(d, MARGIN, 47, "line", "%s: %s%s", d->view->machine->host, text,
          has_note ? " (oversubscribed)" : "");
    draw(d, 0, MARGIN, HEAD - 6);
    draw_legend(d, columns, legend);
    fprintf(d->file, "</svg>\n");
}

bool cadre_place_view_svg(const struct cadre_place_view *view, FILE *file)
{
    struct drawing d = {
        .view = view, .nodes = view->machine->nodes, .file = file};

    d.boxes = calloc(view->machine->nnodes, sizeof *d.boxes);
    if (d.boxes == NULL)
        return false;
    for (uint32_t i = view->machine->nnodes; i-- > 0;)
        measure(&d, i);
    draw_page(&d);
    free(d.boxes);
    return true;
}
