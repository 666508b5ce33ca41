// SPDX-License-Identifier: Apache-2.0
// Writes a picture as SVG 1.1: rectangles, lines, text. Coordinates are pixels from the upper left
// corner. Errors of the file stay in it and are told by svg_close.
#ifndef SIM_SVG_H
#define SIM_SVG_H

#include <stdbool.h>

struct svg;

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

struct svg_point {
    double x, y;
};
struct svg_stroke {
    const char *colour;
    double width;
    bool dashed;
};
struct svg_font {
    double size;
    const char *colour;
    enum svg_anchor anchor;
    bool bold;
    bool upwards;  // turned by 90 degrees
    bool outlined; // in white, to be read above other things
};

// NULL: the file cannot be written (errno).
struct svg *svg_open(const char *file, double width, double height);
void svg_rect(struct svg *svg, struct svg_point corner, double width, double height,
              const char *colour);
void svg_circle(struct svg *svg, struct svg_point centre, double radius, const char *colour);
void svg_line(struct svg *svg, struct svg_point from, struct svg_point to,
              const struct svg_stroke *stroke);
void svg_text(struct svg *svg, struct svg_point at, const struct svg_font *font, const char *text);
int svg_close(struct svg *svg); // -EIO: what was written is not whole

#endif
