// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package timescaledbexporter

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func load(t *testing.T, name string) *Config {
	t.Helper()
	all, err := confmaptest.LoadConf(filepath.Join("testdata", "config.yaml"))
	require.NoError(t, err)
	section, err := all.Sub(name)
	require.NoError(t, err)
	config := createDefaultConfig().(*Config)
	require.NoError(t, section.Unmarshal(config))
	return config
}

func TestConfig(t *testing.T) {
	t.Parallel()
	config := load(t, "timescaledb")
	require.NoError(t, confmap.Validate(config))
	assert.True(t, config.CreateSchema)
	assert.Equal(t, 90*24*time.Hour, config.Retention)
	assert.Zero(t, config.RetryConfig.MaxElapsedTime)

	config = load(t, "timescaledb/all")
	require.NoError(t, confmap.Validate(config))
	assert.Equal(t, configopaque.String("secret"), config.Password)
	assert.NotContains(t, fmt.Sprintf("%+v", config), "secret")
	assert.False(t, config.CreateSchema)
	assert.Equal(t, int32(2), config.MaxConnections)
	pool, err := config.parse()
	require.NoError(t, err)
	assert.Equal(t, "secret", pool.ConnConfig.Password)
	assert.Len(t, pool.ConnConfig.Fallbacks, 3, "two hosts, each with and without TLS")
}

func TestConfig_InvalidSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for name, wants := range map[string][]string{
		"nothing":                  {"endpoint: must be a URL of PostgreSQL"},
		"password_in_the_endpoint": {"endpoint: holds a password"},
		"password_in_the_query":    {"endpoint: holds a password"},
		"no_user":                  {"endpoint: names no user"},
		"another_scheme":           {"endpoint: must be a URL of PostgreSQL"},
		"bad_port":                 {"invalid port"},
		"numbers":                  {"retention: 1h0m0s: must be 0", "max_connections: 0: must be 1 to 100", "timeout: 0s: must be more than 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := confmap.Validate(load(t, "timescaledb/"+name))
			for _, want := range wants {
				require.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// Without sslmode and tls, a connection that leaves the machine is encrypted and verified.
func TestConfig_TLS(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		endpoint                 string
		encrypted, verified, raw bool
	}{
		"another host":             {"postgres://a@db.example.com/b", true, true, false},
		"this machine":             {"postgres://a@127.0.0.1/b?sslmode=disable", false, false, false},
		"a socket":                 {"postgres://a@/b?host=/run/postgresql", false, false, false},
		"verify-full":              {"postgres://a@db.example.com/b?sslmode=verify-full", true, true, false},
		"not verified":             {"postgres://a@db.example.com/b?sslmode=require", true, false, true},
		"plain text, as it is set": {"postgres://a@db.example.com/b?sslmode=disable", false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := createDefaultConfig().(*Config)
			config.Endpoint = test.endpoint
			pool, err := config.pool(t.Context())
			require.NoError(t, err)
			tls := pool.ConnConfig.TLSConfig
			assert.Equal(t, test.encrypted, tls != nil)
			if test.encrypted {
				assert.Equal(t, test.verified, !tls.InsecureSkipVerify)
			}
			if test.verified {
				assert.Equal(t, "db.example.com", tls.ServerName)
				assert.Empty(t, pool.ConnConfig.Fallbacks, "no second attempt in plain text")
			}
			assert.Equal(t, test.raw, config.plainText())
		})
	}
}

func TestCommand_PrintsTheSchema(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	run := func(arguments ...string) error {
		out.Reset()
		command := NewCommand()
		command.SetOut(&out)
		command.SetErr(&out)
		command.SetArgs(arguments)
		return command.Execute()
	}
	require.ErrorContains(t, run(), "--print-schema is missing")
	require.ErrorContains(t, run("--print-schema", "--retention", "1h"), "--retention: must be")

	require.NoError(t, run("--print-schema", "--retention", "720h"))
	assert.Contains(t, out.String(), "add_retention_policy('ws_metrics', INTERVAL '2592000 seconds')")
	assert.Contains(t, out.String(), "PRIMARY KEY (metric_name, region, tenant_id, channel_type, window_timestamp)\n);")
	assert.NotContains(t, out.String(), "PARTITION BY")

	require.NoError(t, run("--print-schema", "--plain"))
	assert.Contains(t, out.String(), "ws_metrics_default PARTITION OF ws_metrics DEFAULT")
	assert.NotContains(t, out.String(), "hypertable")
}
