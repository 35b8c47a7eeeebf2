// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaasrabbitmqreceiver

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaasrabbitmqreceiver/internal/metadata"
)

func read(t testing.TB, keys map[string]any) *Config {
	t.Helper()
	config := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(keys).Unmarshal(config))
	return config
}

func TestConfig(t *testing.T) {
	t.Parallel()
	config := read(t, map[string]any{"auth": map[string]any{"username": "ccaas", "password": "hush"}})
	require.NoError(t, confmap.Validate(config))
	assert.NotContains(t, fmt.Sprintf("%+v", config), "hush")
	assert.Equal(t, "ccaas_events-3-ccaas_windows-state", config.stateStream(3))
	for endpoint, want := range map[string]string{
		"amqp://localhost:5672": "localhost:5672 false", "amqp://rabbit": "rabbit:5672 false",
		"amqps://rabbit": "rabbit:5671 true", "amqps://[::1]:1/": "[::1]:1 true",
	} {
		config.AMQPEndpoint = endpoint
		address, secure, err := config.amqpAddress()
		require.NoError(t, err)
		assert.Equal(t, want, fmt.Sprint(address, " ", secure))
	}
}

func TestConfig_InvalidSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for want, keys := range map[string]map[string]any{
		"auth::username: must be set":                           {},
		"endpoint: must be rabbitmq-stream://host:5552":         {"endpoint": "amqp://localhost:5672"},
		"amqp_endpoint: must be amqp://host:5672":               {"amqp_endpoint": "rabbitmq-stream://localhost"},
		"amqp_endpoint: holds a user":                           {"amqp_endpoint": "amqp://a:b@localhost"},
		"stream: : must be 1 to 180 letters":                    {"stream": ""},
		"group_id: a b: must be 1 to 180 letters":               {"group_id": "a b"},
		"partitions: 129: must be 1 to 128":                     {"partitions": 129},
		"initial_offset: yesterday: must be earliest or latest": {"initial_offset": "yesterday"},
		"session_timeout: 1s: must be at least 2s":              {"session_timeout": "1s"},
		"state::max_bytes: 1048576: must be at least 33554432":  {"state": map[string]any{"max_bytes": 1 << 20}},
	} {
		require.ErrorContains(t, confmap.Validate(read(t, keys)), want)
	}
}

// Every configuration is rejected, or the component can be created from it.
func FuzzConfig(f *testing.F) {
	owntest.FuzzConfig(f, createDefaultConfig, func(t *testing.T, config *Config) {
		_, err := newReceiver(receivertest.NewNopSettings(metadata.Type), config, consumertest.NewNop())
		require.NoError(t, err)
	},
		"{ auth: { username: a, password: b } }",
		"{ auth: { username: a, password: b }, amqp_endpoint: 'amqps://a:1', stream: b, group_id: c, partitions: 3 }",
	)
}
