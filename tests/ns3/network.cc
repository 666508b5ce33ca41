// SPDX-License-Identifier: GPL-2.0-only
#include "network.h"

#include <algorithm>
#include <memory>
#include <random>
#include <stdexcept>

#include <ns3/core-module.h>
#include <ns3/drop-tail-queue.h>
#include <ns3/network-module.h>
#include <ns3/point-to-point-channel.h>
#include <ns3/point-to-point-net-device.h>

namespace judge {
namespace {

using Device = ns3::Ptr<ns3::PointToPointNetDevice>;
using Devices = std::map<std::pair<uint32_t, uint32_t>, Device>; // by (node, cable)

// What a packet carries besides its payload.
class PathHeader : public ns3::Header {
  public:
    uint32_t qp = 0, path = 0; // path: of the QP's

    static ns3::TypeId GetTypeId() {
        static ns3::TypeId id =
            ns3::TypeId("judge::PathHeader").SetParent<Header>().AddConstructor<PathHeader>();
        return id;
    }
    ns3::TypeId GetInstanceTypeId() const override { return GetTypeId(); }
    uint32_t GetSerializedSize() const override { return 8; }
    void Serialize(ns3::Buffer::Iterator at) const override {
        at.WriteU32(qp);
        at.WriteU32(path);
    }
    uint32_t Deserialize(ns3::Buffer::Iterator at) override {
        qp = at.ReadU32();
        path = at.ReadU32();
        return GetSerializedSize();
    }
    void Print(std::ostream &out) const override { out << "qp " << qp << " path " << path; }
};

struct Way {
    const Part *part;
    std::map<uint32_t, Device> next; // by node
};

struct Qp {
    std::vector<Way> ways; // one, or those that its packets choose from
    uint64_t left;         // bytes to send
};

// Sends the next packet of the next QP whenever its device begins with one, so that one packet is
// always waiting.
class Nic {
  public:
    Nic(Device of, uint32_t payload, uint64_t seed)
        : device(of), packet_bytes(payload), random(seed) {
        device->TraceConnectWithoutContext("PhyTxBegin", ns3::MakeCallback(&Nic::on_begin, this));
    }
    void add(uint32_t index, Qp *qp) { round.push_back({index, qp}); }
    void start() {
        std::shuffle(round.begin(), round.end(), random);
        send();
    }

  private:
    void on_begin(ns3::Ptr<const ns3::Packet> packet) {
        (void)packet;
        send();
    }
    void send();
    uint32_t choose(const Qp &qp);

    Device device;
    uint32_t packet_bytes;
    std::mt19937_64 random;
    std::vector<std::pair<uint32_t, Qp *>> round;
    size_t turn = 0;
};

// A way by its share.
uint32_t Nic::choose(const Qp &qp) {
    uint64_t sum = 0;
    for (const Way &way : qp.ways) {
        sum += way.part->bytes;
    }
    uint64_t at = std::uniform_int_distribution<uint64_t>(0, sum - 1)(random);
    uint32_t chosen = 0;
    while (at >= qp.ways[chosen].part->bytes) {
        at -= qp.ways[chosen++].part->bytes;
    }
    return chosen;
}

void Nic::send() {
    if (round.empty()) {
        return;
    }
    turn = turn < round.size() ? turn : 0;
    auto [index, qp] = round[turn];
    uint32_t bytes = (uint32_t)std::min<uint64_t>(qp->left, packet_bytes);
    PathHeader header;
    header.qp = index;
    header.path = qp->ways.size() > 1 ? choose(*qp) : 0;
    ns3::Ptr<ns3::Packet> packet = ns3::Create<ns3::Packet>(bytes);
    packet->AddHeader(header);
    qp->left -= bytes;
    if (qp->left == 0) {
        round.erase(round.begin() + (std::ptrdiff_t)turn);
    } else {
        turn++;
    }
    device->Send(packet, device->GetBroadcast(), 0x0800);
}

class Network {
  public:
    Network(const Plan &of, const Settings &with);
    Result run();

  private:
    void add_cable(uint32_t index);
    Device add_end(uint32_t cable, unsigned end);
    double fraction(const Cable &cable, unsigned end) const;
    void add_qp(const Flow &flow, size_t first, size_t count);
    Nic &nic_of(const Part &part);
    bool on_receive(ns3::Ptr<ns3::NetDevice> device, ns3::Ptr<const ns3::Packet> packet,
                    uint16_t protocol, const ns3::Address &from);

    const Plan &plan;
    Settings settings;
    ns3::NodeContainer nodes;
    std::map<uint32_t, uint32_t> node_of; // by ns-3's id
    Devices devices;
    std::vector<std::unique_ptr<Qp>> qps;
    std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<Nic>> nics;
    ns3::Time last;
    uint64_t bytes = 0, packets = 0;
};

// Each end of a cable sends at a rate of its own.
double Network::fraction(const Cable &cable, unsigned end) const {
    const std::string direction =
        plan.nodes[cable.ends[end]] + ">" + plan.nodes[cable.ends[1 - end]];
    auto both = settings.slow.find(cable.name), one = settings.slow.find(direction);
    return (both != settings.slow.end() ? both->second : 1) *
           (one != settings.slow.end() ? one->second : 1);
}

Device Network::add_end(uint32_t index, unsigned end) {
    const Cable &cable = plan.cables[index];
    ns3::DataRate nominal(cable.host ? settings.host_rate : settings.rate);
    double rate_bps = (double)nominal.GetBitRate() * fraction(cable, end);
    Device device = ns3::CreateObject<ns3::PointToPointNetDevice>();
    device->SetDataRate(ns3::DataRate((uint64_t)rate_bps));
    device->SetMtu(65535);
    auto queue = ns3::CreateObject<ns3::DropTailQueue<ns3::Packet>>();
    queue->SetMaxSize(ns3::QueueSize(ns3::QueueSizeUnit::PACKETS, UINT32_MAX));
    device->SetQueue(queue);
    device->SetAddress(ns3::Mac48Address::Allocate());
    nodes.Get(cable.ends[end])->AddDevice(device);
    device->SetReceiveCallback(ns3::MakeCallback(&Network::on_receive, this));
    devices[{cable.ends[end], index}] = device;
    return device;
}

void Network::add_cable(uint32_t index) {
    auto channel = ns3::CreateObject<ns3::PointToPointChannel>();
    channel->SetAttribute("Delay", ns3::StringValue(settings.delay));
    for (unsigned end = 0; end < 2; end++) {
        add_end(index, end)->Attach(channel);
    }
}

Nic &Network::nic_of(const Part &part) {
    std::pair<uint32_t, uint32_t> key(part.hops[0].from, part.hops[0].cable);
    std::unique_ptr<Nic> &nic = nics[key];
    if (!nic) {
        nic = std::make_unique<Nic>(devices.at(key), settings.packet_bytes,
                                    settings.seed * 1000003 + nics.size());
    }
    return *nic;
}

void Network::add_qp(const Flow &flow, size_t first, size_t count) {
    auto qp = std::make_unique<Qp>();
    qp->left = 0;
    for (size_t i = first; i < first + count; i++) {
        Way way = {&flow.parts[i], {}};
        for (const Hop &hop : flow.parts[i].hops) {
            way.next[hop.from] = devices.at({hop.from, hop.cable});
        }
        qp->left += flow.parts[i].bytes;
        qp->ways.push_back(std::move(way));
    }
    if (qp->left > 0) {
        nic_of(flow.parts[first]).add((uint32_t)qps.size(), qp.get());
        qps.push_back(std::move(qp));
    }
}

bool Network::on_receive(ns3::Ptr<ns3::NetDevice> device, ns3::Ptr<const ns3::Packet> packet,
                         uint16_t protocol, const ns3::Address &from) {
    (void)from;
    PathHeader header;
    packet->PeekHeader(header);
    const Way &way = qps[header.qp]->ways[header.path];
    uint32_t node = node_of.at(device->GetNode()->GetId());
    auto next = way.next.find(node);
    if (next != way.next.end()) {
        next->second->Send(packet->Copy(), device->GetBroadcast(), protocol);
    } else {
        bytes += packet->GetSize() - header.GetSerializedSize();
        packets++;
        last = ns3::Simulator::Now();
    }
    return true;
}

Network::Network(const Plan &of, const Settings &with) : plan(of), settings(with) {
    nodes.Create((uint32_t)plan.nodes.size());
    for (uint32_t i = 0; i < plan.nodes.size(); i++) {
        node_of[nodes.Get(i)->GetId()] = i;
    }
    for (uint32_t i = 0; i < plan.cables.size(); i++) {
        add_cable(i);
    }
    for (const Flow &flow : plan.flows) {
        size_t step = plan.spray ? flow.parts.size() : 1;
        for (size_t i = 0; i < flow.parts.size(); i += step) {
            add_qp(flow, i, step);
        }
    }
}

Result Network::run() {
    for (auto &[key, nic] : nics) {
        ns3::Simulator::ScheduleNow(&Nic::start, nic.get());
    }
    ns3::Simulator::Run();
    uint64_t wanted = 0;
    for (const Flow &flow : plan.flows) {
        wanted += flow.parts.empty() ? 0 : flow.bytes;
    }
    if (bytes != wanted) {
        throw std::runtime_error(std::to_string(wanted - bytes) + " bytes did not arrive");
    }
    return {(uint64_t)last.GetNanoSeconds(), bytes, packets};
}

void check_slow(const Plan &plan, const Settings &settings) {
    for (const auto &[name, fraction] : settings.slow) {
        bool known = false;
        for (const Cable &cable : plan.cables) {
            const std::string &a = plan.nodes[cable.ends[0]], &b = plan.nodes[cable.ends[1]];
            known = known || name == cable.name || name == a + ">" + b || name == b + ">" + a;
        }
        if (!known) {
            throw std::runtime_error(name + ": no path uses it");
        }
    }
}

} // namespace

Result run_network(const Plan &plan, const Settings &settings) {
    ns3::Time::SetResolution(ns3::Time::PS); // 8 KiB at 400 Gbps are 164 ns
    check_slow(plan, settings);
    Network network(plan, settings);
    Result result = network.run();
    ns3::Simulator::Destroy();
    return result;
}

} // namespace judge
