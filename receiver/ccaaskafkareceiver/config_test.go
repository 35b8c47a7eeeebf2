// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaskafkareceiver

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaskafkareceiver/internal/metadata"
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
	config := load(t, "default")
	require.NoError(t, config.Validate())
	assert.Equal(t, createDefaultConfig(), config)
	assert.Equal(t, "ccaas_events-ccaas_windows-state", config.stateTopic())

	config = load(t, "everything")
	require.NoError(t, config.Validate())
	assert.Equal(t, "1.3", config.TLS.Get().MinVersion)
	assert.Equal(t, SASLConfig{Mechanism: saslSHA512, Username: "windows", Password: "hush"}, *config.Auth.SASL.Get())
	assert.NotContains(t, fmt.Sprintf("%+v", *config.Auth.SASL.Get()), "hush")
	assert.Equal(t, StateConfig{Topic: "windows-state", ReplicationFactor: 3}, config.State)
	assert.Equal(t, []any{"windows-7", "eu-west-1a", "events", otlpJSON, int32(2 << 20), latest, "windows", "windows-7", 20 * time.Second, 5 * time.Second, 40 * time.Second},
		[]any{
			config.ClientID, config.RackID, config.Topic, config.Encoding, config.MaxPartitionFetchSize, config.InitialOffset,
			config.GroupID, config.GroupInstanceID, config.SessionTimeout, config.HeartbeatInterval, config.RebalanceTimeout,
		})

	config = load(t, "oauth")
	require.NoError(t, config.Validate())
	assert.Equal(t, "oauth2client", config.Auth.SASL.Get().OAuthBearerTokenSource.String())
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for name, complaint := range map[string]string{
		"brokers":      "brokers: []: must be one host:port or more",
		"topic":        `topic: "ccaas events": must be 1 to 249 letters, digits and ._-`,
		"long_topic":   "set it, since it cannot be made of topic and group_id",
		"group":        `group_id: "": must be a name`,
		"state_topic":  `state::topic: "ccaas_events": must be another topic than that of the events`,
		"replication":  "state.replication_factor: 0: must be -1, or 1 and more",
		"encoding":     `encoding: "avro": must be otlp_proto or otlp_json`,
		"offset":       `initial_offset: "yesterday": must be earliest or latest`,
		"fetch":        "max_partition_fetch_size: 10: must be 1024 to 67108864 bytes",
		"heartbeat":    "heartbeat_interval: 0s: must be more than 0",
		"session":      "session_timeout: 2s: must be more than heartbeat_interval (3s)",
		"rebalance":    "rebalance_timeout: 5s: must be at least session_timeout (10s)",
		"mechanism":    `auth::sasl::mechanism: "GSSAPI": must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER`,
		"password":     `auth::sasl::password: "": must be given with PLAIN`,
		"token_source": `auth::sasl::oauthbearer_token_source: "": must be the extension`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, load(t, name).Validate(), complaint)
		})
	}
}
