// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

func TestGenesysCloud(t *testing.T) {
	t.Parallel()
	profile, ok := Lookup(GenesysCloud)
	require.True(t, ok)
	assert.Equal(t, []string{"notifications", "realtime_events"}, profile.APIs())
	events, ok := profile.API(RealtimeEvents)
	require.True(t, ok)
	assert.Equal(t, "v2.realtime-events", events.Subprotocol)
	topics, ok := profile.API(Notifications)
	require.True(t, ok)
	assert.Empty(t, topics.Subprotocol)
	assert.Len(t, profile.Regions(), 18)

	for region, api := range map[string]string{
		"us-east-1":      "api.mypurecloud.com",
		"us_east_1":      "api.mypurecloud.com",
		"eu-central-1":   "api.mypurecloud.de",
		"us_east_2":      "api.use2.us-gov-pure.cloud",
		"eusc_de_east_1": "api.edee1.eusc-pure.cloud",
	} {
		hosts, known := profile.Hosts(region)
		require.True(t, known, region)
		assert.Equal(t, api, hosts.API)
	}
	hosts, _ := profile.Hosts("ap-southeast-2")
	assert.Equal(t, "login.mypurecloud.com.au", hosts.Login)

	_, known := profile.Hosts("atlantis-1")
	assert.False(t, known)
	assert.Equal(t, "us-east-1", profile.Region("us_east_1"), "as events spell it")
	assert.Equal(t, "my_lab", profile.Region("my_lab"), "not ours to respell")
}

func TestOtherPlatforms(t *testing.T) {
	t.Parallel()
	nice, ok := Lookup(NICECXone)
	require.True(t, ok)
	events, ok := nice.API(RealtimeEvents)
	require.True(t, ok)
	assert.Equal(t, "nice.digital.v1", events.Subprotocol)
	hub, ok := nice.API(EventHub)
	require.True(t, ok)
	_, err := jsonevent.NewMapped(hub.Fields, hub.Types)
	require.NoError(t, err)
	assert.Empty(t, nice.Regions())

	custom, ok := Lookup(Custom)
	require.True(t, ok)
	assert.Equal(t, []string{"realtime_events"}, custom.APIs())

	_, ok = Lookup("carrier_pigeon")
	assert.False(t, ok)
	for _, name := range Names() {
		_, ok := Lookup(name)
		assert.True(t, ok, name)
	}
}
