// SPDX-License-Identifier: Apache-2.0
#include "chart.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "svg.h"

#define WIDTH 960.0
#define HEIGHT 540.0
#define LEFT 84.0
#define RIGHT 190.0 // the legend's place
#define TOP 78.0
#define BOTTOM 66.0
#define INK "#222222"
#define PALE "#dddddd"
#define RED "#c0392b"

// Okabe and Ito's colours, which the colour-blind can tell apart too.
static const char *const colours[CHART_SERIES_MAX] = {
    "#999999", "#e69f00", "#56b4e9", "#cc79a7", "#009e73", "#0072b2", "#d55e00", "#f0e442",
};

struct canvas {
    const struct chart *chart;
    struct svg *svg;
    double top, step; // of the y axis
};

static double plot_width(void) {
    return WIDTH - LEFT - RIGHT;
}

static double y_of(const struct canvas *canvas, double value) {
    return HEIGHT - BOTTOM - value / canvas->top * (HEIGHT - TOP - BOTTOM);
}

static double x_of(const struct canvas *canvas, unsigned label) {
    return LEFT + plot_width() * (label + 0.5) / canvas->chart->label_count;
}

// About six steps of 1, 2 or 5 times a power of ten.
static void choose_scale(struct canvas *canvas) {
    const struct chart *chart = canvas->chart;
    double most = 0;
    for (unsigned i = 0; i < chart->series_count; i++) {
        for (unsigned j = 0; j < chart->label_count; j++) {
            most = fmax(most, chart->series[i].values[j]);
        }
    }
    most = most > 0 ? most * 1.05 : 1;
    double power = pow(10, floor(log10(most / 6)));
    double rest = most / 6 / power;
    canvas->step = power * (rest > 5 ? 10 : rest > 2 ? 5 : rest > 1 ? 2 : 1);
    canvas->top = ceil(most / canvas->step) * canvas->step;
}

static void draw_titles(const struct canvas *canvas) {
    const struct chart *chart = canvas->chart;
    const struct svg_font title = {.size = 20, .colour = INK, .bold = true};
    const struct svg_font subtitle = {.size = 14, .colour = "#555555"};
    const struct svg_font axis = {.size = 14, .colour = INK, .anchor = SVG_MIDDLE};
    struct svg_font upwards = axis;
    upwards.upwards = true;
    svg_text(canvas->svg, (struct svg_point){LEFT, 32}, &title, chart->title);
    svg_text(canvas->svg, (struct svg_point){LEFT, 55}, &subtitle, chart->subtitle);
    svg_text(canvas->svg, (struct svg_point){LEFT + plot_width() / 2, HEIGHT - 18}, &axis,
             chart->x_title);
    svg_text(canvas->svg, (struct svg_point){26, TOP + (HEIGHT - TOP - BOTTOM) / 2}, &upwards,
             chart->y_title);
}

static void draw_axes(const struct canvas *canvas) {
    const struct chart *chart = canvas->chart;
    const struct svg_font scale = {.size = 13, .colour = INK, .anchor = SVG_END};
    const struct svg_font label = {.size = 13, .colour = INK, .anchor = SVG_MIDDLE};
    const struct svg_stroke grid = {.colour = PALE, .width = 1};
    const struct svg_stroke axis = {.colour = INK, .width = 1.5};
    unsigned steps = (unsigned)lround(canvas->top / canvas->step);
    for (unsigned i = 0; i <= steps; i++) {
        char text[24];
        double y = y_of(canvas, i * canvas->step);
        snprintf(text, sizeof text, "%g", i * canvas->step);
        svg_line(canvas->svg, (struct svg_point){LEFT, y},
                 (struct svg_point){LEFT + plot_width(), y}, i == 0 ? &axis : &grid);
        svg_text(canvas->svg, (struct svg_point){LEFT - 10, y + 4.5}, &scale, text);
    }
    for (unsigned i = 0; i < chart->label_count; i++) {
        svg_text(canvas->svg, (struct svg_point){x_of(canvas, i), HEIGHT - BOTTOM + 22}, &label,
                 chart->labels[i]);
    }
}

static void draw_bars(const struct canvas *canvas, unsigned series) {
    const struct chart *chart = canvas->chart;
    double group = plot_width() / chart->label_count * 0.8;
    double width = group / chart->series_count;
    for (unsigned i = 0; i < chart->label_count; i++) {
        double y = y_of(canvas, chart->series[series].values[i]);
        svg_rect(canvas->svg, (struct svg_point){x_of(canvas, i) - group / 2 + width * series, y},
                 width * 0.92, HEIGHT - BOTTOM - y, colours[series]);
    }
}

static void draw_lines(const struct canvas *canvas, unsigned series) {
    const struct chart *chart = canvas->chart;
    const struct svg_stroke stroke = {.colour = colours[series], .width = 2.5};
    struct svg_point before = {0, 0};
    for (unsigned i = 0; i < chart->label_count; i++) {
        struct svg_point at = {x_of(canvas, i), y_of(canvas, chart->series[series].values[i])};
        if (i > 0) {
            svg_line(canvas->svg, before, at, &stroke);
        }
        svg_circle(canvas->svg, at, 4, colours[series]);
        before = at;
    }
}

static void draw_legend(const struct canvas *canvas, unsigned series) {
    const struct svg_font font = {.size = 14, .colour = INK};
    double y = TOP + 8 + 24 * series;
    double x = WIDTH - RIGHT + 20;
    svg_rect(canvas->svg, (struct svg_point){x, y}, 16, 12, colours[series]);
    svg_text(canvas->svg, (struct svg_point){x + 24, y + 11}, &font,
             canvas->chart->series[series].name);
}

static void draw_note(const struct canvas *canvas, const struct chart_note *note) {
    const struct svg_font font = {.size = 12, .colour = RED};
    const struct svg_font above = {.size = 12,
                                   .colour = RED,
                                   .anchor = SVG_MIDDLE,
                                   .outlined = true};
    const struct svg_stroke dashed = {.colour = RED, .width = 1.5, .dashed = true};
    double y = y_of(canvas, note->value);
    if (note->label < 0) {
        svg_line(canvas->svg, (struct svg_point){LEFT, y},
                 (struct svg_point){LEFT + plot_width(), y}, &dashed);
        svg_text(canvas->svg, (struct svg_point){LEFT + plot_width() + 6, y + 4}, &font,
                 note->text);
        return;
    }
    double half = plot_width() / canvas->chart->label_count * 0.4;
    double x = x_of(canvas, (unsigned)note->label);
    const struct svg_stroke stroke = {.colour = RED, .width = 3};
    svg_line(canvas->svg, (struct svg_point){x - half, y}, (struct svg_point){x + half, y},
             &stroke);
    svg_text(canvas->svg, (struct svg_point){x, y - 6}, &above, note->text);
}

int chart_write(const struct chart *chart, const char *file) {
    assert(chart->series_count <= CHART_SERIES_MAX && chart->label_count > 0);
    struct canvas canvas = {.chart = chart, .svg = svg_open(file, WIDTH, HEIGHT)};
    if (canvas.svg == NULL) {
        return errno != 0 ? -errno : -EIO;
    }
    choose_scale(&canvas);
    draw_titles(&canvas);
    draw_axes(&canvas);
    for (unsigned i = 0; i < chart->series_count; i++) {
        if (chart->lines) {
            draw_lines(&canvas, i);
        } else {
            draw_bars(&canvas, i);
        }
        draw_legend(&canvas, i);
    }
    for (unsigned i = 0; i < chart->note_count; i++) {
        draw_note(&canvas, &chart->notes[i]);
    }
    return svg_close(canvas.svg);
}
