// SPDX-License-Identifier: Apache-2.0
#include "svg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct svg {
    FILE *out;
};

struct svg *svg_open(const char *file, double width, double height) {
    struct svg *svg = calloc(1, sizeof *svg);
    if (svg == NULL) {
        return NULL;
    }
    svg->out = fopen(file, "w");
    if (svg->out == NULL) {
        free(svg);
        return NULL;
    }
    fprintf(svg->out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" "
            "viewBox=\"0 0 %g %g\" font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n",
            width, height, width, height);
    svg_rect(svg, (struct svg_point){0, 0}, width, height, "#ffffff");
    return svg;
}

void svg_rect(struct svg *svg, struct svg_point corner, double width, double height,
              const char *colour) {
    fprintf(svg->out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n",
            corner.x, corner.y, width, height, colour);
}

void svg_circle(struct svg *svg, struct svg_point centre, double radius, const char *colour) {
    fprintf(svg->out, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" fill=\"%s\"/>\n", centre.x,
            centre.y, radius, colour);
}

void svg_line(struct svg *svg, struct svg_point from, struct svg_point to,
              const struct svg_stroke *stroke) {
    fprintf(svg->out,
            "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" "
            "stroke-width=\"%g\"%s/>\n",
            from.x, from.y, to.x, to.y, stroke->colour, stroke->width,
            stroke->dashed ? " stroke-dasharray=\"6 4\"" : "");
}

static void put_escaped(FILE *out, const char *text) {
    for (const char *at = text; *at != '\0'; at++) {
        switch (*at) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        default:
            putc(*at, out);
        }
    }
}

void svg_text(struct svg *svg, struct svg_point at, const struct svg_font *font, const char *text) {
    static const char *const anchors[] = {"start", "middle", "end"};
    fprintf(svg->out, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%g\" fill=\"%s\" text-anchor=\"%s\"",
            at.x, at.y, font->size, font->colour, anchors[font->anchor]);
    if (font->bold) {
        fputs(" font-weight=\"bold\"", svg->out);
    }
    if (font->outlined) {
        fputs(" stroke=\"#ffffff\" stroke-width=\"4\" paint-order=\"stroke\"", svg->out);
    }
    if (font->upwards) {
        fprintf(svg->out, " transform=\"rotate(-90 %.2f %.2f)\"", at.x, at.y);
    }
    putc('>', svg->out);
    put_escaped(svg->out, text);
    fputs("</text>\n", svg->out);
}

int svg_close(struct svg *svg) {
    fputs("</svg>\n", svg->out);
    bool broken = ferror(svg->out) != 0;
    broken = fclose(svg->out) != 0 || broken;
    free(svg);
    return broken ? -EIO : 0;
}
