# SPDX-License-Identifier: Apache-2.0
"""What the manifests promise beyond the schema. Each rule yields a sentence for everything that breaks it."""
import json
import os
import re

import yaml

from manifests import HASH, ROOT, name_of

# Programs of the image: k8s/image-root installs them.
PROGRAMS = ("srv6-agent", "srv6-holder", "srv6-node", "srv6-ctl", "srv6-top", "srv6-drill")
KEY_MATERIAL = re.compile(r"-----BEGIN|kind: Secret")


def of_kind(found, kind):
    return [document for document in found if document["kind"] == kind]


def pods(found):
    for document in of_kind(found, "DaemonSet") + of_kind(found, "Job"):
        yield document, document["spec"]["template"]["spec"]


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def each_container(found):
    for document, pod in pods(found):
        for container in containers(pod):
            yield f"{document['metadata']['name']}/{container['name']}", pod, container


def readme():
    with open(os.path.join(ROOT, "k8s", "README.md")) as file:
        return file.read()


# ---- rules

def references(overlay, found):
    """What a pod names is there: ConfigMaps, volumes, service accounts, roles."""
    names = {(document["kind"], document["metadata"]["name"]) for document in found}
    for document, pod in pods(found):
        where = document["metadata"]["name"]
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for name, volume in volumes.items():
            config = volume.get("configMap", {}).get("name")
            if config is not None and ("ConfigMap", config) not in names:
                yield f"{where}: volume {name}: no ConfigMap {config} is rendered"
            if config is not None and not HASH.match(config):
                yield f"{where}: volume {name}: {config} has no hash: a change of it would not roll the pods"
            secret = volume.get("secret", {})
            if secret and (secret["secretName"] != "srv6-keys" or secret.get("defaultMode") != 0o400):
                yield f"{where}: volume {name}: the Secret srv6-keys with mode 0400 expected"
        mounted = [mount["name"] for container in containers(pod) for mount in container.get("volumeMounts", [])]
        for name in set(mounted) ^ set(volumes):
            yield f"{where}: volume {name} is not both declared and mounted"
        account = pod.get("serviceAccountName")
        if account is not None and ("ServiceAccount", account) not in names:
            yield f"{where}: no ServiceAccount {account} is rendered"
    for document in of_kind(found, "RoleBinding") + of_kind(found, "ClusterRoleBinding"):
        if (document["roleRef"]["kind"], document["roleRef"]["name"]) not in names:
            yield f"{document['metadata']['name']}: binds a role that is not rendered"
        for subject in document["subjects"]:
            if (subject["kind"], subject["name"]) not in names or subject["namespace"] != "srv6-system":
                yield f"{document['metadata']['name']}: binds a subject that is not rendered"


def least_privilege(overlay, found):
    for where, pod, container in each_container(found):
        context = container.get("securityContext", {})
        if context.get("privileged"):
            if (overlay, where) != ("privileged", "srv6-holder/holder"):
                yield f"{where}: is privileged"
            continue
        if context.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{where}: does not drop all capabilities"
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"{where}: may gain privileges"
        if "seccompProfile" not in context and where != "srv6-clean/clean":
            yield f"{where}: no seccomp profile"
    for where, pod, container in each_container(found):
        if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{where}: may write its root file system"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"{where}: no limit of memory"
        if container["command"][0] not in PROGRAMS:
            yield f"{where}: {container['command'][0]} is not in the image"
        if container["image"].rsplit(":", 1)[-1] in (container["image"], "latest"):
            yield f"{where}: {container['image']}: a version is due"
        for mount in container.get("volumeMounts", []):
            volume = next((volume for volume in pod["volumes"] if volume["name"] == mount["name"]), {})
            if not mount.get("readOnly") and ("configMap" in volume or "secret" in volume):
                yield f"{where}: {mount['mountPath']} is not read-only"


def agents(overlay, found):
    """What makes the agents' DaemonSet one that a node can rely on."""
    for document, pod in pods(found):
        where, name = document["metadata"]["name"], document["metadata"]["name"]
        if pod.get("tolerations") != [{"operator": "Exists"}]:
            yield f"{where}: must tolerate every taint"
        if not pod.get("hostNetwork"):
            yield f"{where}: must use the host's network"
        if name != "srv6-clean" and pod.get("priorityClassName") != "system-node-critical":
            yield f"{where}: must be critical for its node"
        strategy = document["spec"]["updateStrategy"]
        wanted = {"srv6-agent": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
                  "srv6-holder": {"type": "OnDelete"}}.get(name, strategy)
        if strategy != wanted:
            yield f"{where}: update strategy {strategy}"
        if name == "srv6-agent" and pod.get("dnsPolicy") != "ClusterFirstWithHostNet":
            yield f"{where}: would not find the Service by its name"
    if overlay not in ("monitoring", "clean"):
        namespace = of_kind(found, "Namespace")
        labels = namespace[0]["metadata"]["labels"] if namespace else {}
        if any(labels.get(f"pod-security.kubernetes.io/{mode}") != "privileged" for mode in ("enforce", "audit", "warn")):
            yield "Namespace: without its pod-security labels"


def config_of(found):
    texts = {name_of(document): document["data"] for document in of_kind(found, "ConfigMap")}
    return yaml.safe_load(texts["srv6-config"]["agent.yaml"]), texts


def port_of(address):
    return int(address.rsplit(":", 1)[1])


def ports(overlay, found):
    """Probes, declared ports and the Service agree with the agent's configuration."""
    agent = next((pod for document, pod in pods(found) if document["metadata"]["name"] == "srv6-agent"), None)
    if agent is None:
        return
    config, _ = config_of(found)
    wanted = {"gossip": port_of(config["gossip"]["listen"]), "metrics": port_of(config["metrics"]["listen"])}
    container = next(container for container in agent["containers"] if container["name"] == "agent")
    declared = {port["name"]: port["containerPort"] for port in container["ports"]}
    service = of_kind(found, "Service")[0]["spec"]
    if declared != wanted:
        yield f"the container declares {declared}, agent.yaml listens on {wanted}"
    if {port["name"]: port["port"] for port in service["ports"]} != wanted:
        yield f"the Service's ports are not agent.yaml's {wanted}"
    if service.get("clusterIP") != "None" or service.get("publishNotReadyAddresses") is not True:
        yield "the Service must be headless and publish addresses that are not ready"
    name = f"srv6-agent.srv6-system.svc:{wanted['gossip']}"
    if not any(name in seed for seed in config["gossip"]["seeds"]):
        yield f"agent.yaml: {name} is not among the seeds"
    for probe, path in (("startupProbe", "/startupz"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        get = container[probe]["httpGet"]
        if get["path"] != path or declared.get(get["port"], get["port"]) != wanted["metrics"]:
            yield f"{probe}: {get} is not {path} on port {wanted['metrics']}"


def config_paths(overlay, found):
    """What agent.yaml names is mounted where it says."""
    for document, pod in pods(found):
        if document["metadata"]["name"] != "srv6-agent":
            continue
        config, _ = config_of(found)
        agent = next(container for container in pod["containers"] if container["name"] == "agent")
        mounts = {mount["mountPath"]: mount for mount in agent["volumeMounts"]}
        paths = [config["gossip"]["curve"]["secret_key_file"], config["gossip"]["curve"]["fleet_keys_file"],
                 config["nic"].get("pin_dir"), config["nic"].get("holder"), agent["command"][2]]
        for path in filter(None, paths):
            if not any(path.startswith(mount + "/") for mount in mounts):
                yield f"agent: {path} is in no volume"
        if config["nic"]["driver"] == "ebpf" and "BPF" not in agent["securityContext"]["capabilities"]["add"]:
            yield "agent: the driver ebpf needs CAP_BPF"
        holder = any(other["metadata"]["name"] == "srv6-holder" for other, _ in pods(found))
        if holder != (config["nic"]["driver"] == "mlx5"):
            yield "agent: the driver mlx5 and a holder go together"


def seccomp(overlay, found):
    """The profile that the agent runs under is the one that its init container installs, and it admits io_uring."""
    for document, pod in pods(found):
        if document["metadata"]["name"] != "srv6-agent":
            continue
        _, texts = config_of(found)
        folder = next(volume["hostPath"]["path"] for volume in pod["volumes"] if volume["name"] == "seccomp")
        profile = pod["containers"][0]["securityContext"].get("seccompProfile", {})
        directory, name = os.path.split(profile.get("localhostProfile", ""))
        if folder != os.path.join("/var/lib/kubelet/seccomp", directory) or name not in texts["srv6-seccomp"]:
            yield f"agent: nobody installs the profile {profile}"
            continue
        allowed = {syscall for group in json.loads(texts["srv6-seccomp"][name])["syscalls"]
                   if group["action"] == "SCMP_ACT_ALLOW" for syscall in group["names"]}
        for syscall in sorted({"io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "recvmmsg", "execve"} - allowed):
            yield f"seccomp profile: {syscall} is not allowed"
        for syscall in sorted({"mount", "ptrace", "unshare", "setns", "init_module", "kexec_load", "reboot"} & allowed):
            yield f"seccomp profile: {syscall} is allowed"


def explained(overlay, found):
    """The README explains, in code font, every host path, capability, host namespace and API permission."""
    text = readme()
    words = set()
    for document, pod in pods(found):
        words |= {volume["hostPath"]["path"] for volume in pod.get("volumes", []) if "hostPath" in volume}
        words |= {word for word in ("hostNetwork", "hostPID", "priorityClassName") if pod.get(word)}
        for container in containers(pod):
            context = container.get("securityContext", {})
            words |= set(context.get("capabilities", {}).get("add", []))
            words |= {"privileged: true"} if context.get("privileged") else set()
    for document in of_kind(found, "ClusterRole") + of_kind(found, "Role"):
        for rule in document["rules"]:
            words |= {f"{resource}: {', '.join(rule['verbs'])}" for resource in rule["resources"]}
    for word in sorted(words):
        if f"`{word}`" not in text:
            yield f"README.md does not explain `{word}`"


def no_secrets(overlay, found):
    """Nothing rendered or committed holds a key."""
    for document in of_kind(found, "Secret"):
        yield f"Secret {document['metadata']['name']} is rendered: applying it would overwrite the fleet's keys"
    for directory, folders, files in os.walk(os.path.join(ROOT, "k8s")):
        for name in files:
            with open(os.path.join(directory, name), errors="replace") as file:
                text = file.read()
            if name.endswith((".secret", ".secret.next", ".keys")) or "-----BEGIN" in text:
                yield f"{os.path.join(directory, name)}: looks like a key"
            if re.search(r"^kind: Secret$", text, re.M) and re.search(r"^  \S+: *[A-Za-z0-9+/=]{20,}$", text, re.M):
                yield f"{os.path.join(directory, name)}: a Secret with contents"


RULES = (references, least_privilege, agents, ports, config_paths, seccomp, explained, no_secrets)
