// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"cmp"
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
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadatatest"
	sim "github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

var environment = regexp.MustCompile(`\$\{env:([A-Z_]+)(?::-([^{}]*))?\}`)

// example reads the receiver of a configuration in config/, as the collector would
// with the environment given, and in a hurry.
func example(t testing.TB, name string, values map[string]string) *Config {
	t.Helper()
	one, err := shippedConf(t, name, values).Sub("receivers::ccaas_ws")
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	require.NoError(t, one.Unmarshal(config))
	config.Region = "us-east-1"
	hurry := configFor("")
	config.Reconnect, config.Batch.Timeout = hurry.Reconnect, hurry.Batch.Timeout
	config.Limits = LimitsConfig{RequestsPerMinute: 10_000, DialsPerMinute: 10_000}
	config.InitialState.Enabled, config.Storage = false, nil // these tests are about what the socket carries
	return config
}

// shippedConf reads a configuration in config/ with the environment given.
func shippedConf(t testing.TB, name string, values map[string]string) *confmap.Conf {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", name))
	require.NoError(t, err)
	for environment.Match(text) { // a default may name another variable
		text = environment.ReplaceAllFunc(text, func(one []byte) []byte {
			found := environment.FindSubmatch(one)
			return []byte(cmp.Or(values[string(found[1])], string(found[2])))
		})
	}
	retrieved, err := confmap.NewRetrievedFromYAML(text)
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	return conf
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

// agree waits until downstream has exactly what an API has sent.
func (b *bench) agree(t testing.TB, server *sim.Server, api string) {
	t.Helper()
	<-server.Done()
	want := func() sim.Counts { return server.Truth().APIs[api].Total }
	if !assert.Eventually(t, func() bool { return b.downstream.delivered() == want() }, patience, 100*time.Millisecond) {
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

func TestPlatforms_DeliverEveryEvent(t *testing.T) {
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
			for _, record := range b.downstream.records(wsevent.ConnectionClose) {
				_, known := record.Attributes().Get(wsevent.CloseAbnormal)
				assert.False(t, known && test.api == "event_hub", "the hub never says why a case ended")
			}
			if test.api != "connect_chat" {
				assert.Positive(t, b.downstream.delivered().PayloadBytes)
			}
			for _, record := range b.downstream.records(events()...)[:100] {
				assert.NotEmpty(t, record.Body().Str())
				assert.Equal(t, []string{"acme_corp", "us-east-1"}, []string{record.tenant, record.region}, fmt.Sprint(record.Attributes().AsRaw()))
			}
		})
	}
}

func TestRotation_MetricsWithoutRecords(t *testing.T) {
	t.Parallel()
	server := platformFor(t, oneSeries(func(c *sim.Config) {
		c.Rate, c.Events, c.TokenTTL, c.Delivery = 500, 3000, 4*time.Second, sim.DeliverBroadcast
		c.GrantedScopes = []string{"analytics:realtime:view", "admin:everything"}
	}))
	config := configFor(server.URL())
	config.Rotation.Overlap = 200 * time.Millisecond
	b := run(t, config)
	b.agree(t, server, "realtime_events")
	assert.Empty(t, b.downstream.records(wsevent.StreamGap, wsevent.StreamDisconnected))
	for _, name := range []string{
		"rotations", "duplicates", "token_refreshes", "token_remaining", "delivery_latency",
	} {
		_, err := b.telemetry.GetMetric("otelcol_ccaas_ws_" + name)
		require.NoError(t, err)
	}
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("has more scopes than requested").Len(), "logged once, over many tokens")
}

func TestNotifications_RejectedTopicsInStatusAndMetrics(t *testing.T) {
	t.Parallel()
	server := platformFor(t, oneSeries(func(c *sim.Config) { c.Silent = true }))
	config := configFor(server.URL())
	config.API = "notifications"
	config.Notifications.Topics = []string{"v2.routing.queues.nowhere.conversations.messages"}
	b := run(t, config)
	require.Eventually(t, func() bool { return b.host.LastStatus() == componentstatus.StatusRecoverableError }, patience, time.Millisecond)
	require.ErrorContains(t, b.host.LastEvent().Err(), "rejects all 1 topics")
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("rejects the subscription").Len(), "logged once")
	metadatatest.AssertEqualCcaasWsRejectedTopics(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualCcaasWsTopics(t, b.telemetry, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
}

func TestPlatforms_ReconnectAfterClose(t *testing.T) {
	t.Parallel()
	for api, of := range map[string]string{"notifications": "genesys-notifications.yaml", "event_hub": "nice-event-hub.yaml", "connect_chat": "custom-amazon-connect.yaml"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			server := platformFor(t, oneSeries(func(c *sim.Config) { c.Rate, c.Events = 500, 1500 }))
			b := run(t, example(t, of, environmentOf(server)))
			waitConnected(t, server)
			for range 3 {
				time.Sleep(300 * time.Millisecond)
				server.CloseSockets(1001, "maintenance")
			}
			b.agree(t, server, api)
			assert.NotEmpty(t, b.downstream.records(wsevent.StreamGap))
		})
	}
}

// Topics with communications and without carry the same conversations.
func TestNotifications_TopicsWithCommunications(t *testing.T) {
	t.Parallel()
	server := platformFor(t, oneSeries(func(c *sim.Config) { c.Trouble.Duplicates = 0.05 }))
	config := example(t, "genesys-notifications.yaml", environmentOf(server))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+sim.QueuesPath+"?pageSize=100", http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+tokenOf(t, server))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	var queues struct {
		Entities []struct {
			ID string `json:"id"`
		} `json:"entities"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&queues))
	for _, queue := range queues.Entities {
		config.Notifications.Topics = append(config.Notifications.Topics, "v2.routing.queues."+queue.ID+".conversations")
	}
	b := run(t, config)
	b.agree(t, server, "notifications")
	assert.Empty(t, b.downstream.records(wsevent.ProtocolViolation))
	channels := map[string]int{}
	for _, record := range b.downstream.records(wsevent.ConnectionOpen, wsevent.ConnectionClose) {
		channel, _ := record.Attributes().Get(wsevent.ChannelID)
		channels[channel.Str()]++
	}
	for channel, n := range channels {
		assert.LessOrEqual(t, n, 2, "%s opens and closes once", channel)
	}
}
