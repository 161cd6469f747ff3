// The walk of sdk-steps.ts with Azure's SDK for Go; see programWalk for what is printed.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/services/compute/mgmt/2022-03-03/compute"
	disks "github.com/Azure/azure-sdk-for-go/services/compute/mgmt/2022-07-02/compute"
	"github.com/Azure/azure-sdk-for-go/services/resources/mgmt/2021-04-01/resources"
	"github.com/Azure/go-autorest/autorest"
	"github.com/Azure/go-autorest/autorest/adal"
)

const (
	location = "westeurope"
	name     = "sdk"
)

var (
	ctx          = context.Background()
	base         = os.Getenv("ENDPOINT")
	subscription = os.Getenv("SUBSCRIPTION")
)

func text(value string) *string { return &value }

func equal(actual, expected interface{}) error {
	if fmt.Sprint(actual) != fmt.Sprint(expected) {
		return fmt.Errorf("%v is not %v", actual, expected)
	}
	return nil
}

// Code is what Azure's error says wherever the SDK keeps it.
func refused(err error, code string) error {
	if err == nil || !strings.Contains(err.Error(), code) {
		return fmt.Errorf("was not refused with %s: %v", code, err)
	}
	return nil
}

type future interface {
	WaitForCompletionRef(ctx context.Context, client autorest.Client) error
}

func wait(operation future, client autorest.Client, err error) error {
	if err != nil {
		return err
	}
	return operation.WaitForCompletionRef(ctx, client)
}

func authorizer() (autorest.Authorizer, error) {
	config, err := adal.NewOAuthConfig(base, os.Getenv("TENANT"))
	if err != nil {
		return nil, err
	}
	token, err := adal.NewServicePrincipalToken(*config, os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"), base)
	if err != nil {
		return nil, err
	}
	return autorest.NewBearerAuthorizer(token), nil
}

type walk struct {
	groups    resources.GroupsClient
	galleries compute.GalleriesClient
	images    compute.GalleryImagesClient
	versions  compute.GalleryImageVersionsClient
	disks     disks.DisksClient
	snapshots disks.SnapshotsClient
}

func newWalk() (*walk, error) {
	signed, err := authorizer()
	if err != nil {
		return nil, err
	}
	w := &walk{
		groups:    resources.NewGroupsClientWithBaseURI(base, subscription),
		galleries: compute.NewGalleriesClientWithBaseURI(base, subscription),
		images:    compute.NewGalleryImagesClientWithBaseURI(base, subscription),
		versions:  compute.NewGalleryImageVersionsClientWithBaseURI(base, subscription),
		disks:     disks.NewDisksClientWithBaseURI(base, subscription),
		snapshots: disks.NewSnapshotsClientWithBaseURI(base, subscription),
	}
	clients := []*autorest.Client{
		&w.groups.Client, &w.galleries.Client, &w.images.Client, &w.versions.Client, &w.disks.Client, &w.snapshots.Client,
	}
	for _, client := range clients {
		client.Authorizer = signed
		client.PollingDelay = 200_000_000
	}
	return w, nil
}

func (w *walk) createGroup() error {
	made, err := w.groups.CreateOrUpdate(ctx, name, resources.Group{Location: text(location)})
	if err != nil {
		return err
	}
	return equal(*made.Properties.ProvisioningState, "Succeeded")
}

func (w *walk) createGallery() error {
	body := compute.Gallery{Location: text(location), GalleryProperties: &compute.GalleryProperties{Description: text("one")}}
	operation, err := w.galleries.CreateOrUpdate(ctx, name, name, body)
	return wait(&operation, w.galleries.Client, err)
}

func (w *walk) getGallery() error {
	shown, err := w.galleries.Get(ctx, name, name, "", "")
	if err != nil {
		return err
	}
	return equal(*shown.Description, "one")
}

func (w *walk) listGalleries() error {
	page, err := w.galleries.List(ctx)
	if err != nil {
		return err
	}
	return equal(len(page.Values()), 1)
}

func (w *walk) listGroupGalleries() error {
	page, err := w.galleries.ListByResourceGroup(ctx, name)
	if err != nil {
		return err
	}
	return equal(len(page.Values()), 1)
}

func (w *walk) updateGallery() error {
	operation, err := w.galleries.Update(ctx, name, name, compute.GalleryUpdate{Tags: map[string]*string{"a": text("b")}})
	if err := wait(&operation, w.galleries.Client, err); err != nil {
		return err
	}
	made, err := operation.Result(w.galleries)
	if err != nil {
		return err
	}
	return equal(*made.Tags["a"]+*made.Description, "bone")
}

func definition(osType compute.OperatingSystemTypes) compute.GalleryImage {
	return compute.GalleryImage{Location: text(location), GalleryImageProperties: &compute.GalleryImageProperties{
		OsType: osType, OsState: compute.Specialized, HyperVGeneration: compute.V1,
		Identifier: &compute.GalleryImageIdentifier{Publisher: text(name), Offer: text(name), Sku: text(name)},
	}}
}

func (w *walk) putImage(osType compute.OperatingSystemTypes) error {
	operation, err := w.images.CreateOrUpdate(ctx, name, name, name, definition(osType))
	return wait(&operation, w.images.Client, err)
}

func (w *walk) getImage() error {
	shown, err := w.images.Get(ctx, name, name, name)
	if err != nil {
		return err
	}
	return equal(shown.OsType, "Linux")
}

func (w *walk) listImages() error {
	page, err := w.images.ListByGallery(ctx, name, name)
	if err != nil {
		return err
	}
	return equal(len(page.Values()), 1)
}

func (w *walk) updateImage() error {
	body := compute.GalleryImageUpdate{GalleryImageProperties: &compute.GalleryImageProperties{Description: text("x")}}
	operation, err := w.images.Update(ctx, name, name, name, body)
	return wait(&operation, w.images.Client, err)
}

func targetRegions() *[]compute.TargetRegion {
	one := int32(1)
	return &[]compute.TargetRegion{
		{Name: text("West Europe"), RegionalReplicaCount: &one},
		{Name: text("North Europe"), StorageAccountType: compute.StorageAccountTypePremiumLRS},
	}
}

func (w *walk) createVersion(version string, profile *compute.GalleryImageVersionStorageProfile) error {
	body := compute.GalleryImageVersion{
		Location: text(location),
		GalleryImageVersionProperties: &compute.GalleryImageVersionProperties{
			PublishingProfile: &compute.GalleryImageVersionPublishingProfile{TargetRegions: targetRegions()},
			StorageProfile:    profile,
		},
	}
	operation, err := w.versions.CreateOrUpdate(ctx, name, name, name, version, body)
	return wait(&operation, w.versions.Client, err)
}

func (w *walk) createFromBlob() error {
	account := "/subscriptions/" + subscription + "/resourceGroups/sdk/providers/Microsoft.Storage/storageAccounts/sdkaccount"
	source := &compute.GalleryDiskImageSource{URI: text(os.Getenv("VHD_URI")), StorageAccountID: text(account)}
	return w.createVersion("1.0.0", &compute.GalleryImageVersionStorageProfile{
		OsDiskImage: &compute.GalleryOSDiskImage{Source: source},
	})
}

func (w *walk) getVersion() (compute.GalleryImageVersion, error) {
	return w.versions.Get(ctx, name, name, name, "1.0.0", compute.ReplicationStatusTypesReplicationStatus)
}

func (w *walk) replicationStatus() error {
	shown, err := w.getVersion()
	if err != nil {
		return err
	}
	return equal(shown.ReplicationStatus.AggregatedState, "Completed")
}

func (w *walk) createFromVersion() error {
	first, err := w.getVersion()
	if err != nil {
		return err
	}
	return w.createVersion("1.0.1", &compute.GalleryImageVersionStorageProfile{
		Source: &compute.GalleryArtifactVersionFullSource{ID: first.ID},
	})
}

func (w *walk) listVersions(expected string) error {
	page, err := w.versions.ListByGalleryImage(ctx, name, name, name)
	if err != nil {
		return err
	}
	names := []string{}
	for _, one := range page.Values() {
		names = append(names, *one.Name)
	}
	return equal(strings.Join(names, " "), expected)
}

func (w *walk) updateVersion() error {
	excluded := true
	profile := &compute.GalleryImageVersionPublishingProfile{TargetRegions: targetRegions(), ExcludeFromLatest: &excluded}
	body := compute.GalleryImageVersionUpdate{
		Tags:                          map[string]*string{"e": text("f")},
		GalleryImageVersionProperties: &compute.GalleryImageVersionProperties{PublishingProfile: profile},
	}
	operation, err := w.versions.Update(ctx, name, name, name, "1.0.1", body)
	return wait(&operation, w.versions.Client, err)
}

func (w *walk) walkSnapshots() error {
	size := int64(1048576 + 512)
	body := disks.Snapshot{Location: text(location), SnapshotProperties: &disks.SnapshotProperties{
		CreationData: &disks.CreationData{CreateOption: disks.Upload, UploadSizeBytes: &size},
	}}
	made, err := w.snapshots.CreateOrUpdate(ctx, name, name, body)
	if err := wait(&made, w.snapshots.Client, err); err != nil {
		return err
	}
	page, err := w.snapshots.ListByResourceGroup(ctx, name)
	if err != nil {
		return err
	}
	if err := equal(len(page.Values()), 1); err != nil {
		return err
	}
	removed, err := w.snapshots.Delete(ctx, name, name)
	return wait(&removed, w.snapshots.Client, err)
}

func (w *walk) walkDisks() error {
	version, err := w.getVersion()
	if err != nil {
		return err
	}
	body := disks.Disk{Location: text(location), DiskProperties: &disks.DiskProperties{CreationData: &disks.CreationData{
		CreateOption: disks.FromImage, GalleryImageReference: &disks.ImageDiskReference{ID: version.ID},
	}}}
	made, err := w.disks.CreateOrUpdate(ctx, name, name, body)
	if err := wait(&made, w.disks.Client, err); err != nil {
		return err
	}
	shown, err := w.disks.Get(ctx, name, name)
	if err != nil {
		return err
	}
	if err := equal(*shown.ProvisioningState, "Succeeded"); err != nil {
		return err
	}
	removed, err := w.disks.Delete(ctx, name, name)
	return wait(&removed, w.disks.Client, err)
}

func (w *walk) deleteGallery() error {
	operation, err := w.galleries.Delete(ctx, name, name)
	return wait(&operation, w.galleries.Client, err)
}

func (w *walk) deleteVersions() error {
	for _, version := range []string{"1.0.0", "1.0.1"} {
		operation, err := w.versions.Delete(ctx, name, name, name, version)
		if err := wait(&operation, w.versions.Client, err); err != nil {
			return err
		}
	}
	return w.listVersions("")
}

func (w *walk) deleteImage() error {
	operation, err := w.images.Delete(ctx, name, name, name)
	return wait(&operation, w.images.Client, err)
}

func (w *walk) deleteGroup() error {
	operation, err := w.groups.Delete(ctx, name, "")
	return wait(&operation, w.groups.Client, err)
}

type step struct {
	name string
	run  func() error
}

func main() {
	w, err := newWalk()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	steps := append([]step{
		{"sign in and create a resource group", w.createGroup},
		{"galleries: create", w.createGallery},
		{"galleries: get", w.getGallery},
		{"galleries: list by resource group", w.listGroupGalleries},
		{"galleries: list", w.listGalleries},
		{"galleries: update", w.updateGallery},
		{"images: create", func() error { return w.putImage(compute.OperatingSystemTypesLinux) }},
		{"images: get", w.getImage},
		{"images: list by gallery", w.listImages},
		{"images: update", w.updateImage},
		{"images: change what may not change", func() error {
			return refused(w.putImage(compute.OperatingSystemTypesWindows), "PropertyChangeNotAllowed")
		}},
		{"versions: create from a VHD in two regions", w.createFromBlob},
		{"versions: get with ReplicationStatus", w.replicationStatus},
		{"versions: create from another version", w.createFromVersion},
		{"versions: list by image", func() error { return w.listVersions("1.0.0 1.0.1") }},
		{"versions: update", w.updateVersion},
		{"snapshots: create, get, list, delete", w.walkSnapshots},
		{"disks: create from the image, get, list, delete", w.walkDisks},
	}, newSharingWalk(w).steps()...)
	steps = append(steps, []step{
		{"galleries: delete with children below", func() error {
			return refused(w.deleteGallery(), "CannotDeleteResource")
		}},
		{"versions: delete", w.deleteVersions},
		{"images: delete", w.deleteImage},
		{"galleries: delete", w.deleteGallery},
		{"resource group: delete", w.deleteGroup},
	}...)
	for _, step := range steps {
		if err := step.run(); err != nil {
			fmt.Printf("fail %s\t%s\n", step.name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Printf("ok %s\n", step.name)
		}
	}
}
