// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ccaas/otelcol-ccaas/cmd/ccaassim/sim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

var environment = regexp.MustCompile(`\$\{env:([A-Z_]+)(:-[^}]*)?\}`)

// example reads the receiver of a configuration in config/, as the collector would
// with the environment given, and in a hurry.
func example(t testing.TB, name string, values map[string]string) *Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", name))
	require.NoError(t, err)
	text = environment.ReplaceAllFunc(text, func(one []byte) []byte {
		return []byte(values[string(environment.FindSubmatch(one)[1])])
	})
	retrieved, err := confmap.NewRetrievedFromYAML(text)
	require.NoError(t, err)
	whole, err := retrieved.AsConf()
	require.NoError(t, err)
	one, err := whole.Sub("receivers::ccaas_ws")
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	require.NoError(t, one.Unmarshal(config))
	config.Region = "us-east-1"
	hurry := configFor("")
	config.Reconnect, config.Batch.Timeout = hurry.Reconnect, hurry.Batch.Timeout
	config.Limits = LimitsConfig{RequestsPerMinute: 10_000, DialsPerMinute: 10_000}
	return config
}

// oneSeries is a platform whose events have one set of dimensions, as most APIs do
// not name them.
func oneSeries(change func(*sim.Config)) func(*sim.Config) {
	return func(c *sim.Config) {
		c.Silent, c.Announce = false, true
		c.Tenants, c.Regions = []string{"acme_corp"}, []string{"us-east-1"}
		c.Rate, c.Events, c.Sessions, c.DropRate = 2000, 3000, 60, 20
		c.AccessKey, c.AccessKeySecret = "key", secret
		if change != nil {
			change(c)
		}
	}
}

func environmentOf(server *sim.Server) map[string]string {
	return map[string]string{
		"CCAAS_ENDPOINT": server.URL(), "CCAAS_CLIENT_ID": clientID, "CCAAS_CLIENT_SECRET": secret,
		"CCAAS_ACCESS_KEY": "key", "CCAAS_ACCESS_KEY_SECRET": secret, "PARTICIPANT_TOKEN": secret,
	}
}

// delivered are the counts of what downstream has.
func (d *downstream) delivered() sim.Counts {
	var counts sim.Counts
	for _, record := range d.records(events()...) {
		switch record.EventName() {
		case wsevent.ConnectionOpen:
			counts.ConnectionsOpened++
		case wsevent.ConnectionClose:
			counts.ConnectionsClosed++
			if abnormal, _ := record.Attributes().Get(wsevent.CloseAbnormal); abnormal.Bool() {
				counts.ConnectionsDropped++
			}
		case wsevent.MessageSend:
			counts.MessagesSent++
		default:
			counts.MessagesReceived++
		}
		if size, known := record.Attributes().Get(wsevent.PayloadSize); known {
			counts.PayloadBytes += size.Int()
		}
	}
	return counts
}

// agree waits until downstream has exactly what an API told.
func (b *bench) agree(t testing.TB, server *sim.Server, api string) {
	t.Helper()
	<-server.Done()
	want := func() sim.Counts { return server.Truth().APIs[api].Total }
	if !assert.Eventually(t, func() bool { return b.downstream.delivered() == want() }, patience, 20*time.Millisecond) {
		assert.Equal(t, want(), b.downstream.delivered(), "%+v", server.Truth().APIs[api].Missed)
		t.FailNow()
	}
}

func tokenOf(t testing.TB, server *sim.Server) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	require.NoError(t, err)
	request.SetBasicAuth(clientID, secret)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&token))
	return token.AccessToken
}

func TestEveryPlatformDeliversWhatItTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ config, api string }{
		"genesys realtime":      {"genesys-realtime.yaml", "realtime_events"},
		"genesys notifications": {"genesys-notifications.yaml", "notifications"},
		"nice realtime":         {"nice-realtime.yaml", "realtime_events"},
		"nice event hub":        {"nice-event-hub.yaml", "event_hub"},
		"amazon connect":        {"custom-amazon-connect.yaml", "connect_chat"},
		"twilio taskrouter":     {"custom-twilio-taskrouter.yaml", "task_router"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := platformFor(t, oneSeries(func(c *sim.Config) { c.Trouble.Duplicates = 0.05 }))
			values := environmentOf(server)
			values["TASKROUTER_URL"] = server.URL() + "/v1/wschannels?token=" + url.QueryEscape(tokenOf(t, server))
			config := example(t, test.config, values)
			if test.config == "genesys-realtime.yaml" {
				config.Endpoint = server.URL()
			}
			b := run(t, config)
			b.agree(t, server, test.api)
			assert.Empty(t, b.downstream.records(wsevent.ProtocolViolation))
			assert.Empty(t, b.downstream.records(wsevent.StreamGap))
			if test.api != "connect_chat" && test.api != "event_hub" {
				assert.Positive(t, b.downstream.delivered().PayloadBytes)
			}
			for _, record := range b.downstream.records(events()...)[:100] {
				assert.NotEmpty(t, record.Body().Str())
				assert.Equal(t, []string{"acme_corp", "us-east-1"}, []string{record.tenant, record.region}, fmt.Sprint(record.Attributes().AsRaw()))
			}
		})
	}
}
