"""The walk of sdk-steps.ts with Azure's SDK for Python; see programWalk for what is printed."""

import os
import sys

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.resource import ResourceManagementClient

env = os.environ
base = env["ENDPOINT"]
# The tenant 'adfs' keeps this version from asking the public cloud whether it knows our authority (CLIENTS.md).
credential = ClientSecretCredential("adfs", env["CLIENT_ID"], env["CLIENT_SECRET"], authority=base)
options = {"base_url": base, "credential_scopes": [base + "/.default"]}
groups = ResourceManagementClient(credential, env["SUBSCRIPTION"], **options).resource_groups
compute = ComputeManagementClient(credential, env["SUBSCRIPTION"], api_version="2022-03-03", **options)
disks_client = ComputeManagementClient(credential, env["SUBSCRIPTION"], api_version="2022-07-02", **options)

location = "westeurope"
group = "sdk"
definition = {
    "location": location,
    "os_type": "Linux",
    "os_state": "Specialized",
    "hyper_v_generation": "V1",
    "identifier": {"publisher": "sdk", "offer": "sdk", "sku": "sdk"},
}
regions = [
    {"name": "West Europe", "regional_replica_count": 1},
    {"name": "North Europe", "storage_account_type": "Premium_LRS"},
]
account = f"/subscriptions/{env['SUBSCRIPTION']}/resourceGroups/sdk/providers/Microsoft.Storage/storageAccounts/sdkaccount"


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} is not {expected!r}")


def refused(call, code):
    try:
        call()
    except HttpResponseError as error:
        equal(error.error.code if error.error else None, code)
        return
    raise AssertionError(f"was not refused with {code}")


def absent(call):
    try:
        call()
    except ResourceNotFoundError:
        return
    raise AssertionError("is still there")


def create_group():
    equal(groups.create_or_update(group, {"location": location}).properties.provisioning_state, "Succeeded")


def create_gallery():
    made = compute.galleries.begin_create_or_update(group, "sdk", {"location": location, "description": "one"}).result()
    equal(made.provisioning_state, "Succeeded")


def update_gallery():
    made = compute.galleries.begin_update(group, "sdk", {"tags": {"a": "b"}}).result()
    equal((made.tags, made.description), ({"a": "b"}, "one"))


def create_image():
    made = compute.gallery_images.begin_create_or_update(group, "sdk", "sdk", definition).result()
    equal(made.identifier.publisher, "sdk")


def update_image():
    made = compute.gallery_images.begin_update(group, "sdk", "sdk", {"description": "x", "tags": {"c": "d"}}).result()
    equal(made.description, "x")


def create_version(name, storage_profile):
    body = {"location": location, "publishing_profile": {"target_regions": regions}, "storage_profile": storage_profile}
    made = compute.gallery_image_versions.begin_create_or_update(group, "sdk", "sdk", name, body).result()
    equal((made.name, made.provisioning_state), (name, "Succeeded"))


def replication_status():
    shown = compute.gallery_image_versions.get(group, "sdk", "sdk", "1.0.0", expand="ReplicationStatus")
    equal(shown.replication_status.aggregated_state, "Completed")
    equal(len(shown.publishing_profile.target_regions), 2)


def version_id():
    return compute.gallery_image_versions.get(group, "sdk", "sdk", "1.0.0").id


def update_version():
    body = {"tags": {"e": "f"}, "publishing_profile": {"target_regions": regions, "exclude_from_latest": True}}
    made = compute.gallery_image_versions.begin_update(group, "sdk", "sdk", "1.0.1", body).result()
    equal((made.tags, made.publishing_profile.exclude_from_latest), ({"e": "f"}, True))


def snapshots():
    data = {"create_option": "Upload", "upload_size_bytes": 1048576 + 512}
    client = disks_client.snapshots
    client.begin_create_or_update(group, "sdk", {"location": location, "creation_data": data}).result()
    equal(client.get(group, "sdk").creation_data.create_option, "Upload")
    equal(len(list(client.list_by_resource_group(group))), 1)
    client.begin_delete(group, "sdk").result()
    absent(lambda: client.get(group, "sdk"))


def disks():
    data = {"create_option": "FromImage", "gallery_image_reference": {"id": version_id()}}
    client = disks_client.disks
    client.begin_create_or_update(group, "sdk", {"location": location, "creation_data": data}).result()
    equal(client.get(group, "sdk").provisioning_state, "Succeeded")
    equal(len(list(client.list())), 1)
    client.begin_delete(group, "sdk").result()
    absent(lambda: client.get(group, "sdk"))


tool = (group, "sdk", "tool")
publishing = {
    "target_regions": [{"name": "West Europe"}, {"name": "North Europe"}],
    "source": {"media_link": env["PACKAGE_URI"]},
    "manage_actions": {"install": "i", "remove": "r"},
}


def names(items):
    return [one.name for one in items]


def create_application():
    body = {"location": location, "supported_os_type": "Linux", "description": "one"}
    made = compute.gallery_applications.begin_create_or_update(*tool, body).result()
    equal(made.supported_os_type, "Linux")


def update_application():
    body = {"description": "two", "tags": {"a": "b"}}
    made = compute.gallery_applications.begin_update(*tool, body).result()
    equal((made.description, made.tags), ("two", {"a": "b"}))


def delete_application():
    compute.gallery_applications.begin_delete(*tool).result()
    absent(lambda: compute.gallery_applications.get(*tool))


def create_application_version():
    body = {"location": location, "publishing_profile": publishing}
    made = compute.gallery_application_versions.begin_create_or_update(*tool, "1.0.0", body).result()
    equal(made.provisioning_state, "Succeeded")


def get_application_version():
    shown = compute.gallery_application_versions.get(*tool, "1.0.0", expand="ReplicationStatus")
    equal(shown.replication_status.aggregated_state, "Completed")
    equal(shown.publishing_profile.source.media_link, env["PACKAGE_URI"])


def update_application_version():
    body = {"publishing_profile": {**publishing, "exclude_from_latest": True}}
    made = compute.gallery_application_versions.begin_update(*tool, "1.0.0", body).result()
    equal(made.publishing_profile.exclude_from_latest, True)


def delete_application_version():
    compute.gallery_application_versions.begin_delete(*tool, "1.0.0").result()
    equal(list(compute.gallery_application_versions.list_by_gallery_application(*tool)), [])


def open_gallery(name, sharing_profile):
    """A gallery of its own with a copy of what `sdk` has."""
    body = {"location": location, "sharing_profile": sharing_profile}
    compute.galleries.begin_create_or_update(group, name, body).result()
    identifier = {"publisher": "sdk", "offer": "sdk", "sku": name}
    compute.gallery_images.begin_create_or_update(group, name, "linux", {**definition, "identifier": identifier}).result()
    version = {
        "location": location,
        "publishing_profile": {"target_regions": regions},
        "storage_profile": {"source": {"id": version_id()}},
    }
    compute.gallery_image_versions.begin_create_or_update(group, name, "linux", "1.0.0", version).result()


def share(name, operation, groups=None):
    body = {"operation_type": operation, "groups": groups}
    compute.gallery_sharing_profile.begin_update(group, name, body).result()


def close_gallery(name):
    share(name, "Reset")
    compute.gallery_image_versions.begin_delete(group, name, "linux", "1.0.0").result()
    compute.gallery_images.begin_delete(group, name, "linux").result()
    compute.galleries.begin_delete(group, name).result()


def share_with_subscription():
    open_gallery("sdkshared", {"permissions": "Groups"})
    share("sdkshared", "Add", [{"type": "Subscriptions", "ids": [env["SUBSCRIPTION"]]}])
    shown = compute.galleries.get(group, "sdkshared", expand="SharingProfile/Groups")
    equal(shown.sharing_profile.groups[0].ids, [env["SUBSCRIPTION"]])


shared = (location, env["SUBSCRIPTION"] + "-SDKSHARED")


def shared_galleries():
    equal(len(list(compute.shared_galleries.list(location))), 1)
    equal(compute.shared_galleries.get(*shared).unique_id.endswith("-SDKSHARED"), True)


def shared_images():
    equal(names(compute.shared_gallery_images.list(*shared)), ["linux"])
    equal(compute.shared_gallery_images.get(*shared, "linux").os_type, "Linux")


def shared_versions():
    equal(names(compute.shared_gallery_image_versions.list(*shared, "linux")), ["1.0.0"])
    equal(compute.shared_gallery_image_versions.get(*shared, "linux", "1.0.0").name, "1.0.0")


def reset_sharing():
    close_gallery("sdkshared")
    equal(list(compute.shared_galleries.list(location)), [])


def enable_community():
    info = {
        "publisher_uri": "https://contoso.example",
        "publisher_contact": "images@contoso.example",
        "eula": "https://contoso.example/eula",
        "public_name_prefix": "contoso",
    }
    open_gallery("sdkpublic", {"permissions": "Community", "community_gallery_info": info})
    share("sdkpublic", "EnableCommunity")
    equal(public_name().startswith("contoso-"), True)


def public_name():
    return compute.galleries.get(group, "sdkpublic").sharing_profile.community_gallery_info.public_names[0]


def community_images():
    equal(names(compute.community_gallery_images.list(location, public_name())), ["linux"])
    equal(compute.community_gallery_images.get(location, public_name(), "linux").os_type, "Linux")


def community_versions():
    of = (location, public_name(), "linux")
    equal(names(compute.community_gallery_image_versions.list(*of)), ["1.0.0"])
    equal(compute.community_gallery_image_versions.get(*of, "1.0.0").name, "1.0.0")


def reset_community():
    name = public_name()
    close_gallery("sdkpublic")
    absent(lambda: compute.community_galleries.get(location, name))


def delete_versions():
    for name in ("1.0.0", "1.0.1"):
        compute.gallery_image_versions.begin_delete(group, "sdk", "sdk", name).result()
    equal(list(compute.gallery_image_versions.list_by_gallery_image(group, "sdk", "sdk")), [])


def delete_gallery():
    compute.galleries.begin_delete(group, "sdk").result()
    absent(lambda: compute.galleries.get(group, "sdk"))


blob = {"os_disk_image": {"source": {"uri": env["VHD_URI"], "storage_account_id": account}}}
steps = [
    ("sign in and create a resource group", create_group),
    ("galleries: create", create_gallery),
    ("galleries: get", lambda: equal(compute.galleries.get(group, "sdk").description, "one")),
    ("galleries: list by resource group", lambda: equal(len(list(compute.galleries.list_by_resource_group(group))), 1)),
    ("galleries: list", lambda: equal(len(list(compute.galleries.list())), 1)),
    ("galleries: update", update_gallery),
    ("images: create", create_image),
    ("images: get", lambda: equal(compute.gallery_images.get(group, "sdk", "sdk").os_type, "Linux")),
    ("images: list by gallery", lambda: equal(len(list(compute.gallery_images.list_by_gallery(group, "sdk"))), 1)),
    ("images: update", update_image),
    (
        "images: change what may not change",
        lambda: refused(
            lambda: compute.gallery_images.begin_create_or_update(
                group, "sdk", "sdk", {**definition, "os_type": "Windows"}
            ).result(),
            "PropertyChangeNotAllowed",
        ),
    ),
    ("versions: create from a VHD in two regions", lambda: create_version("1.0.0", blob)),
    ("versions: get with ReplicationStatus", replication_status),
    ("versions: create from another version", lambda: create_version("1.0.1", {"source": {"id": version_id()}})),
    (
        "versions: list by image",
        lambda: equal(
            [one.name for one in compute.gallery_image_versions.list_by_gallery_image(group, "sdk", "sdk")],
            ["1.0.0", "1.0.1"],
        ),
    ),
    ("versions: update", update_version),
    ("snapshots: create, get, list, delete", snapshots),
    ("disks: create from the image, get, list, delete", disks),
    ("applications: create", create_application),
    ("applications: update", update_application),
    ("applications: get", lambda: equal(compute.gallery_applications.get(*tool).description, "two")),
    (
        "applications: list by gallery",
        lambda: equal(names(compute.gallery_applications.list_by_gallery(group, "sdk")), ["tool"]),
    ),
    ("application versions: create", create_application_version),
    ("application versions: get with ReplicationStatus", get_application_version),
    (
        "application versions: list by application",
        lambda: equal(names(compute.gallery_application_versions.list_by_gallery_application(*tool)), ["1.0.0"]),
    ),
    ("application versions: update", update_application_version),
    ("application versions: delete", delete_application_version),
    ("applications: delete", delete_application),
    ("sharing: add a subscription", share_with_subscription),
    ("shared galleries: list, get", shared_galleries),
    ("shared images: list, get", shared_images),
    ("shared versions: list, get", shared_versions),
    ("sharing: reset", reset_sharing),
    ("community: enable", enable_community),
    (
        "community galleries: get",
        lambda: equal(compute.community_galleries.get(location, public_name()).name, public_name()),
    ),
    ("community images: list, get", community_images),
    ("community versions: list, get", community_versions),
    ("community: reset", reset_community),
    (
        "galleries: delete with children below",
        lambda: refused(lambda: compute.galleries.begin_delete(group, "sdk").result(), "CannotDeleteResource"),
    ),
    ("versions: delete", delete_versions),
    ("images: delete", lambda: compute.gallery_images.begin_delete(group, "sdk", "sdk").result()),
    ("galleries: delete", delete_gallery),
    ("resource group: delete", lambda: groups.begin_delete(group).result()),
]

for name, run in steps:
    try:
        run()
        print(f"ok {name}")
    except Exception as error:  # whatever goes wrong is the step's result
        reason = f"{type(error).__name__}: {error}".replace("\n", " ")
        print(f"fail {name}\t{reason}")
    sys.stdout.flush()
