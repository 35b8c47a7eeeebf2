// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

func profileOf(t *testing.T, platform, name string) *Profile {
	t.Helper()
	found, err := Lookup(platform, name)
	require.NoError(t, err)
	return found.Profile()
}

func TestLookup_Genesys(t *testing.T) {
	t.Parallel()
	events := profileOf(t, "genesys_cloud", "realtime_events")
	assert.Equal(t, "v2.realtime-events", events.Subprotocol)
	topics := profileOf(t, "genesys_cloud", "notifications")
	assert.Empty(t, topics.Subprotocol)
	assert.Len(t, topics.regions(), 18)

	for region, host := range map[string]string{
		"us-east-1":      "api.mypurecloud.com",
		"us_east_1":      "api.mypurecloud.com",
		"eu-central-1":   "api.mypurecloud.de",
		"us_east_2":      "api.use2.us-gov-pure.cloud",
		"eusc_de_east_1": "api.edee1.eusc-pure.cloud",
	} {
		hosts, known := events.hosts(region)
		require.True(t, known, region)
		assert.Equal(t, host, hosts.api)
	}
	hosts, _ := events.hosts("ap-southeast-2")
	assert.Equal(t, "login.mypurecloud.com.au", hosts.login)

	_, known := events.hosts("atlantis-1")
	assert.False(t, known)
	assert.Equal(t, "us-east-1", events.Region("us_east_1"), "as events spell it")
	assert.Equal(t, "my_lab", events.Region("my_lab"), "an unknown region is unchanged")
}

func TestLookup_OtherPlatforms(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "nice.digital.v1", profileOf(t, "nice_cxone", "realtime_events").Subprotocol)
	hub := profileOf(t, "nice_cxone", "event_hub")
	_, err := jsonevent.NewMapped(hub.Fields, hub.Types)
	require.NoError(t, err)
	assert.Empty(t, hub.regions())
	assert.Empty(t, profileOf(t, "custom", "realtime_events").Subprotocol)

	_, err = Lookup("carrier_pigeon", "realtime_events")
	require.EqualError(t, err, `platform: "carrier_pigeon": must be one of genesys_cloud, nice_cxone, custom`)
	_, err = Lookup("custom", "notifications")
	require.EqualError(t, err, `api: "notifications": must be realtime_events with platform "custom"`)
}

func TestProfile_NamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, one := range all() {
		profile := one.Profile()
		name := profile.Platform + "/" + profile.API
		assert.False(t, seen[name], name)
		seen[name] = true
	}
}

// What depends on the API is in this package: no other code of the receiver compares the
// name of a platform or an API. The constants of the names are not exported.
func TestNames_AreComparedInThisPackageOnly(t *testing.T) {
	t.Parallel()
	var names []string
	for _, one := range all() {
		names = append(names, one.Profile().Platform, one.Profile().API)
	}
	comparison := regexp.MustCompile(`([!=]=|case) *"(` + strings.Join(names, "|") + `)"|\.(Platform|API) *[!=]=`)
	files := 0
	root := filepath.Join("..", "..")
	require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, filepath.Join(root, "internal", "api")) {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		assert.Empty(t, comparison.FindAllString(string(text), -1), path)
		return err
	}))
	assert.Greater(t, files, 50)
}
