// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package rabbitmqstreamexporter

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exportertest"

	"github.com/otelcol-ccaas/otelcol-ccaas/exporter/rabbitmqstreamexporter/internal/metadata"
	owntest "github.com/otelcol-ccaas/otelcol-ccaas/internal/componenttest"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/rabbitstream"
)

func read(t testing.TB, keys map[string]any) *Config {
	t.Helper()
	config := createDefaultConfig().(*Config)
	require.NoError(t, confmap.NewFromStringMap(keys).Unmarshal(config))
	return config
}

func user() map[string]any { return map[string]any{"username": "ccaas", "password": "hush"} }

func TestConfig(t *testing.T) {
	t.Parallel()
	config := read(t, map[string]any{"auth": user()})
	require.NoError(t, confmap.Validate(config))
	assert.NotContains(t, fmt.Sprintf("%+v", config), "hush")
	options, err := config.ClientConfig.Options(t.Context(), "name")
	require.NoError(t, err)
	assert.Equal(t, rabbitstream.Options{
		Address: "localhost:5552", Username: "ccaas", Password: "hush", VirtualHost: "/", Name: "name",
		Heartbeat: 5 * time.Second, Timeout: 5 * time.Second,
	}, options)
	assert.Equal(t, map[string]string{"max-age": "86400s", "stream-max-segment-size-bytes": "67108864"}, config.Retention.Arguments())

	config = read(t, map[string]any{
		"endpoint": "rabbitmq-stream+tls://rabbit.example.com", "auth": user(), "retention": map[string]any{"max_age": "0s", "max_bytes": 64 << 20},
	})
	require.NoError(t, confmap.Validate(config))
	options, err = config.ClientConfig.Options(t.Context(), "name")
	require.NoError(t, err)
	assert.Equal(t, "rabbit.example.com:5551", options.Address)
	assert.Equal(t, "rabbit.example.com", options.TLS.ServerName)
	assert.Equal(t, map[string]string{"max-length-bytes": "67108864", "stream-max-segment-size-bytes": "8388608"}, config.Retention.Arguments())
}

func TestConfig_InvalidSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for want, keys := range map[string]map[string]any{
		"auth::username: must be set":                             {},
		"endpoint: must be rabbitmq-stream://host:5552":           {"endpoint": "amqp://localhost:5672"},
		"endpoint: holds a user; use auth::username":              {"endpoint": "rabbitmq-stream://guest:guest@localhost"},
		"endpoint: has a path or a query; use virtual_host":       {"endpoint": "rabbitmq-stream://localhost/ccaas"},
		"virtual_host: must not be empty":                         {"virtual_host": ""},
		"timeout: 0s: must be more than 0":                        {"timeout": "0s"},
		`stream: "a b": must be 1 to 180 letters`:                 {"stream": "a b"},
		"partitions: 0: must be 1 to 128":                         {"partitions": 0},
		`compression: "lz4": must be zstd or none`:                {"compression": "lz4"},
		"sending_queue::batch: must not be set":                   {"sending_queue": map[string]any{"batch": map[string]any{"min_size": 10}}},
		`producer_name: "a b": must be 1 to 180`:                  {"producer_name": "a b"},
		"retention::max_age: 10ms: must be 0s, or at least 1s":    {"retention": map[string]any{"max_age": "10ms"}},
		"retention::max_bytes: 1: must be 0, or at least 1048576": {"retention": map[string]any{"max_bytes": 1}},
	} {
		require.ErrorContains(t, confmap.Validate(read(t, keys)), want)
	}
}

// Every configuration is rejected, or the component can be created from it.
func FuzzConfig(f *testing.F) {
	owntest.FuzzConfig(f, createDefaultConfig, func(t *testing.T, config *Config) {
		_, err := newExporter(t.Context(), exportertest.NewNopSettings(metadata.Type), config)
		require.NoError(t, err)
	},
		"{ auth: { username: a, password: b } }",
		"{ endpoint: 'rabbitmq-stream+tls://a:1', auth: { username: a, password: b }, partitions: 3, retention: { max_bytes: 1048576 } }",
	)
}

func TestConfirms(t *testing.T) {
	t.Parallel()
	var c confirms
	c.expect([]uint64{5, 6, 7})
	open := func() bool {
		select {
		case <-c.finished():
			return false
		default:
			return true
		}
	}
	c.confirm([]uint64{6, 4}, nil)
	c.confirm([]uint64{6, 5}, nil)
	assert.True(t, open())
	refusal := errors.New("no permission")
	c.confirm([]uint64{7}, refusal)
	assert.False(t, open())
	require.ErrorIs(t, c.refused(), refusal)
	c.expect([]uint64{8})
	assert.True(t, open())
	require.NoError(t, c.refused())
	c.confirm([]uint64{8, 9}, nil)
	c.confirm([]uint64{8}, nil)
	assert.False(t, open())
}

func TestConfirmedBatches(t *testing.T) {
	t.Parallel()
	var c confirmedBatches
	assert.False(t, c.remove(1))
	c.add(1)
	c.add(2)
	assert.True(t, c.remove(1))
	assert.False(t, c.remove(1))
	assert.Equal(t, []uint64{1, 2}, c.save(), "the queue may still have it")
	assert.Equal(t, []uint64{2}, c.save())
	for hash := range uint64(maxConfirmed + 10) {
		c.add(hash)
	}
	assert.Len(t, c.hashes, maxConfirmed)
	assert.False(t, c.remove(9), "the oldest are dropped")
	assert.True(t, c.remove(10))
}
