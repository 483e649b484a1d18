"""The Python client of Kubernetes: what a script of an operator does.

    python.py KUBECONFIG

Says one line for each thing that went as it should, and fails on the first that did not.
"""

import sys
import threading

import kubernetes
from kubernetes.client.rest import ApiException

kubernetes.config.load_kube_config(sys.argv[1])
core = kubernetes.client.CoreV1Api()
routes = kubernetes.client.CustomObjectsApi()


def expect(what, holds):
    if not holds:
        sys.exit(f"not so: {what}")
    print(what)


def refusal(code, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except ApiException as fault:
        return fault.status == code
    return False


made = core.create_namespaced_config_map(
    "shop", {"metadata": {"name": "a", "labels": {"color": "red"}}, "data": {"key": "1"}}
)
expect("a ConfigMap is made", made.metadata.uid and made.metadata.namespace == "shop")
expect("it cannot be made twice", refusal(409, core.create_namespaced_config_map, "shop", {"metadata": {"name": "a"}}))

seen = []
watch = kubernetes.watch.Watch()


def look():
    for event in watch.stream(core.list_namespaced_config_map, "shop", resource_version=made.metadata.resource_version):
        seen.append((event["type"], event["object"].data))
        if event["type"] == "DELETED":
            watch.stop()


looking = threading.Thread(target=look)
looking.start()
core.patch_namespaced_config_map("a", "shop", {"data": {"key": "2"}})
stale = core.read_namespaced_config_map("a", "shop")
core.patch_namespaced_config_map("a", "shop", {"data": {"key": "3"}})
expect("a stale write is refused", refusal(409, core.replace_namespaced_config_map, "a", "shop", stale))
listed = core.list_config_map_for_all_namespaces(label_selector="color=red", limit=1)
expect("a label finds it", [item.metadata.name for item in listed.items] == ["a"])
core.delete_namespaced_config_map("a", "shop")
looking.join(timeout=30)
expect("a watch sees it all", seen == [("MODIFIED", {"key": "2"}), ("MODIFIED", {"key": "3"}), ("DELETED", {"key": "3"})])
expect("it is gone", refusal(404, core.read_namespaced_config_map, "a", "shop"))

route = {
    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "cart"},
    "spec": {"parentRefs": [{"name": "edge"}]},
}
place = {"group": "gateway.networking.k8s.io", "version": "v1", "namespace": "shop", "plural": "httproutes"}
routes.create_namespaced_custom_object(body=route, **place)
listed = routes.list_namespaced_custom_object(**place)
expect("a route is a custom object", listed["items"][0]["spec"]["parentRefs"][0]["kind"] == "Gateway")
wrong = dict(route, metadata={"name": "wrong"}, spec={"parentRefs": [{"nam": "edge"}]})
expect("what is no route is refused", refusal(422, routes.create_namespaced_custom_object, body=wrong, **place))
names = {group.name for group in kubernetes.client.ApisApi().get_api_versions().groups}
expect("groups are found", "gateway.networking.k8s.io" in names)
expect("the version is told", "selvedge" in kubernetes.client.VersionApi().get_code().git_version)
