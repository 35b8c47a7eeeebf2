// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/wsclient"
)

func TestAllowedHosts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		platform, api    string
		config           Config
		allowed, refused []string
	}{
		"the domain of the endpoint": {
			"custom",
			"realtime_events",
			Config{Endpoint: "wss://gateway.example.co.uk"},
			[]string{"wss://gateway.example.co.uk", "wss://GATEWAY.example.co.uk:444", "wss://sockets.example.co.uk", "https://example.co.uk.", "wss://a.b.example.co.uk"},
			[]string{"wss://example.com", "wss://other.co.uk", "wss://example.co.uk.evil.net", "wss://notexample.co.uk", "wss://127.0.0.1", "ws://localhost", "ws://gateway.example.co.uk"},
		},
		"a vendor's shared domain": {
			"custom",
			"realtime_events",
			Config{Endpoint: "wss://participant.connect.us-east-1.amazonaws.com"},
			[]string{"wss://r5x.transport.connect.us-east-1.amazonaws.com"},
			[]string{"wss://x.execute-api.us-east-1.amazonaws.com", "wss://bucket.s3.amazonaws.com", "wss://participant.connect.eu-west-2.amazonaws.com"},
		},
		"loopback": {
			"custom",
			"realtime_events",
			Config{Endpoint: "ws://127.0.0.1:8080"},
			[]string{"ws://127.0.0.1:9090", "ws://localhost:1", "ws://[::1]:1"},
			[]string{"wss://10.0.0.1", "wss://example.com"},
		},
		"an address and a name of a cluster are themselves alone": {
			"custom",
			"realtime_events",
			Config{Endpoint: "wss://gateway.telephony.svc.cluster.local"},
			[]string{"wss://gateway.telephony.svc.cluster.local"},
			[]string{"wss://other.telephony.svc.cluster.local", "wss://cluster.local"},
		},
		"an explicit list": {
			"custom",
			"realtime_events",
			Config{
				Endpoint:     "wss://10.0.0.1",
				AllowedHosts: []string{"Sockets.example.com", "*.example.net", "10.0.0.3"},
			},
			[]string{"wss://10.0.0.1", "wss://sockets.example.com", "wss://a.example.net", "wss://a.b.example.net", "wss://10.0.0.3"},
			[]string{"wss://10.0.0.2", "wss://example.com", "wss://a.sockets.example.com", "wss://example.net"},
		},
		"genesys: the streaming host of the region": {
			"genesys_cloud",
			"notifications",
			Config{Region: "eu-central-1"},
			[]string{"wss://streaming.mypurecloud.de/channels/1"},
			[]string{"wss://api.mypurecloud.de", "wss://streaming.mypurecloud.com", "wss://streaming.mypurecloud.de.evil.net", "ws://streaming.mypurecloud.de"},
		},
		"genesys: a list": {
			"genesys_cloud",
			"notifications",
			Config{Region: "us-west-2", AllowedHosts: []string{"streaming2.usw2.pure.cloud"}},
			[]string{"wss://streaming2.usw2.pure.cloud"},
			[]string{"wss://streaming.euw2.pure.cloud"},
		},
		"nice: the vendor's domains": {
			"nice_cxone",
			"event_hub",
			Config{EventHub: EventHubConfig{DiscoveryURL: NICEDiscovery}},
			[]string{"https://cxone.niceincontact.com/token", "wss://event-hub-de-na1.niceincontact.com", "https://na1.nice-incontact.com"},
			[]string{"https://niceincontact.com.evil.net", "https://evil.net", "http://cxone.niceincontact.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := test.config
			config.OAuth2 = OAuth2Config{ClientID: "someone", ClientSecret: "hush"}
			found, err := Lookup(test.platform, test.api)
			require.NoError(t, err)
			at, err := found.Endpoints(&config)
			require.NoError(t, err)
			for _, text := range test.allowed {
				require.NoError(t, at.Check(parsed(t, text)), text)
			}
			for _, text := range test.refused {
				require.Error(t, at.Check(parsed(t, text)), text)
			}
		})
	}
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	at, err := url.Parse(text)
	require.NoError(t, err)
	return at
}

func TestAllowedHosts_ErrorNamesHostAndAllowed(t *testing.T) {
	t.Parallel()
	at, err := custom{}.Endpoints(&Config{Endpoint: "wss://gateway.example.com", AllowedHosts: []string{"*.example.org"}})
	require.NoError(t, err)
	err = at.Check(parsed(t, "wss://evil.example.net/?token=hush"))
	require.ErrorIs(t, err, wsclient.ErrHostRefused)
	for _, says := range []string{`"evil.example.net"`, "gateway.example.com", "*.example.org", "add it to allowed_hosts"} {
		require.ErrorContains(t, err, says)
	}
	assert.NotContains(t, err.Error(), "hush")
}

func TestAllowedHosts_Validate(t *testing.T) {
	t.Parallel()
	for entry, good := range map[string]bool{
		"login.example.com": true, "*.example.com": true, "10.0.0.1": true, "::1": true, "gateway": true, "Login.Example.com": true,
		"": false, "*": false, "*.com": false, "*.co.uk": false, "https://example.com": false, "example.com/x": false, "example.com:443": false,
		"a.*.com": false, "*.10.0.0.1": false, "<your-host>": false,
	} {
		if err := ValidateAllowedHosts([]string{entry}); good {
			require.NoError(t, err, entry)
		} else {
			require.ErrorContains(t, err, "allowed_hosts[0]: ", entry)
		}
	}
}

// The host that is dialled is the one that was checked.
func TestAllowedHosts_NormalizesHost(t *testing.T) {
	t.Parallel()
	endpoints, err := custom{}.Endpoints(&Config{Endpoint: "ws://127.0.0.1:8080", AllowedHosts: []string{"*.example.com", "10.0.0.3"}})
	require.NoError(t, err)
	check := endpoints.Check
	for named, dialled := range map[string]string{
		"ws://LOCALHOST.:22281/x?y=z": "ws://localhost:22281/x?y=z",
		"ws://localhost.":             "ws://localhost",
		"ws://localho\u017ft:1":       "ws://localhost:1", // which is folded to an s
		"ws://127.0.0.1.:22281/":      "ws://127.0.0.1:22281/",
		"wss://10.0.0.3.":             "wss://10.0.0.3",
		"ws://[::1]:9":                "ws://[::1]:9",
		"wss://a.example.com.:444/":   "wss://a.example.com.:444/",
		"wss://A.example.com":         "wss://A.example.com",
	} {
		at, err := wsclient.SocketURL(named, check)
		require.NoError(t, err, named)
		assert.Equal(t, dialled, at.String())
	}
	for _, named := range []string{"ws://a.localhost:1/", "ws://localhost../", "ws://127.0.0.1../", "ws://0x7f.1:1/", "ws://2130706433:1"} {
		_, err := wsclient.SocketURL(named, check)
		require.Error(t, err, named)
	}
}
