// The later half of walk.go: applications, and what is shared.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/services/compute/mgmt/2022-03-03/compute"
	"github.com/Azure/go-autorest/autorest"
)

type sharingWalk struct {
	*walk
	applications        compute.GalleryApplicationsClient
	applicationVersions compute.GalleryApplicationVersionsClient
	sharing             compute.GallerySharingProfileClient
	sharedGalleries     compute.SharedGalleriesClient
	sharedImages        compute.SharedGalleryImagesClient
	sharedVersions      compute.SharedGalleryImageVersionsClient
	communityGalleries  compute.CommunityGalleriesClient
	communityImages     compute.CommunityGalleryImagesClient
	communityVersions   compute.CommunityGalleryImageVersionsClient
}

const (
	tool       = "tool"
	linux      = "linux"
	sharedName = "sdkshared"
	publicName = "sdkpublic"
)

func newSharingWalk(w *walk) *sharingWalk {
	s := &sharingWalk{
		walk:                w,
		applications:        compute.NewGalleryApplicationsClientWithBaseURI(base, subscription),
		applicationVersions: compute.NewGalleryApplicationVersionsClientWithBaseURI(base, subscription),
		sharing:             compute.NewGallerySharingProfileClientWithBaseURI(base, subscription),
		sharedGalleries:     compute.NewSharedGalleriesClientWithBaseURI(base, subscription),
		sharedImages:        compute.NewSharedGalleryImagesClientWithBaseURI(base, subscription),
		sharedVersions:      compute.NewSharedGalleryImageVersionsClientWithBaseURI(base, subscription),
		communityGalleries:  compute.NewCommunityGalleriesClientWithBaseURI(base, subscription),
		communityImages:     compute.NewCommunityGalleryImagesClientWithBaseURI(base, subscription),
		communityVersions:   compute.NewCommunityGalleryImageVersionsClientWithBaseURI(base, subscription),
	}
	for _, client := range []*autorest.Client{
		&s.applications.Client, &s.applicationVersions.Client, &s.sharing.Client, &s.sharedGalleries.Client,
		&s.sharedImages.Client, &s.sharedVersions.Client, &s.communityGalleries.Client, &s.communityImages.Client,
		&s.communityVersions.Client,
	} {
		client.Authorizer = w.galleries.Client.Authorizer
		client.PollingDelay = w.galleries.Client.PollingDelay
	}
	return s
}

// The names of a page's entries are `expected`.
func named[T any](entries []T, err error, name func(T) *string, expected ...string) error {
	if err != nil {
		return err
	}
	names := []string{}
	for _, one := range entries {
		names = append(names, *name(one))
	}
	return equal(names, expected)
}

func first(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (w *sharingWalk) createApplication() error {
	body := compute.GalleryApplication{Location: text(location), GalleryApplicationProperties: &compute.GalleryApplicationProperties{
		SupportedOSType: compute.OperatingSystemTypesLinux, Description: text("one"),
	}}
	operation, err := w.applications.CreateOrUpdate(ctx, name, name, tool, body)
	return wait(&operation, w.applications.Client, err)
}

func (w *sharingWalk) updateApplication() error {
	body := compute.GalleryApplicationUpdate{GalleryApplicationProperties: &compute.GalleryApplicationProperties{
		SupportedOSType: compute.OperatingSystemTypesLinux, Description: text("two"),
	}}
	operation, err := w.applications.Update(ctx, name, name, tool, body)
	return wait(&operation, w.applications.Client, err)
}

func (w *sharingWalk) getApplication() error {
	shown, err := w.applications.Get(ctx, name, name, tool)
	if err != nil {
		return err
	}
	return equal(*shown.Description, "two")
}

func (w *sharingWalk) listApplications(expected ...string) error {
	page, err := w.applications.ListByGallery(ctx, name, name)
	return named(page.Values(), err, func(one compute.GalleryApplication) *string { return one.Name }, expected...)
}

func (w *sharingWalk) deleteApplication() error {
	operation, err := w.applications.Delete(ctx, name, name, tool)
	if err := wait(&operation, w.applications.Client, err); err != nil {
		return err
	}
	return w.listApplications()
}

func publishing(excluded bool) *compute.GalleryApplicationVersionProperties {
	return &compute.GalleryApplicationVersionProperties{PublishingProfile: &compute.GalleryApplicationVersionPublishingProfile{
		Source:            &compute.UserArtifactSource{MediaLink: text(os.Getenv("PACKAGE_URI"))},
		ManageActions:     &compute.UserArtifactManage{Install: text("i"), Remove: text("r")},
		TargetRegions:     &[]compute.TargetRegion{{Name: text("West Europe")}, {Name: text("North Europe")}},
		ExcludeFromLatest: &excluded,
	}}
}

func (w *sharingWalk) createApplicationVersion() error {
	body := compute.GalleryApplicationVersion{Location: text(location), GalleryApplicationVersionProperties: publishing(false)}
	operation, err := w.applicationVersions.CreateOrUpdate(ctx, name, name, tool, "1.0.0", body)
	return wait(&operation, w.applicationVersions.Client, err)
}

func (w *sharingWalk) getApplicationVersion() error {
	shown, err := w.applicationVersions.Get(ctx, name, name, tool, "1.0.0", compute.ReplicationStatusTypesReplicationStatus)
	if err != nil {
		return err
	}
	return equal(shown.ReplicationStatus.AggregatedState, "Completed")
}

func (w *sharingWalk) listApplicationVersions(expected ...string) error {
	page, err := w.applicationVersions.ListByGalleryApplication(ctx, name, name, tool)
	return named(page.Values(), err, func(one compute.GalleryApplicationVersion) *string { return one.Name }, expected...)
}

func (w *sharingWalk) updateApplicationVersion() error {
	body := compute.GalleryApplicationVersionUpdate{GalleryApplicationVersionProperties: publishing(true)}
	operation, err := w.applicationVersions.Update(ctx, name, name, tool, "1.0.0", body)
	if err := wait(&operation, w.applicationVersions.Client, err); err != nil {
		return err
	}
	made, err := operation.Result(w.applicationVersions)
	if err != nil {
		return err
	}
	return equal(*made.PublishingProfile.ExcludeFromLatest, true)
}

func (w *sharingWalk) deleteApplicationVersion() error {
	operation, err := w.applicationVersions.Delete(ctx, name, name, tool, "1.0.0")
	if err := wait(&operation, w.applicationVersions.Client, err); err != nil {
		return err
	}
	return w.listApplicationVersions()
}

// A gallery of its own with a copy of what `sdk` has.
func (w *sharingWalk) openGallery(gallery string, profile compute.SharingProfile) error {
	source, err := w.getVersion()
	if err != nil {
		return err
	}
	image := definition(compute.OperatingSystemTypesLinux)
	image.Identifier.Sku = text(gallery)
	return first(
		func() error {
			body := compute.Gallery{Location: text(location), GalleryProperties: &compute.GalleryProperties{SharingProfile: &profile}}
			operation, err := w.galleries.CreateOrUpdate(ctx, name, gallery, body)
			return wait(&operation, w.galleries.Client, err)
		},
		func() error {
			operation, err := w.images.CreateOrUpdate(ctx, name, gallery, linux, image)
			return wait(&operation, w.images.Client, err)
		},
		func() error {
			operation, err := w.versions.CreateOrUpdate(ctx, name, gallery, linux, "1.0.0", compute.GalleryImageVersion{
				Location: text(location),
				GalleryImageVersionProperties: &compute.GalleryImageVersionProperties{
					PublishingProfile: &compute.GalleryImageVersionPublishingProfile{TargetRegions: targetRegions()},
					StorageProfile: &compute.GalleryImageVersionStorageProfile{
						Source: &compute.GalleryArtifactVersionFullSource{ID: source.ID},
					},
				},
			})
			return wait(&operation, w.versions.Client, err)
		},
	)
}

func (w *sharingWalk) share(gallery string, update compute.SharingUpdate) error {
	operation, err := w.sharing.Update(ctx, name, gallery, update)
	return wait(&operation, w.sharing.Client, err)
}

func (w *sharingWalk) closeGallery(gallery string) error {
	return first(
		func() error {
			return w.share(gallery, compute.SharingUpdate{OperationType: compute.Reset})
		},
		func() error {
			operation, err := w.versions.Delete(ctx, name, gallery, linux, "1.0.0")
			return wait(&operation, w.versions.Client, err)
		},
		func() error {
			operation, err := w.images.Delete(ctx, name, gallery, linux)
			return wait(&operation, w.images.Client, err)
		},
		func() error {
			operation, err := w.galleries.Delete(ctx, name, gallery)
			return wait(&operation, w.galleries.Client, err)
		},
	)
}

func (w *sharingWalk) shareWithSubscription() error {
	groups := []compute.SharingProfileGroup{{Type: compute.Subscriptions, Ids: &[]string{subscription}}}
	profile := compute.SharingProfile{Permissions: compute.Groups}
	add := compute.SharingUpdate{OperationType: compute.Add, Groups: &groups}
	return first(
		func() error { return w.openGallery(sharedName, profile) },
		func() error { return w.share(sharedName, add) },
		func() error {
			shown, err := w.galleries.Get(ctx, name, sharedName, "", compute.SharingProfileGroups)
			if err != nil {
				return err
			}
			return equal(*(*shown.SharingProfile.Groups)[0].Ids, []string{subscription})
		},
	)
}

func uniqueName() string { return subscription + "-SDKSHARED" }

func (w *sharingWalk) listShared(count int) error {
	page, err := w.sharedGalleries.List(ctx, location, "")
	if err != nil {
		return err
	}
	return equal(len(page.Values()), count)
}

func (w *sharingWalk) seeSharedGalleries() error {
	shown, err := w.sharedGalleries.Get(ctx, location, uniqueName())
	if err != nil {
		return err
	}
	return first(
		func() error { return equal(strings.HasSuffix(*shown.UniqueID, "-SDKSHARED"), true) },
		func() error { return w.listShared(1) },
	)
}

func (w *sharingWalk) seeSharedImages() error {
	shown, err := w.sharedImages.Get(ctx, location, uniqueName(), linux)
	if err != nil {
		return err
	}
	if err := equal(shown.OsType, "Linux"); err != nil {
		return err
	}
	page, err := w.sharedImages.List(ctx, location, uniqueName(), "")
	return named(page.Values(), err, func(one compute.SharedGalleryImage) *string { return one.Name }, linux)
}

func (w *sharingWalk) seeSharedVersions() error {
	shown, err := w.sharedVersions.Get(ctx, location, uniqueName(), linux, "1.0.0")
	if err != nil {
		return err
	}
	if err := equal(*shown.Name, "1.0.0"); err != nil {
		return err
	}
	page, err := w.sharedVersions.List(ctx, location, uniqueName(), linux, "")
	return named(page.Values(), err, func(one compute.SharedGalleryImageVersion) *string { return one.Name }, "1.0.0")
}

func (w *sharingWalk) resetSharing() error {
	return first(func() error { return w.closeGallery(sharedName) }, func() error { return w.listShared(0) })
}

func (w *sharingWalk) enableCommunity() error {
	profile := compute.SharingProfile{
		Permissions: compute.Community,
		CommunityGalleryInfo: &compute.CommunityGalleryInfo{
			PublisherURI:     text("https://contoso.example"),
			PublisherContact: text("images@contoso.example"),
			Eula:             text("https://contoso.example/eula"),
			PublicNamePrefix: text("contoso"),
		},
	}
	enable := compute.SharingUpdate{OperationType: compute.EnableCommunity}
	return first(
		func() error { return w.openGallery(publicName, profile) },
		func() error { return w.share(publicName, enable) },
	)
}

func (w *sharingWalk) communityName() (string, error) {
	shown, err := w.galleries.Get(ctx, name, publicName, "", "")
	if err != nil {
		return "", err
	}
	names := shown.SharingProfile.CommunityGalleryInfo.PublicNames
	if names == nil || len(*names) == 0 {
		return "", fmt.Errorf("it has no public name")
	}
	return (*names)[0], nil
}

func (w *sharingWalk) seeCommunityGallery() error {
	public, err := w.communityName()
	if err != nil {
		return err
	}
	shown, err := w.communityGalleries.Get(ctx, location, public)
	if err != nil {
		return err
	}
	return equal(*shown.Name, public)
}

func (w *sharingWalk) seeCommunityImages() error {
	public, err := w.communityName()
	if err != nil {
		return err
	}
	shown, err := w.communityImages.Get(ctx, location, public, linux)
	if err != nil {
		return err
	}
	if err := equal(shown.OsType, "Linux"); err != nil {
		return err
	}
	page, err := w.communityImages.List(ctx, location, public)
	return named(page.Values(), err, func(one compute.CommunityGalleryImage) *string { return one.Name }, linux)
}

func (w *sharingWalk) seeCommunityVersions() error {
	public, err := w.communityName()
	if err != nil {
		return err
	}
	shown, err := w.communityVersions.Get(ctx, location, public, linux, "1.0.0")
	if err != nil {
		return err
	}
	if err := equal(*shown.Name, "1.0.0"); err != nil {
		return err
	}
	page, err := w.communityVersions.List(ctx, location, public, linux)
	return named(page.Values(), err, func(one compute.CommunityGalleryImageVersion) *string { return one.Name }, "1.0.0")
}

func (w *sharingWalk) resetCommunity() error {
	public, err := w.communityName()
	if err != nil {
		return err
	}
	if err := w.closeGallery(publicName); err != nil {
		return err
	}
	_, err = w.communityGalleries.Get(ctx, location, public)
	return refused(err, "404")
}

func (w *sharingWalk) steps() []step {
	return []step{
		{"applications: create", w.createApplication},
		{"applications: update", w.updateApplication},
		{"applications: get", w.getApplication},
		{"applications: list by gallery", func() error { return w.listApplications(tool) }},
		{"application versions: create", w.createApplicationVersion},
		{"application versions: get with ReplicationStatus", w.getApplicationVersion},
		{"application versions: list by application", func() error { return w.listApplicationVersions("1.0.0") }},
		{"application versions: update", w.updateApplicationVersion},
		{"application versions: delete", w.deleteApplicationVersion},
		{"applications: delete", w.deleteApplication},
		{"sharing: add a subscription", w.shareWithSubscription},
		{"shared galleries: list, get", w.seeSharedGalleries},
		{"shared images: list, get", w.seeSharedImages},
		{"shared versions: list, get", w.seeSharedVersions},
		{"sharing: reset", w.resetSharing},
		{"community: enable", w.enableCommunity},
		{"community galleries: get", w.seeCommunityGallery},
		{"community images: list, get", w.seeCommunityImages},
		{"community versions: list, get", w.seeCommunityVersions},
		{"community: reset", w.resetCommunity},
	}
}
