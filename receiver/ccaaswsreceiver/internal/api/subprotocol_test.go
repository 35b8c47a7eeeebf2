// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSubprotocols_Order(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		platform   string
		configured []string
		want       []string
	}{
		"the platform's own":         {"genesys_cloud", nil, []string{"v2.realtime-events"}},
		"newest version after it":    {"genesys_cloud", []string{"v3.realtime-events", "v10.realtime-events", "v1.realtime-events"}, []string{"v2.realtime-events", "v10.realtime-events", "v3.realtime-events", "v1.realtime-events"}},
		"others after versions":      {"genesys_cloud", []string{"events", "v3.other", "v3.realtime-events"}, []string{"v2.realtime-events", "v3.realtime-events", "events", "v3.other"}},
		"the same once":              {"nice_cxone", []string{"nice.digital.v1", "nice.digital.v2", "nice.digital.v2"}, []string{"nice.digital.v1", "nice.digital.v2"}},
		"a number without end":       {"nice_cxone", []string{"nice.digital.v99999999999999999999", "nice.digital.v2"}, []string{"nice.digital.v1", "nice.digital.v2", "nice.digital.v99999999999999999999"}},
		"custom, none":               {"custom", nil, nil},
		"custom, as they are listed": {"custom", []string{"v1.events", "v2.events"}, []string{"v1.events", "v2.events"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, profileOf(t, test.platform, realtimeEvents).Subprotocols(test.configured))
		})
	}
}

func TestPlatformOf_Endpoint(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"api.mypurecloud.de":                        "genesys_cloud",
		"wss://API.usw2.pure.cloud.:443/events":     "genesys_cloud",
		"mypurecloud.com":                           "genesys_cloud",
		"https://api-de-na1.niceincontact.com/x":    "nice_cxone",
		"events.incontact.com:8443":                 "nice_cxone",
		"wss://gateway.example.com":                 "",
		"wss://mypurecloud.com.example.com":         "",
		"wss://notmypurecloud.com":                  "",
		"wss://example.com/?at=api.mypurecloud.com": "",
		"localhost:8080":                            "",
		"":                                          "",
		"%zz":                                       "",
	} {
		platform, known := PlatformOf(endpoint)
		assert.Equal(t, want, platform, endpoint)
		assert.Equal(t, want != "", known, endpoint)
	}
}
