// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
)

// load reads one of the configurations in testdata.
func load(t *testing.T, name string) *Config {
	t.Helper()
	file, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	one, err := file.Sub(component.NewIDWithName(metadata.Type, name).String())
	require.NoError(t, err)
	require.NotEmpty(t, one.AllKeys(), name)
	config := createDefaultConfig().(*Config)
	require.NoError(t, one.Unmarshal(config))
	return config
}

func TestGoodConfig(t *testing.T) {
	t.Parallel()
	defaults := createDefaultConfig().(*Config)
	defaults.Region, defaults.TenantID = "us-east-1", "acme_corp"
	defaults.OAuth2.ClientID, defaults.OAuth2.ClientSecret = "dedicated-client", "hush"
	config := load(t, "genesys")
	require.NoError(t, config.Validate())
	assert.Equal(t, defaults, config)

	config = load(t, "everything")
	require.NoError(t, config.Validate())
	fields := jsonevent.DefaultFields()
	fields.ChannelID = "conversation.id"
	security := createDefaultConfig().(*Config).TLS
	security.MinVersion = "1.3"
	assert.Equal(t, &Config{
		Platform: "nice_cxone",
		API:      "realtime_events",
		Region:   "na1",
		Endpoint: "wss://gateway.example.com:8443/events?stream=a",
		TenantID: "acme_corp",
		OAuth2: OAuth2Config{
			ClientID: "dedicated-client", ClientSecret: "hush",
			GrantType: "client_credentials", StrictScopes: true, ExtraScopes: []string{"webmessaging:view", "openid", "offline_access"},
			TokenURL: "https://login.example.com/token?realm=ccaas", Scopes: []string{"analytics:realtime:view"},
		},
		Subprotocol:   "nice.digital.v2",
		Notifications: NotificationsConfig{RefreshInterval: 15 * time.Minute},
		EventHub:      EventHubConfig{DiscoveryURL: "https://cxone.niceincontact.com"},
		Session:       SessionConfig{URLFrom: URLFromConfig{Method: "POST"}, InitialState: api.DefaultOpenChannels()},
		Rotation:      RotationConfig{Overlap: 10 * time.Second, MaxAge: 12 * time.Hour},
		Deduplication: DeduplicationConfig{Window: time.Minute, MaxEvents: 5000},
		Limits:        LimitsConfig{RequestsPerMinute: 100, DialsPerMinute: 20},
		Preflight:     PreflightConfig{Path: "/version"},
		Connections:   3,
		Heartbeat:     HeartbeatConfig{Interval: 5 * time.Second, Timeout: 12 * time.Second},
		MaxFrameSize:  65536,

		PayloadSize: "object", MaxPayloadSize: 1 << 20, Encoding: "both", MaxDimensionLength: 64, MaxIDLength: 256, Timezone: "Europe/Berlin",

		Reconnect: ReconnectConfig{
			InitialInterval: 2 * time.Second, MaxInterval: 30 * time.Second, Multiplier: 1.5, RandomizationFactor: 0.2,
		},
		Batch: BatchConfig{MaxEvents: 500, Timeout: 50 * time.Millisecond},

		AliveInterval: 10 * time.Second,

		InitialState: InitialStateConfig{Settle: 30 * time.Second, ReconcileInterval: time.Minute, StuckAfter: time.Hour, MaxChannels: 5000},

		Raw: "none", UserID: "hash", UserIDKey: "hush, sixteen of them",

		Fields:   fields,
		TLS:      security,
		ProxyURL: "http://proxy.example.com:3128",
	}, config)
}

func TestPlatform_InferredFromAKnownHost(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"inferred_genesys": "genesys_cloud", "inferred_nice": "nice_cxone", "not_inferred": "custom", "unknown_host": "genesys_cloud",
	} {
		config := load(t, name)
		assert.Equal(t, want, config.Platform, name)
		require.NoError(t, config.Validate(), name)
	}
	nice := load(t, "inferred_nice")
	assert.Equal(t, []string{"nice.digital.v1", "nice.digital.v2"}, nice.upstream(apiOf(t, nice.Platform, nice.API).Profile()).Subprotocols)
	literal := load(t, "everything")
	assert.Equal(t, []string{"nice.digital.v2"}, literal.upstream(apiOf(t, literal.Platform, literal.API).Profile()).Subprotocols)
}

func apiOf(t testing.TB, platform, name string) api.API {
	t.Helper()
	found, err := api.Lookup(platform, name)
	require.NoError(t, err)
	return found
}

func endpoints(t testing.TB, config *Config) (*api.Endpoints, error) {
	t.Helper()
	found := apiOf(t, config.Platform, config.API)
	return found.Endpoints(config.upstream(found.Profile()))
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	const stream, version = "/api/v2/analytics/events/realtime", "/api/v2/platform/version"
	for name, want := range map[string][3]string{ // socket, pre-flight, token
		"genesys":       {"wss://api.mypurecloud.com" + stream, "https://api.mypurecloud.com" + version, "https://login.mypurecloud.com/oauth/token"},
		"underscores":   {"wss://api.mypurecloud.com" + stream, "https://api.mypurecloud.com" + version, "https://login.mypurecloud.com/oauth/token"},
		"everything":    {"wss://gateway.example.com:8443/events?stream=a", "", "https://login.example.com/token?realm=ccaas"},
		"loopback":      {"ws://127.0.0.1:8080" + stream, "http://127.0.0.1:8080" + version, ""},
		"loopback_host": {"wss://localhost:8080" + stream, "https://localhost:8080" + version, ""},
		"loopback_v6":   {"ws://[::1]:8080" + stream, "http://[::1]:8080" + version, ""},
		"custom":        {"wss://gateway.example.com" + stream, "https://gateway.example.com" + version, ""},
		"notifications": {"the platform says", "", "https://login.mypurecloud.de/oauth/token"},
		"event_hub":     {"the platform says", "", ""},
		"amazon":        {"the platform says", "", ""},
		"insecure":      {"ws://gateway.example.com:8080" + stream, "http://gateway.example.com:8080" + version, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := load(t, name)
			require.NoError(t, config.Validate())
			at, err := endpoints(t, config)
			require.NoError(t, err)
			got := [3]string{"the platform says"}
			if at.Socket != nil {
				got[0] = at.Socket.String()
			}
			if at.Preflight != nil {
				got[1] = at.Preflight.String()
			}
			if at.Token != nil {
				got[2] = at.Token.String()
			}
			assert.Equal(t, want, got)
		})
	}
	config := configFor("https://gateway.example.com")
	at, err := endpoints(t, config)
	require.NoError(t, err)
	assert.Equal(t, "https://gateway.example.com/oauth/token", at.Token.String(), "the token endpoint is on the host of the endpoint")
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for name, says := range map[string][]string{
		"no_region":           {"region: missing", "us-east-1"},
		"unknown_region":      {`region: "atlantis-1"`, "eu-west-1", "endpoint"},
		"nice_needs_endpoint": {"endpoint: missing", "nice_cxone", "wss://"},
		"unknown_platform":    {`platform: "carrier_pigeon": must be one of genesys_cloud, nice_cxone, custom`},
		"other_api":           {`api: "notifications": must be event_hub or realtime_events with platform "nice_cxone"`},
		"unknown_api":         {`api: "smoke_signals": must be notifications or realtime_events with platform "genesys_cloud"`},
		"session_elsewhere":   {`session: is for platform "custom"`},
		"strict_without":      {"oauth2::strict_scopes: true: must be false while oauth2::scopes is empty"},
		"password_grant":      {`oauth2::username: "": must be given with oauth2::grant_type: password`, "oauth2::password"},
		"event_hub_twice":     {"deduplication::window: 0s: must be more than 0 with api: event_hub"},
		"no_path_in_answer":   {`session::url_from::path: "": must be the path of the address in the response`},
		"answer_in_the_clear": {"session::url_from::url: http://gateway.example.com: would send the token in the clear"},
		"answer_nowhere":      {"session::url_from::url: not an address"},
		"username_elsewhere":  {"oauth2::username", "must be left out unless oauth2::grant_type is password"},
		"types":               {`types: "message.shout": must be one of connection.open`},
		"rotation": {
			"rotation::overlap: 1h0m0s: must be 0 to 10m", "deduplication::max_events: 1: must be", "limits::requests_per_minute: 1: must be 10 or more",
			"limits::dials_per_minute: 0: must be 1 or more", "notifications::refresh_interval: 0s: must be",
			"session::keep_alive::interval: 0s: must be more than 0", `session::on_open[0]::send: "": must be a frame`,
		},
		"subprotocols_of_a_literal": {
			`subprotocol: "v2.realtime-events": must be auto where subprotocols are given`,
			`subprotocols[1]: "": must be a name`, `subprotocols[2]: "a b": must be a name`,
		},
		"no_client":            {"oauth2::client_id: missing"},
		"no_secret":            {"oauth2::client_secret: missing"},
		"no_client_id":         {"oauth2::client_id: missing"},
		"in_the_clear":         {"endpoint: ws://gateway.example.com: would send the token in the clear; use wss, or set tls::insecure: true"},
		"token_in_the_clear":   {"oauth2::token_url: http://login.example.com", "in the clear"},
		"password_in_endpoint": {"endpoint: has a user name"},
		"strange_scheme":       {"endpoint: ftp://gateway.example.com: must be wss"},
		"no_host":              {"endpoint: not an address"},
		"proxy":                {"proxy_url: not a URL"},
		"proxy_scheme":         {`proxy_url: scheme "ftp"`},
		"preflight_elsewhere":  {`preflight::path: "//elsewhere/version": must be a path`},
		"fields":               {"fields::timestamp: "},
		"identifiers": {
			"max_payload_size: 0: must be 1 to 1125899906842624 bytes", "max_dimension_length: 2000: must be 16 to 1024 bytes",
			"max_id_length: 1: must be 36 to 4096 bytes", `timezone: "Middle-earth/Shire": must be an IANA name`,
			`region: "a\u202eb": must be UTF-8 without control characters`,
		},
		"privacy": {
			`raw: "some": must be full, redacted or none`, `redact: "a..b": empty step`, `user_id: "initials": must be plain, hash or none`,
		},
		"initial_state": {
			`initial_state::enabled: true: must be false with api "realtime_events" of platform "genesys_cloud"`, "initial_state::settle: 2h0m0s: must be 0 to 1h",
			"initial_state::reconcile_interval: 1ms: must be 1s to 24h", "initial_state::stuck_after: 0s: must be 1s or more", "initial_state::max_channels: 7: must be 1000 to 1000000",
		},
		"open_channels": {
			`session::initial_state::url: "…": must be left out without initial_state::enabled: true`, `session::initial_state::method: "PUT": must be GET or POST`,
			`session::initial_state::body: "…": must be left out`, `session::initial_state::fields::channel_id: "": must be the path`,
			"session::initial_state::url: http://gateway.example.com: would send the token in the clear",
		},
		"open_channels_nowhere":  {`session::initial_state::url: "": must be an address`, "initial_state::enabled: true: must be false"},
		"open_channels_of_a_hub": {`session: is for platform "custom"`},
		"storage_of_nothing":     {"storage: file_storage: must be left out without initial_state::enabled"},
		"short_user_key":         {"user_id_key: \"…\": must be at least 16 bytes with user_id: hash"},
		"redact_nothing":         {"redact: [customer.note]: must be left out with raw: full"},
		"encoding_of_what":       {`encoding: "parquet": must be one of records, blocks, both`},
		"size_of_what":           {`payload_size: "words": must be one of event, text, object, none`},
		"size_of_no_text":        {`payload_size: "text": needs fields::text, the path of the text`},
		"size_of_snapshots":      {`payload_size: "text": must be event, object or none with api: notifications`},
		"size_of_bad_path":       {`fields::text: "type.word": fields::type reads a value at "type"`},
		"long_tenant":            {"tenant_id: 17 bytes: must be at most max_dimension_length (16)"},
		"numbers": {
			`subprotocol: "v2 events": must be`, `preflight::path: "version": must be a path that begins with /`,
			"connections: 0: must be 1 to 100", "heartbeat::timeout: 30s: must be more than heartbeat::interval (30s)",
			"max_frame_size: 12: must be 1024 to 67108864 bytes", "reconnect::max_interval: 1m0s: must be at least reconnect::initial_interval (2m0s)",
			"reconnect::multiplier: 0.5: must be at least 1", "reconnect::randomization_factor: 1: must be 0 or more, and less than 1",
			"batch::max_events: 0: must be 1 to 100000", "batch::timeout: 0s: must be more than 0",
			"alive_interval: 1ms: must be 0 (none), or 100ms to 10m",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := load(t, name).Validate()
			for _, one := range says {
				require.ErrorContains(t, err, one)
			}
			assert.NotContains(t, err.Error(), "hush")
		})
	}
}

func TestDefaultsOfTheAPIs(t *testing.T) {
	t.Parallel()
	config := load(t, "notifications")
	require.NoError(t, config.Validate())
	assert.Equal(t, []time.Duration{2 * time.Second, 90 * time.Second}, []time.Duration{config.Reconnect.InitialInterval, config.Reconnect.MaxInterval})
	assert.Empty(t, config.OAuth2.Scopes)
	assert.Equal(t, "event", config.PayloadSize)
	config = load(t, "event_hub")
	require.NoError(t, config.Validate())
	assert.Equal(t, 30*time.Second, config.Heartbeat.Interval)
	assert.Equal(t, "text", config.PayloadSize)
	config = load(t, "amazon")
	require.NoError(t, config.Validate())
	assert.Equal(t, []map[string][]string{{"content|json.Type": {"MESSAGE"}, "content|json.ParticipantRole": {"AGENT", "SYSTEM"}}}, config.Types["message.send"])
}

func TestScopes_SplitAtBlanks(t *testing.T) {
	t.Parallel()
	for _, given := range []any{"a:b c:d", []any{"a:b c:d"}, []any{" a:b", "c:d "}} {
		config := createDefaultConfig().(*Config)
		conf := confmap.NewFromStringMap(map[string]any{"oauth2": map[string]any{"scopes": given}})
		require.NoError(t, conf.Unmarshal(config))
		assert.Equal(t, []string{"a:b", "c:d"}, config.OAuth2.Scopes)
	}
}

func TestEndpoint_HostsAndPorts(t *testing.T) {
	t.Parallel()
	for endpoint, says := range map[string]string{
		"wss://gateway.example.com:65535":      "",
		"wss://gateway.example.com:65536":      `endpoint: port "65536": must be 1 to 65535`,
		"wss://gateway.example.com:0":          `port "0"`,
		"wss://gateway.example.com:99999/path": `port "99999"`,
		"gateway.example.com:70000":            `port "70000"`,
		"wss://gateway.example.com:http":       `port "http"`,
		"wss://[2001:db8::1]:443":              "",
		"wss://[2001:db8::1]":                  "",
		"wss://[2001:db8::1]:65536":            `port "65536"`,
		"wss://2001:db8::1":                    `"2001:db8::1": an IPv6 address needs brackets`,
		"2001:db8::1":                          "needs brackets",
		"ws://::1:8080":                        "needs brackets",
		"wss://<your-host>":                    `endpoint: "<your-host>": is a placeholder`,
		"<your-host>":                          "is a placeholder",
		"wss://[your-host]/events":             "is a placeholder",
		"wss://{host}":                         "is a placeholder",
		"wss://$HOST:443":                      "is a placeholder",
		"wss://your-gateway.example.com":       "is a placeholder",
		"wss://api.your-domain.com":            "is a placeholder",
		"wss://changeme":                       "is a placeholder",
		"wss://yourself.example.com":           "",
		"wss://my-gateway.example.com":         "",
		"ws://LOCALHOST:8080":                  "",
		"WS://localhost:8080":                  "",
		"ws://localhost.:8080":                 "",
		"LocalHost:8080":                       "",
		"ws://localhost.example.com":           "would send the token in the clear",
		"ws://127.0.0.1.:8080":                 "",
		"ws://10.0.0.1.:8080":                  "would send the token in the clear",
		"wss://someone:hush@gateway:65536":     `port "65536"`,
	} {
		config := configFor(endpoint)
		err := config.Validate()
		if says == "" {
			require.NoError(t, err, endpoint)
			continue
		}
		require.ErrorContains(t, err, says, endpoint)
		require.NotContains(t, err.Error(), "hush")
	}
	for _, endpoint := range []string{"ws://localhost.:8080/events", "ws://LOCALHOST:8080/events"} {
		at, err := endpoints(t, configFor(endpoint))
		require.NoError(t, err)
		assert.Equal(t, "ws://localhost:8080/events", at.Socket.String(), "no name server is asked")
	}
	at, err := endpoints(t, configFor("ws://127.0.0.1.:8080/events"))
	require.NoError(t, err)
	assert.Equal(t, "ws://127.0.0.1:8080/events", at.Socket.String(), "an address is no name")
	config := configFor("ws://127.0.0.1:1")
	config.ProxyURL = "http://someone:hush@proxy.example.com:312800"
	require.ErrorContains(t, config.Validate(), `proxy_url: port "312800": must be 1 to 65535`)
	config = configFor("wss://gateway.example.com")
	config.OAuth2.TokenURL = "https://<tenant>.example.com/token"
	require.ErrorContains(t, config.Validate(), `oauth2::token_url: "<tenant>.example.com": is a placeholder`)
}
