// SPDX-License-Identifier: GPL-2.0-only
#include "plan.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>

#include <jansson.h>

namespace judge {
namespace {

struct JsonFree {
    void operator()(json_t *json) const { json_decref(json); }
};
using Json = std::unique_ptr<json_t, JsonFree>;

[[noreturn]] void wrong(const std::string &where, const std::string &what) {
    throw std::runtime_error(where + ": " + what);
}

// Throws unless the object has the key with a value of the type.
json_t *get(json_t *object, const char *key, bool (*is_type)(json_t *), const std::string &where) {
    json_t *value = json_object_get(object, key);
    if (value == nullptr || !is_type(value)) {
        wrong(where, std::string("no ") + key + ", or not of its type");
    }
    return value;
}

bool is_text(json_t *value) {
    return json_is_string(value);
}
bool is_count(json_t *value) {
    return json_is_integer(value) && json_integer_value(value) >= 0;
}
bool is_share(json_t *value) {
    return json_is_number(value) && json_number_value(value) >= 0 && json_number_value(value) <= 1;
}
bool is_list(json_t *value) {
    return json_is_array(value);
}

class Reader {
  public:
    Plan read(json_t *root);

  private:
    uint32_t node(json_t *name, const std::string &where);
    uint32_t cable(json_t *name, const uint32_t ends[2], bool host, const std::string &where);
    Part part(json_t *json, const std::string &where);
    Flow flow(json_t *json);

    Plan plan;
    std::map<std::string, uint32_t> nodes, cables;
};

uint32_t Reader::node(json_t *name, const std::string &where) {
    if (!json_is_string(name)) {
        wrong(where, "a node without a name");
    }
    auto [at, added] = nodes.try_emplace(json_string_value(name), plan.nodes.size());
    if (added) {
        plan.nodes.push_back(at->first);
    }
    return at->second;
}

uint32_t Reader::cable(json_t *name, const uint32_t ends[2], bool host, const std::string &where) {
    if (!json_is_string(name)) {
        wrong(where, "a link without a name");
    }
    auto [at, added] = cables.try_emplace(json_string_value(name), plan.cables.size());
    if (added) {
        plan.cables.push_back({at->first, {ends[0], ends[1]}, host});
    }
    const Cable &cable = plan.cables[at->second];
    bool same = (cable.ends[0] == ends[0] && cable.ends[1] == ends[1]) ||
                (cable.ends[0] == ends[1] && cable.ends[1] == ends[0]);
    if (!same || cable.host != host) {
        wrong(where, at->first + " joins other nodes than before");
    }
    return at->second;
}

Part Reader::part(json_t *json, const std::string &where) {
    json_t *names = get(json, "nodes", is_list, where);
    json_t *links = get(json, "links", is_list, where);
    size_t count = json_array_size(links);
    if (count < 2 || json_array_size(names) != count + 1) {
        wrong(where, "a path whose nodes and links do not alternate");
    }
    Part part = {0, {}, 0};
    for (size_t i = 0; i < count; i++) {
        uint32_t ends[2] = {node(json_array_get(names, i), where),
                            node(json_array_get(names, i + 1), where)};
        bool host = i == 0 || i + 1 == count;
        part.hops.push_back({ends[0], cable(json_array_get(links, i), ends, host, where)});
        part.dst = ends[1];
    }
    return part;
}

// Shares are rounded where they meet, so that all bytes are somewhere.
Flow Reader::flow(json_t *json) {
    Flow flow;
    flow.name = json_string_value(get(json, "src", is_text, "a flow"));
    flow.name += std::string(">") + json_string_value(get(json, "dst", is_text, flow.name));
    flow.bytes = (uint64_t)json_integer_value(get(json, "bytes", is_count, flow.name));
    double share = 0;
    uint64_t placed = 0;
    size_t index;
    json_t *path;
    json_array_foreach(get(json, "paths", is_list, flow.name), index, path) {
        flow.parts.push_back(part(path, flow.name));
        share += json_number_value(get(path, "share", is_share, flow.name));
        uint64_t end = (uint64_t)std::llround(share * (double)flow.bytes);
        flow.parts.back().bytes = end - placed;
        placed = end;
        if (flow.parts[0].hops[0].cable != flow.parts.back().hops[0].cable) {
            wrong(flow.name, "paths that leave by different ports");
        }
    }
    if (!flow.parts.empty() && placed != flow.bytes) {
        wrong(flow.name, "shares do not add up to 1");
    }
    return flow;
}

Plan Reader::read(json_t *root) {
    std::string algorithm = json_string_value(get(root, "algorithm", is_text, "plan"));
    plan.spray = algorithm.rfind("spray", 0) == 0;
    size_t index;
    json_t *json;
    json_array_foreach(get(root, "flows", is_list, "plan"), index, json) {
        plan.flows.push_back(flow(json));
    }
    return std::move(plan);
}

} // namespace

Plan read_plan(const std::string &file) {
    json_error_t error;
    Json root(file == "-" ? json_loadf(stdin, 0, &error) : json_load_file(file.c_str(), 0, &error));
    if (!root) {
        wrong(file + ":" + std::to_string(error.line), error.text);
    }
    return Reader().read(root.get());
}

} // namespace judge
