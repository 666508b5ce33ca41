// SPDX-License-Identifier: Apache-2.0
// srv6-traffic: the command line.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_yaml/fabric_file.h"
#include "model_yaml/job_file.h"
#include "roce.h"
#include "tool/tool.h"
#include "traffic.h"

#define CLASS_DEFAULT 0x6a // DSCP 26, the usual class of RoCE, and ECN-capable
#define QP_BASE_DEFAULT 16 // 0 and 1 are special
#define WINDOW_DEFAULT 64
#define ACK_EVERY_DEFAULT 16
#define ACK_TIMEOUT_DEFAULT_NS 67000000U // 4.096 us * 2^14, the usual setting of RC queue pairs

static const char usage[] =
    "usage: srv6-traffic recv|send [OPTIONS]\n"
    "recv: receive flows, answer as an RC responder, report on SIGINT or SIGTERM\n"
    "  --port-addresses auto|LIST  addresses to receive on (auto: all)\n"
    "  --fabric F --host H         name flows after the fabric's ports, receive on those of H\n"
    "  --ack-every N               acknowledge each N packets (16)\n"
    "  --for D                     stop after D\n"
    "  --ready FILE                make FILE when packets are being received\n"
    "send: send flows, report when all is delivered\n"
    "  --to ADDRESS|PORT           where to; may be repeated\n"
    "  --from ADDRESS|PORT         where from (the kernel's choice, or --host)\n"
    "  --job J --fabric F --host H all flows that H sends in job J\n"
    "  --scale F                   times F bytes of the job's\n"
    "  --bytes B | --duration D    how much a flow sends\n"
    "  --rate R | --rate-total R   of IP packets, each flow | all flows together\n"
    "  --qps N --qp-base Q         queue pairs of a flow (1), their numbers (16)\n"
    "  --mtu BYTES                 payload of a packet (1024)\n"
    "  --ipv4 | --ipv6             family of flows between ports of the fabric (IPv4)\n"
    "  --unreliable                send once, wait for nothing\n"
    "  --window N --ack-timeout D  packets in flight a QP (64), go back after D (67ms)\n"
    "  --timeout D                 give up after D, exit 6\n"
    "both: --traffic-class N (0x6a), --json, --help, --version\n";

enum option_id { // beyond the characters
    OPTION_PORT_ADDRESSES = 256,
    OPTION_FABRIC,
    OPTION_HOST,
    OPTION_ACK_EVERY,
    OPTION_FOR,
    OPTION_READY,
    OPTION_TO,
    OPTION_FROM,
    OPTION_JOB,
    OPTION_SCALE,
    OPTION_BYTES,
    OPTION_DURATION,
    OPTION_RATE,
    OPTION_RATE_TOTAL,
    OPTION_QPS,
    OPTION_QP_BASE,
    OPTION_MTU,
    OPTION_IPV4,
    OPTION_IPV6,
    OPTION_UNRELIABLE,
    OPTION_WINDOW,
    OPTION_ACK_TIMEOUT,
    OPTION_TIMEOUT,
    OPTION_CLASS,
    OPTION_JSON,
};

static const struct option long_options[] = {
    {"port-addresses", required_argument, NULL, OPTION_PORT_ADDRESSES},
    {"fabric", required_argument, NULL, OPTION_FABRIC},
    {"host", required_argument, NULL, OPTION_HOST},
    {"ack-every", required_argument, NULL, OPTION_ACK_EVERY},
    {"for", required_argument, NULL, OPTION_FOR},
    {"ready", required_argument, NULL, OPTION_READY},
    {"to", required_argument, NULL, OPTION_TO},
    {"from", required_argument, NULL, OPTION_FROM},
    {"job", required_argument, NULL, OPTION_JOB},
    {"scale", required_argument, NULL, OPTION_SCALE},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"rate-total", required_argument, NULL, OPTION_RATE_TOTAL},
    {"qps", required_argument, NULL, OPTION_QPS},
    {"qp-base", required_argument, NULL, OPTION_QP_BASE},
    {"mtu", required_argument, NULL, OPTION_MTU},
    {"ipv4", no_argument, NULL, OPTION_IPV4},
    {"ipv6", no_argument, NULL, OPTION_IPV6},
    {"unreliable", no_argument, NULL, OPTION_UNRELIABLE},
    {"window", required_argument, NULL, OPTION_WINDOW},
    {"ack-timeout", required_argument, NULL, OPTION_ACK_TIMEOUT},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"traffic-class", required_argument, NULL, OPTION_CLASS},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

static bool parse_number(const char *text, uint32_t min, uint32_t max, uint32_t *out) {
    char *end;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    unsigned long value = strtoul(text, &end, 0);
    if (*end != '\0' || value < min || value > max) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool parse_scale(const char *text, double *out) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value <= 1e6)) {
        return false;
    }
    *out = value;
    return true;
}

static bool parse_measure(struct traffic_options *options, int option, const char *text) {
    uint32_t class;
    switch (option) {
    case OPTION_FOR:
        return tool_parse_duration(text, &options->for_ns);
    case OPTION_DURATION:
        return tool_parse_duration(text, &options->duration_ns);
    case OPTION_ACK_TIMEOUT:
        return tool_parse_duration(text, &options->ack_timeout_ns) && options->ack_timeout_ns > 0;
    case OPTION_TIMEOUT:
        return tool_parse_duration(text, &options->timeout_ns);
    case OPTION_BYTES:
        return tool_parse_bytes(text, &options->bytes);
    case OPTION_RATE:
        return tool_parse_rate(text, &options->rate_bps);
    case OPTION_RATE_TOTAL:
        return tool_parse_rate(text, &options->rate_total_bps);
    case OPTION_SCALE:
        return parse_scale(text, &options->scale);
    case OPTION_ACK_EVERY:
        return parse_number(text, 1, 1024, &options->ack_every);
    case OPTION_QPS:
        return parse_number(text, 1, TRAFFIC_QPS_MAX, &options->qps);
    case OPTION_QP_BASE:
        return parse_number(text, 0, ROCE_QP_MAX, &options->qp_base);
    case OPTION_MTU:
        return parse_number(text, 256, ROCE_MTU_MAX, &options->mtu);
    case OPTION_WINDOW:
        return parse_number(text, 1, 1U << 20, &options->window);
    case OPTION_CLASS:
        if (!parse_number(text, 0, 255, &class)) {
            return false;
        }
        options->traffic_class = (uint8_t) class;
        return true;
    default:
        return false;
    }
}

// False when it is no option of this kind.
static bool parse_text(struct traffic_options *options, int option, const char *text) {
    switch (option) {
    case OPTION_PORT_ADDRESSES:
        options->port_addresses = text;
        return true;
    case OPTION_FABRIC:
        options->fabric_path = text;
        return true;
    case OPTION_HOST:
        options->host = text;
        return true;
    case OPTION_READY:
        options->ready_path = text;
        return true;
    case OPTION_FROM:
        options->from = text;
        return true;
    case OPTION_JOB:
        options->job_path = text;
        return true;
    case OPTION_IPV4:
        options->ipv6 = false;
        return true;
    case OPTION_IPV6:
        options->ipv6 = true;
        return true;
    case OPTION_UNRELIABLE:
        options->reliable = false;
        return true;
    case OPTION_JSON:
        options->json = true;
        return true;
    default:
        return false;
    }
}

// Returns -1 to go on.
static int parse_option(struct traffic_options *options, int option, const char *name) {
    switch (option) {
    case 'h':
        fputs(usage, stdout);
        return TOOL_OK;
    case 'V':
        tool_print_version(TRAFFIC_TOOL);
        return TOOL_OK;
    case '?':
        return TOOL_USAGE;
    case OPTION_TO:
        if (options->to_count == TRAFFIC_TO_MAX) {
            return tool_usage_error(TRAFFIC_TOOL, usage, "--to: at most %d", TRAFFIC_TO_MAX);
        }
        options->to[options->to_count++] = optarg;
        return -1;
    default:
        if (!parse_text(options, option, optarg) && !parse_measure(options, option, optarg)) {
            return tool_usage_error(TRAFFIC_TOOL, usage, "%s: not usable: %s", name, optarg);
        }
        return -1;
    }
}

static int check_send(const struct traffic_options *options) {
    const char *problem = NULL;
    if ((options->job_path != NULL) == (options->to_count > 0)) {
        problem = "send: either --job or --to is needed";
    } else if (options->job_path != NULL &&
               (options->fabric_path == NULL || options->host == NULL)) {
        problem = "send: --job needs --fabric and --host";
    } else if ((options->rate_bps != 0) == (options->rate_total_bps != 0)) {
        problem = "send: either --rate or --rate-total is needed";
    } else if (options->job_path == NULL && (options->bytes != 0) == (options->duration_ns != 0)) {
        problem = "send: either --bytes or --duration is needed";
    } else if (options->job_path != NULL && options->bytes != 0) {
        problem = "send: the job says how many bytes; see --scale";
    }
    return problem == NULL ? TOOL_OK : tool_usage_error(TRAFFIC_TOOL, usage, "%s", problem);
}

static void complain(void *context, const struct error *error) {
    (void)context;
    fprintf(stderr, TRAFFIC_TOOL ": %s\n", error->text);
}

static int load_and_run(const struct traffic_options *options, bool send) {
    struct fabric *fabric = NULL;
    struct job job;
    bool has_job = false;
    int code = TOOL_FAILED;
    if (options->fabric_path != NULL &&
        fabric_file_load(options->fabric_path, complain, NULL, &fabric) != 0) {
        return TOOL_FAILED;
    }
    if (send && options->job_path != NULL) {
        has_job = job_file_load(options->job_path, complain, NULL, &job) == 0;
    }
    if (!send) {
        code = traffic_receive(options, fabric);
    } else if (has_job || options->job_path == NULL) {
        code = traffic_send(options, fabric, has_job ? &job : NULL);
    }
    if (has_job) {
        job_fini(&job);
    }
    fabric_close(fabric);
    return code;
}

int main(int argc, char **argv) {
    struct traffic_options options = {.reliable = true,
                                      .qps = 1,
                                      .qp_base = QP_BASE_DEFAULT,
                                      .mtu = 1024,
                                      .window = WINDOW_DEFAULT,
                                      .ack_timeout_ns = ACK_TIMEOUT_DEFAULT_NS,
                                      .scale = 1,
                                      .traffic_class = CLASS_DEFAULT,
                                      .ack_every = ACK_EVERY_DEFAULT};
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "hV", long_options, &index)) != -1) {
        int code = parse_option(&options, option, long_options[index].name);
        if (code >= 0) {
            return code;
        }
    }
    if (optind + 1 != argc) {
        return tool_usage_error(TRAFFIC_TOOL, usage, "one command is needed: recv or send");
    }
    bool send = strcmp(argv[optind], "send") == 0;
    if (!send && strcmp(argv[optind], "recv") != 0) {
        return tool_usage_error(TRAFFIC_TOOL, usage, "unknown command: %s", argv[optind]);
    }
    int code = send ? check_send(&options) : TOOL_OK;
    return code != TOOL_OK ? code : load_and_run(&options, send);
}
